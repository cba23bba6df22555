"""The encapsulations ``rtp`` and ``sln``: nothing but audio in binary messages, both ways.

No message says that a stream begins or ends, or that a key was pressed; texts have no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..audio import Encoding, Track
from ..errors import MessageError, SettingError
from .messages import Incoming, MediaTemplate, OutMessage, StreamInfo


@dataclass(frozen=True)
class Encapsulation:
    """See `messages.WireProtocol`."""

    name: str
    encoding: Encoding = Encoding.L16
    only_rate: int | None = None
    """Hz of the one rate there is; None where any will do."""
    packet_ms: int | None = None

    @property
    def encapsulation(self) -> str:
        return self.name

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        if self.only_rate not in (None, rate):
            raise SettingError(f"the protocol {self.name} carries {self.only_rate} Hz, and not {rate} Hz: start the "
                               f"stream with {self.only_rate}, or choose the protocol sln or audiosocket")
        if encoding is not Encoding.L16 and encoding is not self.encoding:
            raise SettingError(f"the protocol {self.name} carries linear samples of 16 bits, and not "
                               f"{encoding.value.lower()}: leave that word out, or choose the protocol rtp")
        # One channel is all there is: both sides of the call can only be heard together.
        return Track.MIXED if track in (Track.BOTH, Track.STEREO) else track, self.encoding

    def start(self, info: StreamInfo) -> OutMessage | None:
        return None

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((), self.encoding)

    def stop(self, info: StreamInfo, reason: str) -> OutMessage | None:
        return None

    def dtmf(self, info: StreamInfo, digit: str, duration_ms: int) -> OutMessage | None:
        return None

    def checkpoint(self, info: StreamInfo, name: str, status: str) -> OutMessage | None:
        return None

    def text(self, info: StreamInfo, text: str) -> OutMessage | None:
        return None

    def receive(self, info: StreamInfo, message: bytes) -> list[Incoming]:
        raise MessageError("text", f"a text message came, and the protocol {self.name} has only binary ones: send "
                                   "audio as binary messages, or use the protocol json, binary or community")

    def receive_frame(self, kind: int, payload: bytes) -> list[Incoming]:
        return []


RTP = Encapsulation("rtp", Encoding.MULAW, only_rate=8000, packet_ms=20)
SLN = Encapsulation("sln")
