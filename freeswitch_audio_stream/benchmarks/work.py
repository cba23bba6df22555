"""What a stream is asked to do, and how that is said to the module that is measured."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, NamedTuple

from ..protocols import ENCAPSULATIONS
from ..realtime.wire.rtp import RTP_HEADER
from .receiver.messages import STAMP_BYTES
from .receiver.receiver import Reply
from .receiver.records import STAMPS_JSON, STAMPS_L16, STAMPS_MULAW, STAMPS_OFF

FRAME_MS = 20
FRAMES_PER_SECOND = 1000 // FRAME_MS
FORMATS = ("binary", "json", "mulaw")
"""L16 in binary messages; L16 as base64 in JSON; mu-law in binary messages."""
"""Of streams that we connect; a client that attaches to the media server has one of ENCAPSULATIONS."""
TRANSPORTS = ("ws", "wss")
ATTACHED = "attached"
"""In place of a transport: a WebSocket without TLS that the receiver connects, to the media server."""

_STAMPS = {"binary": STAMPS_L16, "json": STAMPS_JSON, "mulaw": STAMPS_MULAW}
_TEXT, _BINARY = 1, 2
_ATTACHED_RATE = 8000
_RTP_VERSION = 0x80
_MULAW_SILENCE = b"\xff"
_MASKED = 0x80
_KEY = b"\x5a\xc3\x0f\x96"
_ABOUT_AUDIO = len('{"event":"media","sequence":1000,"streamId":"bench","audio":""}')


@dataclass(frozen=True)
class Work:
    """One kind of stream."""

    format: str
    two_way: bool
    call_rate: int
    """Hz of the call."""
    rate: int
    """Hz on the wire."""
    tls: bool = False
    attached: bool = False
    """Whether the receiver is a client of the media server."""

    @property
    def possible(self) -> bool:
        """Whether there are such streams: encapsulations, at their one rate, are for clients that attach."""
        return self.attached == (self.format in ENCAPSULATIONS) and (not self.attached or self.rate == _ATTACHED_RATE)

    @property
    def transport(self) -> str:
        """One of TRANSPORTS, or ATTACHED."""
        return ATTACHED if self.attached else TRANSPORTS[self.tls]

    @property
    def label(self) -> str:
        """A name for tables: ``wss json two-way 8000>16000``."""
        rates = f"{self.call_rate}" if self.rate == self.call_rate else f"{self.call_rate}>{self.rate}"
        return f"{self.transport} {self.format} {'two-way' if self.two_way else 'one-way'} {rates}"

    @property
    def stamps(self) -> int:
        """STAMPS_…: where the receiver finds the times in the audio, which resampling destroys."""
        return _STAMPS.get(self.format, STAMPS_OFF) if self.rate == self.call_rate else STAMPS_OFF

    @property
    def message_bytes(self) -> int:
        """Bytes of one media message on the wire, header included, before any TLS."""
        if self.attached:
            return len(_frame(_BINARY, self._packet))
        samples = self.rate * FRAME_MS // 1000
        audio = samples if self.format == "mulaw" else 2 * samples
        payload = -(-audio // 3) * 4 + _ABOUT_AUDIO if self.format == "json" else audio
        return payload + (8 if payload >= 126 else 6)

    @property
    def plain(self) -> Work:
        """The least that any module does on the same calls: binary, one way, not resampled, with TLS or not as here.
        """
        return Work("binary", False, self.call_rate, self.call_rate, self.tls)

    @property
    def _packet(self) -> bytes:
        """A message of an encapsulation, either way: silence."""
        samples = self.rate * FRAME_MS // 1000
        if self.format == "rtp":
            return bytes((_RTP_VERSION,)).ljust(RTP_HEADER, b"\0") + _MULAW_SILENCE * samples
        return bytes(2 * samples)

    def reply(self) -> Reply:
        """One frame of audio from the receiver: ``media.play`` for JSON, an encapsulation's message from a client that
        is attached, else L16 as a binary message.
        """
        if self.attached:
            frame, length = _frame(_BINARY, self._packet, _KEY), len(self._packet)
            head = RTP_HEADER if self.format == "rtp" else 0
            return Reply(frame, len(frame) - length + head, length - head, False, rtp=self.format == "rtp")
        silence = bytes(2 * self.rate * FRAME_MS // 1000)
        if self.format != "json":
            frame = _frame(_BINARY, silence)
            return Reply(frame, len(frame) - len(silence), len(silence), False)
        # Whole groups of base64 for the stamp, so that it can be exchanged.
        assert STAMP_BYTES % 3 == 0
        before = b'{"event":"media.play","payload":{"format":"LINEAR16","sampleRate":%d,"audioData":"' % self.rate
        text = before + base64.b64encode(silence) + b'"}}'
        frame = _frame(_TEXT, text)
        return Reply(frame, len(frame) - len(text) + len(before), len(silence), True)


BINARY = Work("binary", False, 8000, 8000)
JSON_RESAMPLED = Work("json", False, 8000, 16000)
BINARY_TLS = Work("binary", False, 8000, 8000, tls=True)
BINARY_TWO_WAY = Work("binary", True, 8000, 8000)
GOAL_WORKS = (BINARY, JSON_RESAMPLED, BINARY_TLS, BINARY_TWO_WAY)
"""What the goals are about."""


def _frame(opcode: int, payload: bytes, key: bytes = b"") -> bytes:
    """A final frame (RFC 6455): a client's, masked with `key`, or without one a server's."""
    length, mask = len(payload), _MASKED if key else 0
    head = (bytes((0x80 | opcode, mask | length)) if length < 126
            else struct.pack("!BBH", 0x80 | opcode, mask | 126, length))
    return head + key + (bytes(octet ^ key[index & 3] for index, octet in enumerate(payload)) if key else payload)


def text_frame(text: bytes) -> bytes:
    """Return a server's text message as a frame (RFC 6455)."""
    return _frame(_TEXT, text)


