"""The table of settings: what there is to set, and what may be given."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Callable, Collection, Sequence

from ..audio import ALL_RATES
from ..protocols import PROTOCOLS
from .dialects import Value
from .readers import SUBPROTOCOL_HEADER, ca_file, header_object, ip_address, origin, own_file, parse_headers

VARIABLE_PREFIX = "MOD_AUDIO_STREAM_"
_TOKENS = r" *([A-Za-z0-9._~+/=-]{16,256}( +|$))*"


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings; the type of `default` (int, bool, str) is the type of the value."""

    attribute: str
    """Its name in `Settings`; words joined by underscores."""
    default: Value
    doc: str
    """One sentence for the table in the README."""
    unit: str = ""
    minimum: int = 0
    maximum: int = 0
    """Of a number without `choices`, inclusive."""
    step: int = 1
    """A number is a multiple of it."""
    choices: Collection[str] = ()
    """Of a text or number; empty: any text that `pattern` matches, any number of the range."""
    pattern: str = r"[^\x00-\x1f\x7f]*"
    pattern_rule: str = "text without control characters"
    read: Callable[[str], str] = str
    """The value of a text that `pattern` matches; raises ValueError with what the text is instead."""
    module_wide: bool = False
    """The same for all streams, so that only the file and the environment can set it."""
    secret: bool = False
    """Never to be shown, logged or answered."""
    needed: bool = False
    """A call that gives a value depends on it: one that cannot be used is not passed over."""
    channel_aliases: tuple[str, ...] = ()
    """Further channel variables, looked at when that of the setting's own name is not set."""

    @property
    def variable(self) -> str:
        """The environment variable, and the channel variable."""
        return VARIABLE_PREFIX + self.attribute.upper()

    @property
    def xml_name(self) -> str:
        """The ``name`` of its ``<param>``; prefixes know it, too."""
        return self.attribute.replace("_", "-")

    @property
    def valid(self) -> str:
        """What may be given, as words for a person."""
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(self.default, bool):
            return "true or false"
        if self.choices:
            return _one_of(list(self.choices)) + unit
        if isinstance(self.default, int):
            words = f"multiples of {self.step}" if self.step > 1 else "whole numbers"
            return f"{words} from {self.minimum} to {self.maximum}{unit}"
        return self.pattern_rule


