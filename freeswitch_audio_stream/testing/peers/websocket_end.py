"""The server's end of a connection, on the `websockets` library's protocol: a parser not of our making."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray
from websockets.extensions import Extension
from websockets.frames import Frame
from websockets.protocol import Protocol, Side, State

from ...audio import Encoding, decode


class WebSocketEnd:
    """Reads whole frames from a socket that has a timeout; a frame that breaks RFC 6455 raises."""

    def __init__(self, connection: socket.socket, extensions: Sequence[Extension] = ()) -> None:
        self.connection = connection
        self.received = bytearray()
        """Every byte, as it came."""
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=None)
        self._protocol.extensions = list(extensions)
        self._frames: list[Frame] = []

    def read_some(self, size: int = 65536) -> bytes:
        """What one recv gives; b"" at the end of the connection."""
        data = self.connection.recv(size)
        self.received += data
        if data:
            self._protocol.receive_data(data)
        self._frames += [event for event in self._protocol.events_received() if isinstance(event, Frame)]
        if self._protocol.parser_exc is not None:
            raise self._protocol.parser_exc
        return data

    def frames(self, count: int, size: int = 65536) -> list[Frame]:
        """The next `count` frames, reading at most `size` bytes at a time."""
        while len(self._frames) < count:
            assert self.read_some(size), "the connection ended before the frames came"
        taken, self._frames = self._frames[:count], self._frames[count:]
        return taken

    def messages(self, count: int) -> list[bytes]:
        """The payloads of the next `count` frames."""
        return [bytes(frame.data) for frame in self.frames(count)]

    def nothing_more(self) -> bool:
        """Whether nothing has come behind the frames taken, as far as the kernel knows."""
        self.connection.setblocking(False)
        try:
            return not self._frames and not self.read_some()
        except BlockingIOError:
            return not self._frames
        finally:
            self.connection.settimeout(20)


def media(message: bytes, encoding: Encoding = Encoding.L16) -> tuple[dict[str, Any], NDArray[np.int16]]:
    """A JSON media message: its fields, and its samples."""
    fields = json.loads(message)
    return fields, decode(base64.b64decode(fields["payload"], validate=True), encoding)
