"""The server's end of a connection, whatever is spoken on it."""

from __future__ import annotations

import socket
import struct

from .harness import PATIENCE


class ConnectionEnd:
    """Blocks, for as long as a test is patient."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise ConnectionError("the client has ended the connection")
            data += part
        return data