def _one_of(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def _setting(default: Any, doc: str, **row: Any) -> Any:
    """A field of `Settings` that carries its row; a secret must not appear in its ``repr``."""
    return field(default=default, repr=not row.get("secret"),
                 metadata={"default": default, "doc": doc, **row})


@dataclass(frozen=True)
class Settings:
    """The settings of one stream, each valid; see `SETTINGS` for meaning, unit and range."""

    protocol: str = _setting(
        "json", "How the stream travels: json (JSON messages, audio in base64), binary (the same messages, "
        "audio as binary frames), community (bare audio, text as it is), or nothing but audio: rtp, sln or "
        "audiosocket.", choices=PROTOCOLS)
    format: str = _setting(
        "binary", "How the protocol community sends audio: binary (binary frames) or base64 (JSON messages).",
        choices=("binary", "base64"))
    chunk_ms: int = _setting(
        20, "Audio in one media message, exact whatever the ptime of the call's codec.",
        unit="ms", minimum=10, maximum=1000, step=10)
    resampler: str = _setting(
        "fir", "How rates are converted: fir (at most 3 ms of delay) or soxr (higher quality, 20 to 200 ms).",
        choices=("fir", "soxr"))
    deflate: bool = _setting(
        False, "Offer the server to compress messages in both directions (permessage-deflate, RFC 7692).")
    dtmf: bool = _setting(True, "Send the digits that the caller presses to the server.")
    dtmf_inband: bool = _setting(False, "Look for digits in the caller's audio, too.")
    playback: bool = _setting(
        True, "Play to the caller what the server sends, of a stream without a stream id; with one, the flag of start "
        "says so.")
    sample_rate: int = _setting(
        0, "Rate of the audio that the server sends as binary messages; 0: that of the stream.",
        unit="Hz", choices=tuple(map(str, (0, *ALL_RATES))))
    buffer_secs: int = _setting(
        40, "Captured audio kept while the server does not take it; beyond that, the newest is dropped.",
        unit="s", minimum=1, maximum=40)
    playback_secs: int = _setting(
        60, "Audio from the server that may wait to be played; beyond that, the newest is dropped.",
        unit="s", minimum=1, maximum=600)
    graceful_secs: int = _setting(
        60, "Time graceful-shutdown has to send and play what is buffered.", unit="s", minimum=1, maximum=600)
    heartbeat_secs: int = _setting(
        60, "Interval of the heartbeat event; 0 sends none.", unit="s", minimum=0, maximum=3600)
    ping_secs: int = _setting(
        20, "Interval of WebSocket pings; a server that sends nothing from one to the next is dead; 0: no pings.",
        unit="s", minimum=0, maximum=3600)
    connect_timeout: int = _setting(
        10, "Time allowed to become connected, where start does not name one.", unit="s", minimum=1, maximum=300)
    reconnect: bool = _setting(
        True, "Connect again after a connection is lost; never after the server closed it with 1000 or 1001.")
    reconnect_max: int = _setting(
        0, "Attempts to connect again before the stream ends; 0: until the call ends.",
        minimum=0, maximum=1_000_000)
    max_message_bytes: int = _setting(
        8 << 20, "The largest message taken from the server; a larger one ends the stream, close code 1009.",
        unit="bytes", minimum=1024, maximum=128 << 20)
    suppress_log: bool = _setting(False, "Keep the server's messages out of the log, where they are at level debug.")
    subprotocol_name: str = _setting(
        "audio.freeswitch.org", "The WebSocket subprotocol offered to the server; in a URL prefix, an empty "
        "value offers none.", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]*",
        pattern_rule="letters, digits and !#$%&'*+.^_`|~- (a token of RFC 7230)")
    http_auth_user: str = _setting(
        "", "The user name of HTTP basic authentication; empty sends no credentials.",
        pattern=r"[^\x00-\x1f\x7f:]*", pattern_rule="text without colons and control characters",
        channel_aliases=("MOD_AUDIO_BASIC_AUTH_USERNAME",))
    http_auth_password: str = _setting(
        "", "The password of HTTP basic authentication; it is never shown.", secret=True,
        channel_aliases=("MOD_AUDIO_BASIC_AUTH_PASSWORD",))
    extra_headers: str = _setting(
        "", "Headers to add to the WebSocket handshake, which may hold credentials: they are never shown. One named "
        "Sec-WebSocket-Protocol comes in place of subprotocol-name.",
        pattern=r"(?s).*", pattern_rule='a JSON object of texts, such as {"X-Name":"value"}, without the '
        "headers of the handshake itself", read=header_object, secret=True, needed=True)
    origin: str = _setting(
        "", "The header Origin of the WebSocket handshake, where extra-headers have none; {host} stands for the URL's "
        "host and port. Empty: http://{host}, or https://{host} to wss:// from a stream with a stream id; NONE: no "
        "such header.",
        pattern=r"[!-~]*", pattern_rule="NONE or an origin, such as https://example.com or https://{host}",
        read=origin)
    tls_ca_file: str = _setting(
        "", "A PEM file of the certificate authorities to trust; SYSTEM or empty: those of the system; NONE: "
        "no certificate is verified.", pattern_rule="SYSTEM, NONE or a path", read=ca_file)
    tls_cert_file: str = _setting(
        "", "A PEM file of the certificate to show to the server; NONE or empty: none.",
        pattern_rule="NONE or a path", read=own_file)
    tls_key_file: str = _setting(
        "", "A PEM file of its key, not encrypted; NONE or empty: the key is in tls-cert-file.",
        pattern_rule="NONE or a path", read=own_file)
    allow_selfsigned: bool = _setting(
        False, "Accept a self-signed server certificate; everything else is still verified.")
    skip_server_cert_hostname_check: bool = _setting(
        False, "Accept a server certificate for another host name; everything else is still verified.")
    allow_expired: bool = _setting(
        False, "Accept a server certificate that has expired; everything else is still verified.")
    service_threads: int = _setting(
        2, "Threads that send and receive for all streams together.",
        minimum=1, maximum=5, module_wide=True)
    max_streams: int = _setting(
        1000, "Streams at once; a start beyond that is refused.", minimum=1, maximum=4000, module_wide=True)
    media_server_address: str = _setting(
        "", "The address on which clients may attach to calls; empty: the media server is off.",
        pattern_rule="an IPv4 or IPv6 address, such as 127.0.0.1 or ::", read=ip_address, module_wide=True)
    media_server_port: int = _setting(
        8088, "Its TCP port; 0: any that is free, which the log tells.", minimum=0, maximum=65535, module_wide=True)
    media_server_cert_file: str = _setting(
        "", "A PEM file of the certificate that it shows, with its chain; empty: no TLS.",
        pattern_rule="NONE or a path", read=own_file, module_wide=True)
    media_server_key_file: str = _setting(
        "", "A PEM file of its key, not encrypted; empty: the key is in media-server-cert-file.",
        pattern_rule="NONE or a path", read=own_file, module_wide=True)
    media_server_tokens: str = _setting(
        "", "Tokens that are good for all calls and conferences, and to make calls.", pattern=_TOKENS,
        pattern_rule="texts of 16 to 256 letters, digits and -._~+/=, with blanks between them",
        secret=True, module_wide=True)
    media_server_token_secret: str = _setting(
        "", "The key with which tokens for one call or conference are signed; empty: a new one at each load.",
        pattern=r"([\x21-\x7e]{32,1024})?", pattern_rule="32 to 1024 visible ASCII characters",
        secret=True, module_wide=True)
    media_server_token_secs: int = _setting(
        3600, "How long such a token is good for, where the command does not say.", unit="s",
        minimum=1, maximum=86_400, module_wide=True)
    media_server_max_clients: int = _setting(
        100, "Clients attached at once, to all calls and conferences.", minimum=1, maximum=4000, module_wide=True)
    media_server_max_clients_per_call: int = _setting(
        8, "Clients attached at once to one call or conference.", minimum=1, maximum=4000, module_wide=True)
    media_server_max_connections: int = _setting(
        0, "Connections open at once that are not attached yet, up to half as many as FreeSWITCH may open files; "
        "0: a quarter as many, at most 1000.", minimum=0, maximum=65_536, module_wide=True)
    media_server_max_connections_per_address: int = _setting(
        0, "Of those, from one IPv4 address or one IPv6 /64; 0: a quarter of all.",
        minimum=0, maximum=65_536, module_wide=True)
    media_server_dial_string: str = _setting(
        "", "What POST /v1.0/calls dials, such as sofia/gateway/name/{destination}; empty: it makes no calls.",
        pattern=r"([!-~]*\{destination\}[!-~]*)?",
        pattern_rule="a dial string without blanks, with {destination} where the number goes", module_wide=True)

    @property
    def headers(self) -> dict[str, str]:
        """The values of `extra_headers`, by name, but for the one that `subprotocols` has."""
        return {name: value for name, value in self._all_headers.items() if name.lower() != SUBPROTOCOL_HEADER}

    @property
    def subprotocols(self) -> str:
        """What to offer: one or several WebSocket subprotocols, with commas between them; "" for none."""
        named = (value for name, value in self._all_headers.items() if name.lower() == SUBPROTOCOL_HEADER)
        return next(named, self.subprotocol_name)

    @property
    def _all_headers(self) -> dict[str, str]:
        return parse_headers(self.extra_headers) if self.extra_headers else {}


SETTINGS: tuple[Setting, ...] = tuple(Setting(row.name, **row.metadata) for row in fields(Settings))
"""The table; in the order of the documentation."""

_BY_NAME = {setting.attribute: setting for setting in SETTINGS}


def find(name: str) -> Setting | None:
    """The setting of that attribute, XML name or variable, in any case; None when there is none."""
    return _BY_NAME.get(name.strip().lower().replace("-", "_").removeprefix(VARIABLE_PREFIX.lower()))
