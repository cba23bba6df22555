"""A server that speaks AudioSocket over TCP, one step at a time; it shares no code with the client it is there for."""

from __future__ import annotations

import struct

import numpy as np

from ...audio import Samples

from .connection_end import ConnectionEnd

HANGUP, UUID, DIGIT, AUDIO, ERROR = 0x00, 0x01, 0x03, 0x10, 0xFF


class AudioSocketEnd(ConnectionEnd):
    """The server's end of one connection."""

    def say(self, kind: int, payload: bytes = b"") -> None:
        self.sock.sendall(struct.pack("!BH", kind, len(payload)) + payload)

    def play(self, samples: Samples, kind: int = AUDIO, size: int = 160) -> None:
        """Audio in frames of `size` samples, all at once."""
        for start in range(0, len(samples), size):
            self.say(kind, samples[start:start + size].astype("<i2").tobytes())

    def hear(self) -> tuple[int, bytes]:
        """The next frame; ConnectionError at the end of the connection."""
        kind, size = struct.unpack("!BH", self.read_exactly(3))
        return kind, self.read_exactly(size)

    def hear_audio(self, samples: int, kind: int = AUDIO) -> Samples:
        """What frames of audio hold, until there are that many samples; no other frame may come between them."""
        data = b""
        while len(data) < 2 * samples:
            heard, payload = self.hear()
            assert heard == kind
            data += payload
        return np.frombuffer(data, "<i2").astype(np.int16)

    def hear_until(self, kind: int) -> bytes:
        """The payload of the next frame of a kind, whatever comes before."""
        while True:
            heard, payload = self.hear()
            if heard == kind:
                return payload

    def ends(self) -> bool:
        """Take in the rest; True when the connection is over."""
        try:
            while True:
                self.hear()
        except ConnectionError:
            return True
