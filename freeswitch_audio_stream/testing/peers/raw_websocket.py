"""A server whose every byte a test decides; it shares no code with the client it is there for."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any, Callable

import orjson

from ...services.agent.session import AgentSession
from . import PATIENCE
from .connection_end import ConnectionEnd
from .listener import accept_websocket

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", final: bool = True, mask: bytes | None = None,
          reserved: int = 0) -> bytes:
    """A WebSocket frame (RFC 6455 section 5.2)."""
    size = len(payload)
    masked = 0x80 if mask else 0
    if size < 126:
        length = struct.pack("!B", masked | size)
    elif size < 1 << 16:
        length = struct.pack("!BH", masked | 126, size)
    else:
        length = struct.pack("!BQ", masked | 127, size)
    if mask:
        payload = unmasked(payload, mask)
    return struct.pack("!B", final << 7 | reserved << 4 | opcode) + length + (mask or b"") + payload


def unmasked(payload: bytes, mask: bytes) -> bytes:
    return bytes(octet ^ mask[index % 4] for index, octet in enumerate(payload))


class RawPeer(ConnectionEnd):
    """The server's end of one connection; everything on the test's own thread."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.session = AgentSession()
        """Takes in what `hear` has heard."""
        self.close_payload: bytes | None = None

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def say(self, message: Any) -> None:
        """A text message: JSON of an object, or bytes as they are."""
        self.send(frame(TEXT, message if isinstance(message, bytes) else orjson.dumps(message)))

    def hear(self) -> tuple[int, bytes]:
        """The next frame of the client: opcode and payload. ConnectionError at the end of the connection."""
        first, second = self.read_exactly(2)
        assert first & 0x80, "our client does not fragment"
        assert second & 0x80, "a client has to mask (RFC 6455 section 5.1)"
        size = second & 127
        if size >= 126:
            size = int.from_bytes(self.read_exactly(2 if size == 126 else 8), "big")
        mask = self.read_exactly(4)
        opcode, payload = first & 0x7F, unmasked(self.read_exactly(size), mask)
        if opcode == TEXT:
            self.session.receive(payload.decode(), time.monotonic())
        elif opcode == BINARY:
            self.session.receive(payload, time.monotonic())
        elif opcode == CLOSE:
            self.close_payload = payload
        return opcode, payload

    def hear_until(self, condition: Callable[[], Any]) -> None:
        """Take frames in until something is so."""
        while not condition():
            self.hear()

    def hear_message(self, event: str) -> dict[str, Any]:
        """Take frames in until there is a message of this kind; the newest."""
        before = len(self.session.events(event))
        self.hear_until(lambda: len(self.session.events(event)) > before)
        return self.session.events(event)[-1]

    def hear_close(self) -> int:
        """Take everything in up to the client's close frame; its code."""
        self.hear_until(lambda: self.close_payload is not None)
        assert self.close_payload is not None
        return int.from_bytes(self.close_payload[:2], "big")

    def hear_end(self) -> None:
        """Take everything in up to the end of the connection."""
        try:
            while True:
                self.hear()
        except ConnectionError:
            pass


class RawServer:
    """Listens, and does nothing by itself: the kernel takes connections, and nobody answers.

    A context manager.
    """

    def __init__(self, receive_buffer: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"ws://127.0.0.1:{self.port}/"
        self._open: list[socket.socket] = []

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *exception: object) -> None:
        for sock in (*self._open, self._listener):
            sock.close()

    def accept_silently(self) -> socket.socket:
        """The next connection, which expects an answer to its handshake."""
        sock, _ = self._listener.accept()
        sock.settimeout(PATIENCE)
        self._open.append(sock)
        return sock

    def accept(self, *lines: str, after: bytes = b"") -> RawPeer:
        """The next connection as a WebSocket; `after` comes in one packet with the handshake's answer."""
        sock = self.accept_silently()
        accept_websocket(sock, *lines, after=after)
        return RawPeer(sock)
