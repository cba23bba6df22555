"""The encapsulations ``rtp`` and ``sln``: audio in binary messages, both ways, and nothing else.

No message says that a stream begins or ends, or that a key was pressed; text messages are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ..audio import Encoding, Track
from ..errors import MessageError, SettingError
from .messages import Incoming, MediaTemplate, StreamInfo
from .session import ProtocolSession, WireProtocol


@dataclass(frozen=True)
class Encapsulation(WireProtocol):
    """A format that carries audio only. Its `encapsulation` is its name."""

    has_text: bool = False
    takes_deflate: bool = False
    encoding: Encoding = Encoding.L16
    only_rate: int | None = None
    """Hz: the only rate that the format carries; None where it carries any."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encapsulation", self.name)

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        if self.only_rate not in (None, rate):
            raise SettingError(f"the protocol {self.name} carries {self.only_rate} Hz, and not {rate} Hz: start the "
                               f"stream with {self.only_rate}, or choose the protocol sln or audiosocket")
        if encoding is not Encoding.L16 and encoding is not self.encoding:
            raise SettingError(f"the protocol {self.name} carries linear samples of 16 bits, and not "
                               f"{encoding.value.lower()}: leave that word out, or choose the protocol rtp")
        # The format has one channel, so both sides of the call are mixed.
        return Track.MIXED if track in (Track.BOTH, Track.STEREO) else track, self.encoding

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((), self.encoding)

    def open(self, info: StreamInfo) -> EncapsulationSession:
        return EncapsulationSession(info, self.name)


class EncapsulationSession(ProtocolSession):
    """A session without messages of its own, which refuses text messages."""

    def __init__(self, info: StreamInfo, name: str) -> None:
        super().__init__(info)
        self._name = name

    def receive(self, message: bytes) -> Sequence[Incoming]:
        raise MessageError("text", f"a text message came, and the protocol {self._name} has only binary ones: send "
                                   "audio as binary messages, or use the protocol json, binary or community")


RTP = Encapsulation("rtp", packet_ms=20, encoding=Encoding.MULAW, only_rate=8000)
SLN = Encapsulation("sln")