class MeasuredModule(NamedTuple):
    """How streams are started and stopped in a module; both are templates of API commands."""

    name: str
    start: str
    """With {uuid}, {url}, {rate}, and for ours {settings}, {codec} and {flag}."""
    stop: str
    """With {uuid}, and for ours {id}."""
    formats: tuple[str, ...]
    plays: bool
    """Whether the caller hears binary messages."""
    variables: Mapping[str, str]
    """Global variables of the switch, set before the first stream; {ca} is the file to trust."""

    def can(self, work: Work) -> bool:
        """Return whether it does such work."""
        return work.format in self.formats and (self.plays or not work.two_way)

    def start_command(self, call: str, url: str, work: Work, ca: Path | None = None) -> str:
        """The command that starts a stream; `ca` is the file to trust with TLS."""
        settings = f"protocol={'json' if work.format == 'json' else 'binary'}"
        if work.tls:
            settings += f",tls-ca-file={ca}"
        return self.start.format(uuid=call, url=url, rate=work.rate, flag=int(work.two_way), settings=settings,
                                 codec="mulaw" if work.format == "mulaw" else "l16")

    def stop_command(self, call: str, work: Work) -> str:
        """The command that ends it; of clients that attach, it is the only one of its call."""
        return self.stop.format(uuid=call, id="media-1" if work.attached else "bench")


OURS = MeasuredModule(
    "ours", "uuid_audio_stream {uuid} bench start {{{settings}}}{url} inbound {codec} {rate} 60 {flag}",
    "uuid_audio_stream {uuid} {id} stop", (*FORMATS, *ENCAPSULATIONS), True, {})

PEER_START = "uuid_audio_stream {uuid} start {url} mono {rate}"
PEER_STOP = "uuid_audio_stream {uuid} stop"


def peer_module(start: str) -> MeasuredModule:
    """A module with the community grammar: binary L16, one way.

    Its certificate is checked by its chain alone: not every such module compares an address.
    """
    return MeasuredModule("peer", start, PEER_STOP, ("binary",), False,
                          {"STREAM_TLS_CA_FILE": "{ca}", "STREAM_TLS_DISABLE_HOSTNAME_VALIDATION": "true"})
