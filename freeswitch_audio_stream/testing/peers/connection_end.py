"""The server's end of a TCP connection, whatever is spoken on it."""

from __future__ import annotations

import socket
import struct

from . import PATIENCE


class ConnectionEnd:
    """Blocks for up to PATIENCE."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def read_exactly(self, count: int) -> bytes:
        """Return the next `count` bytes; raise ConnectionError if the connection ends before."""
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise ConnectionError("the client has ended the connection")
            data += part
        return data
