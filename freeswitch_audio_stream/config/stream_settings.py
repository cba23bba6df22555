"""What there is to set of a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

import orjson

from ..audio import ALL_RATES
from ..protocols import PROTOCOLS
from .readers import SUBPROTOCOL_HEADER, base64_text, ca_file, header_object, origin, own_file, parse_headers
from .table import Table, setting
from .variables import VARIABLE_PREFIX


AUTHORIZATION = "Authorization"
_ID, _ID_RULE = "[!-~]{0,256}", "up to 256 letters, digits and other characters of ASCII, without spaces"


_PLACE = r"[\w+.*#-]+(@[\w.-]+)?"


@dataclass(frozen=True)
class StreamSettings:
    """The settings of one stream, each valid; see `STREAM` for meaning, unit and range."""

    protocol: str = setting(
        "json", "How the stream travels: json (JSON messages, audio in base64), binary (the same messages, "
        "audio as binary frames), community (bare audio, text as it is), recorder (the recording service), nothing but "
        "audio: rtp, sln or audiosocket; or as a speech agent or a telephony platform has it, by its name.",
        choices=PROTOCOLS)
    platform_account_id: str = setting(
        "", "The account's id in the messages of a telephony platform's protocol; empty: one is made up.",
        pattern=_ID, pattern_rule=_ID_RULE)
    platform_call_id: str = setting(
        "", "The call's id there; empty: one is made of the call's UUID.", pattern=_ID, pattern_rule=_ID_RULE)
    platform_stream_id: str = setting(
        "", "The stream's id there; empty: a new one for each stream.", pattern=_ID, pattern_rule=_ID_RULE)
    format: str = setting(
        "binary", "How the protocol community sends audio: binary (binary frames) or base64 (JSON messages).",
        choices=("binary", "base64"))
    chunk_ms: int = setting(
        20, "Audio in one media message, exact whatever the ptime of the call's codec; to an http:// or https:// "
        "server 100 by default, and from 20 to 100; to a recorder 100 by default, and what has 4 to 64 KiB.",
        unit="ms", minimum=10, maximum=1000, step=10)
    resampler: str = setting(
        "fir", "How rates are converted: fir (at most 3 ms of delay) or soxr (higher quality, 20 to 200 ms).",
        choices=("fir", "soxr"))
    deflate: bool = setting(
        False, "Offer the server to compress messages in both directions (permessage-deflate, RFC 7692).")
    dtmf: bool = setting(True, "Send the digits that the caller presses to the server.")
    dtmf_inband: bool = setting(False, "Look for digits in the caller's audio, too.")
    playback: bool = setting(
        True, "Play to the caller what the server sends, of a stream without a stream id; with one, the flag of start "
        "says so.")
    sample_rate: int = setting(
        0, "Rate of the audio that the server sends as binary messages; 0: that of the stream.",
        unit="Hz", choices=tuple(map(str, (0, *ALL_RATES))))
    pause_leaves: str = setting(
        "gap", "What the server gets of a paused call: nothing, so that what it hears is shorter (gap), or silence.",
        choices=("gap", "silence"))
    deliver_secs: int = setting(
        60, "How long a recorder that is away, or slow, is waited for at the end of a stream, to have it all.",
        unit="s", minimum=1, maximum=3600)
    buffer_secs: int = setting(
        40, "Captured audio kept while the server does not take it; beyond that, the newest is dropped.",
        unit="s", minimum=1, maximum=40)
    playback_secs: int = setting(
        60, "Audio from the server that may wait to be played; beyond that, the newest is dropped.",
        unit="s", minimum=1, maximum=600)
    catch_up_ms: int = setting(
        0, "For a server that speaks in real time: what comes late would delay all that follows, so quiet parts are "
        "left out while more than so much has always waited to be played, for a second. 0: never, for servers that "
        "send faster than the caller hears.", unit="ms", minimum=0, maximum=60_000)
    graceful_secs: int = setting(
        60, "Time graceful-shutdown has to send and play what is buffered.", unit="s", minimum=1, maximum=600)
    heartbeat_secs: int = setting(
        60, "Interval of the heartbeat event; 0 sends none.", unit="s", minimum=0, maximum=3600)
    ping_secs: int = setting(
        20, "Interval of WebSocket pings; a server that sends nothing from one to the next is dead, and so is an "
        "http:// or https:// server that leaves a request unanswered for so long; 0: no pings.",
        unit="s", minimum=0, maximum=3600)
    call_control: str = setting(
        "", "What a server may have done with the call, in a protocol that has a message for it: hangup, transfer, "
        "dtmf and answer, with commas between them. Empty: nothing; the event call_control tells what it wants.",
        pattern="((hangup|transfer|dtmf|answer)(,(hangup|transfer|dtmf|answer))*)?",
        pattern_rule="hangup, transfer, dtmf and answer, with commas between them")
    transfer_destinations: str = setting(
        "", "Where a server may have the call transferred to: extensions, each with its context behind an @ or in that "
        "of the call, with commas between them. The server names one without its context, or with it.",
        pattern=rf"({_PLACE}(,{_PLACE})*)?", pattern_rule="extensions such as 1000 or sales@internal, with commas "
        "between them")
    connect_timeout: int = setting(
        10, "Time allowed to become connected, where start does not name one.", unit="s", minimum=1, maximum=300)
    reconnect: bool = setting(
        True, "Connect again after a connection is lost; never after the server closed it with 1000 or 1001.")
    reconnect_max: int = setting(
        0, "Attempts to connect again before the stream ends; 0: until the call ends.",
        minimum=0, maximum=1_000_000)
    max_message_bytes: int = setting(
        8 << 20, "The largest message taken from the server; a larger one ends the stream, close code 1009.",
        unit="bytes", minimum=1024, maximum=128 << 20)
    play_events: str = setting(
        "run", "What has an event media_play_start: each run of audio from the server and each message with a "
        "checkpoint (run), or each message of audio (each).", choices=("run", "each"))
    suppress_log: bool = setting(False, "Keep the server's messages out of the log, where they are at level debug.")
    subprotocol_name: str = setting(
        "audio.freeswitch.org", "The WebSocket subprotocol offered to the server; in a URL prefix, an empty "
        "value offers none.", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]*",
        pattern_rule="letters, digits and !#$%&'*+.^_`|~- (a token of RFC 7230)")
    http_auth_user: str = setting(
        "", "The user name of HTTP basic authentication; empty sends no credentials.",
        pattern=r"[^\x00-\x1f\x7f:]*", pattern_rule="text without colons and control characters")
    http_auth_password: str = setting(
        "", "The password of HTTP basic authentication; it is never shown.", secret=True)
    extra_headers: str = setting(
        "", "Headers to add to the WebSocket handshake, or to each HTTP request, which may hold credentials: they are "
        "never shown. One named Sec-WebSocket-Protocol comes in place of subprotocol-name.",
        pattern=r"(?s).*", pattern_rule='a JSON object of texts, such as {"X-Name":"value"}, without the '
        "headers of the handshake itself", read=header_object, secret=True)
    agent: str = setting(
        "", "The profile of a speech agent: the file of that name, with .json, in agents-dir; empty: none.",
        pattern=r"([A-Za-z0-9][A-Za-z0-9._-]{0,127})?",
        pattern_rule="1 to 128 letters, digits and ._-, the first a letter or digit")
    agents_dir: str = setting(
        "", "The folder of speech agents' profiles, a JSON file each; empty: none.", pattern_rule="a path")
    confirm_speech_ms: int = setting(
        0, "How long a caller must speak to interrupt a speech agent, which only pauses before that, where its "
        "protocol has such an option and the metadata do not say it; 0: at once.", unit="ms", minimum=0, maximum=5000)
    api_key: str = setting(
        "", "The key that an http:// or https:// server, a speech agent, a recorder or a server of the protocol "
        "audiohook asks for; it is never shown.", secret=True)
    api_secret: str = setting(
        "", "The client secret, in base64, with which requests to a server of the protocol audiohook are signed; it is "
        "never shown; empty: they are not signed.", secret=True, pattern_rule="base64", read=base64_text)
    api_key_header: str = setting(
        AUTHORIZATION, "The header that carries the key: Authorization (as Bearer, and then instead of "
        "http-auth-user), or one that has nothing but the key, such as X-API-Key.",
        pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", pattern_rule="the name of a header")
    poll_ms: int = setting(
        5000, "How long an http:// or https:// server may wait for something to say before it answers that there is "
        "nothing.", unit="ms", minimum=100, maximum=60_000)
    origin: str = setting(
        "", "The header Origin of the WebSocket handshake, where extra-headers have none; {host} stands for the URL's "
        "host and port. Empty: http://{host}, or https://{host} to wss:// from a stream with a stream id; NONE: no "
        "such header.",
        pattern=r"[!-~]*", pattern_rule="NONE or an origin, such as https://example.com or https://{host}",
        read=origin)
    tls_ca_file: str = setting(
        "", "A PEM file of the certificate authorities to trust; SYSTEM or empty: those of the system; NONE: "
        "no certificate is verified.", pattern_rule="SYSTEM, NONE or a path", read=ca_file)
    tls_cert_file: str = setting(
        "", "A PEM file of the certificate to show to the server; NONE or empty: none.",
        pattern_rule="NONE or a path", read=own_file)
    tls_key_file: str = setting(
        "", "A PEM file of its key, not encrypted; NONE or empty: the key is in tls-cert-file.",
        pattern_rule="NONE or a path", read=own_file)
    allow_selfsigned: bool = setting(
        False, "Accept a self-signed server certificate; everything else is still verified.")
    skip_server_cert_hostname_check: bool = setting(
        False, "Accept a server certificate for another host name; everything else is still verified.")
    allow_expired: bool = setting(
        False, "Accept a server certificate that has expired; everything else is still verified.")

    @property
    def call_actions(self) -> frozenset[str]:
        """Return the words of `call_control`."""
        return frozenset(filter(None, self.call_control.split(",")))

    @property
    def transfer_places(self) -> dict[str, str]:
        """Return the `transfer_destinations` by all that a server may call them."""
        places = [place for place in self.transfer_destinations.split(",") if place]
        return {name: place for place in reversed(places) for name in (place, place.partition("@")[0])}

    @property
    def headers(self) -> dict[str, str]:
        """Return the values of `extra_headers` by name, but for the one that `subprotocols` has."""
        return {name: value for name, value in self._all_headers.items() if name.lower() != SUBPROTOCOL_HEADER}

    def showing_key(self, header: str = AUTHORIZATION, scheme: str = "Bearer") -> StreamSettings:
        """Return these settings with the header that carries `api_key`, where there is one, among `extra_headers`.

        It is `header` where `api_key_header` is as it is by default; `scheme` stands before the key in Authorization.
        """
        if not self.api_key:
            return self
        name = header if self.api_key_header == AUTHORIZATION else self.api_key_header
        key = f"{scheme} {self.api_key}" if name.lower() == AUTHORIZATION.lower() else self.api_key
        return replace(self, extra_headers=orjson.dumps({**self._all_headers, name: key}).decode())

    @property
    def subprotocols(self) -> str:
        """Return what to offer: one or several WebSocket subprotocols, with commas between them; "" for none."""
        named = (value for name, value in self._all_headers.items() if name.lower() == SUBPROTOCOL_HEADER)
        return next(named, self.subprotocol_name)

    @property
    def _all_headers(self) -> dict[str, str]:
        return parse_headers(self.extra_headers) if self.extra_headers else {}


STREAM = Table(StreamSettings, VARIABLE_PREFIX)
"""The settings of a stream; in the order of the documentation."""
