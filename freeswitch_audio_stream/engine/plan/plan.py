"""From a start command and its call to what the stream will be."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field, replace
from typing import Callable, Mapping

from ...audio import Track
from ...commands import Start, without_credentials
from ...config import Dialect, StreamSettings, Value
from ...errors import RefusedError
from ...protocols import PROTOCOLS, SCHEMES, WireProtocol
from ...protocols.messages import Identity, MediaTemplate, StreamInfo
from ...realtime.path_format import OUTBOX_BYTES, PathFormat
from ...realtime.wire.outgoing import OUTBOX_HEADER
from ..call import BugKind, Call
from .agents import with_profile, with_settings

ResolveSettings = Callable[[Callable[[str], "str | None"], Mapping[str, str], Dialect, Mapping[str, Value]],
                           StreamSettings]
"""Returns the settings of a stream from its channel variables, its URL prefix, its dialect, and the defaults that
differ from the usual ones."""


_COMMUNITY_ORIGIN = "http://{host}"  # for wss, too


def _rtp_identity() -> tuple[int, int, int]:
    """Return SSRC, first sequence number and timestamp, which nobody can guess (RFC 3550 sections 5.1 and 8.1)."""
    return secrets.randbits(32), secrets.randbits(16), secrets.randbits(32)


LONGEST_OPENING = OUTBOX_BYTES // 2 - OUTBOX_HEADER
"""Bytes that introduce a stream; the other half of the queue is for texts that wait for the first connection."""


@dataclass(frozen=True)
class Plan:
    """What a stream was asked to be."""

    info: StreamInfo
    url: str
    settings: StreamSettings
    protocol: WireProtocol
    dialect: Dialect
    timeout: float | None
    """Seconds allowed to become connected; None = no limit."""
    bidirectional: bool
    """Whether the server is listened to."""
    plays: bool
    """Whether the caller can be made to hear what the server sends."""
    captures: bool = True
    """Whether the server hears the call."""
    rtp_identity: tuple[int, int, int] = field(default_factory=_rtp_identity)
    """SSRC, first sequence number and first timestamp of what we send as RTP."""

    @property
    def shown_url(self) -> str:
        """The URL as it may be told."""
        return without_credentials(self.url)

    @property
    def longest_wait(self) -> float:
        """Seconds between two attempts to connect again: fewer where the buffer must not run over meanwhile."""
        return self.settings.buffer_secs / 10 if self.protocol.acknowledges else math.inf

    @property
    def bugs(self) -> list[BugKind]:
        """The media bugs it needs. Playback comes first: it must stand before the others on the call."""
        kinds = [BugKind.PLAYBACK] if self.plays else []
        if not self.captures:
            return kinds
        if self.info.track is not Track.INBOUND:
            kinds.append(BugKind.CAPTURE_WRITE)
        return kinds + [BugKind.CAPTURE_READ]

    @property
    def form(self) -> tuple[PathFormat, list[MediaTemplate]]:
        """What the core has to know: the format, and the media messages of each track."""
        info, settings = self.info, self.settings
        templates = self.protocol.templates(info)
        least, most = self.protocol.chunk_limits(info)
        form = PathFormat(
            tracks=info.track.value, rate=info.rate, encoding=templates[0].encoding,
            chunk_ms=self.protocol.packet_ms or min(max(settings.chunk_ms, least), most),
            buffer_secs=settings.buffer_secs, playback_secs=settings.playback_secs,
            binary_playback=self.plays and self._takes_binary, binary_rate=self.binary_rate,
            playback_levels_ms=self._playback_levels, catch_up_ms=settings.catch_up_ms,
            inband_dtmf=settings.dtmf_inband, encapsulation=self.protocol.encapsulation, rtp_identity=self.rtp_identity,
            keeps_unacknowledged=self.protocol.acknowledges, silent_pause=settings.pause_leaves == "silence")
        return form, templates

    @property
    def _playback_levels(self) -> tuple[int, int]:
        """The protocol's, or those that a smaller queue comes to."""
        high, low = self.protocol.playback_levels_ms
        most = 1000 * self.settings.playback_secs
        return min(high, most * 9 // 10), min(low, most * 8 // 10)

    @property
    def binary_rate(self) -> int:
        """Hz of the audio in the server's binary messages."""
        return self.settings.sample_rate or self.info.rate

    @property
    def _takes_binary(self) -> bool:
        if not self.protocol.has_binary:
            return False
        # The community module has always ignored binary messages, unless a rate is named for them.
        return self.dialect is Dialect.STREAM_API or self.settings.sample_rate > 0


def make_plan(command: Start, call: Call, resolve: ResolveSettings) -> Plan:
    """Return what the stream of a command will be.

    Raise SettingError, and RefusedError if its messages to the server cannot be made.
    """
    by_scheme = SCHEMES.get(command.url.partition(":")[0].lower())
    settings = resolve(call.variable, command.prefix, command.dialect, by_scheme.defaults if by_scheme else {})
    if by_scheme is None and PROTOCOLS[settings.protocol].defaults:
        settings = resolve(call.variable, command.prefix, command.dialect, PROTOCOLS[settings.protocol].defaults)
    command, settings = with_profile(command, settings)
    protocol = by_scheme or PROTOCOLS[settings.protocol]
    command = with_settings(command, settings, protocol)
    settings = replace(settings, deflate=settings.deflate and protocol.takes_deflate)
    if protocol.subprotocol is not None and settings.subprotocol_name == StreamSettings().subprotocol_name:
        settings = replace(settings, subprotocol_name=protocol.subprotocol)
    if command.dialect is Dialect.COMMUNITY and not settings.origin:
        settings = replace(settings, origin=_COMMUNITY_ORIGIN)
    settings = settings.showing_key(protocol.key_header, protocol.key_scheme) if protocol.takes_key else settings
    track, encoding = protocol.carried(command.track, command.encoding, command.rate)
    command = replace(command, track=track, encoding=encoding)
    account = {name: value for name in protocol.variables if (value := call.variable(name))}
    community = command.dialect is Dialect.COMMUNITY
    answers = command.bidirectional and not protocol.is_one_way
    plays = settings.playback if community else answers
    info = StreamInfo(command.stream_id, command.uuid, command.track, command.encoding, command.rate,
                      _channels(protocol, command.track), command.metadata, account, settings.format == "base64",
                      _identity(call, settings), plays)
    _check_opening(protocol, info)
    timeout = settings.connect_timeout if community else command.timeout or None
    return Plan(info, command.url, settings, protocol, command.dialect, timeout, answers, plays, command.captures)


def _identity(call: Call, settings: StreamSettings) -> Identity:
    return Identity(secrets.token_hex(16), settings.platform_account_id, settings.platform_call_id,
                    settings.platform_stream_id, call.variable("caller_id_number") or "",
                    call.variable("destination_number") or "", call.variable("caller_id_name") or "")


def _check_opening(protocol: WireProtocol, info: StreamInfo) -> None:
    """Metadata alone have a limit of their own; channel variables have none."""
    size = sum(len(message.head) + len(message.tail or b"") for message in protocol.open(info).opening())
    if size > LONGEST_OPENING:
        raise RefusedError(f"the stream cannot introduce itself: its first message would be {size} bytes long, of "
                           f"{LONGEST_OPENING} at most; shorten the metadata and the channel variables "
                           f"{', '.join(protocol.variables)}")


def _channels(protocol: WireProtocol, track: Track) -> int:
    """Two where one message carries both sides of the call."""
    return 2 if track is Track.STEREO or track is Track.BOTH and protocol.interleaves_both else 1
