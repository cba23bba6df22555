"""AudioSocket, Asterisk's protocol: its frames, and what they mean to a stream.

A frame is a kind (8 bits), a length (16 bits, big-endian) and that many bytes. Over TCP everything is sent in frames.
Over a WebSocket we send bare audio, 20 ms in each binary message, and accept both bare audio and frames.
"""

from __future__ import annotations

import uuid as uuids
from dataclasses import dataclass
from typing import Sequence

from ..errors import MessageError
from .encapsulations import Encapsulation, EncapsulationSession
from .messages import HangUp, Incoming, OutMessage, StreamInfo
from .session import Carrier

KIND_HANGUP, KIND_UUID, KIND_DTMF, KIND_AUDIO, KIND_ERROR = 0x00, 0x01, 0x03, 0x10, 0xFF
RATES = (8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000)
"""Hz, in the order of the kinds: KIND_AUDIO is RATES[0], KIND_AUDIO + 1 is RATES[1] and so on.

The payload is int16, little-endian, one channel.
"""

_ERRORS = {0x01: "the calling party hung up", 0x02: "a frame could not be forwarded", 0x04: "out of memory"}
_NAMESPACE = uuids.UUID("4f0d7f0a-2f59-5a3b-9c42-3c8f0f0b6d51")


@dataclass(frozen=True)
class AudioSocket(Encapsulation):
    """``audiosocket``, over a WebSocket or over TCP."""

    packet_ms: int | None = 20

    def open(self, info: StreamInfo) -> AudioSocketSession:
        return AudioSocketSession(info, self.name, introduces=self.carrier is Carrier.AUDIOSOCKET)


class AudioSocketSession(EncapsulationSession):
    """Frames other than audio: the call's UUID, digits, hangup and errors."""

    def __init__(self, info: StreamInfo, name: str, introduces: bool) -> None:
        """`introduces`: whether the first frame carries the UUID of the call."""
        super().__init__(info, name)
        self._introduces = introduces

    def opening(self) -> Sequence[OutMessage]:
        return [OutMessage(call_uuid(self.info.uuid), kind=KIND_UUID)] if self._introduces else ()

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [OutMessage(digit.encode(), kind=KIND_DTMF)]

    def receive_frame(self, kind: int, payload: bytes) -> Sequence[Incoming]:
        if kind == KIND_HANGUP:
            return [HangUp()]
        if kind == KIND_UUID:
            return []  # a client introduces itself with its UUID; a server that does so too is not in error
        if kind == KIND_ERROR:
            meaning = _ERRORS.get(payload[0], "which has no meaning here") if payload else ""
            code = f"code 0x{payload[0]:02x}, {meaning}" if payload else "without a code"
            raise MessageError("audiosocket_error", f"the server reports an error ({code}): see its log")
        raise MessageError("audiosocket_kind", f"the server sent an AudioSocket frame of kind 0x{kind:02x}, which "
                                               "means nothing: use 0x10 to 0x18 for audio and 0x00 to hang up")


AUDIOSOCKET = AudioSocket("audiosocket")
AUDIOSOCKET_TCP = AudioSocket("audiosocket", carrier=Carrier.AUDIOSOCKET)


def call_uuid(call: str) -> bytes:
    """Return the 16 bytes (big-endian, RFC 9562) that identify the call to a server: its UUID, or if its id is not a
    UUID, a version 5 UUID derived from the id.
    """
    try:
        return uuids.UUID(call).bytes
    except ValueError:
        return uuids.uuid5(_NAMESPACE, call).bytes
