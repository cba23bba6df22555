"""A server that does only what a test has it do: it may leave pings unanswered, or break every rule."""

from __future__ import annotations

import queue
import socket
import ssl
from contextlib import suppress
from typing import Any

from websockets.frames import Frame, Opcode

from . import PATIENCE
from .listener import Listener, accept_websocket
from .raw_websocket import frame
from .websocket_end import WebSocketEnd

OPCODES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}


class FrameConnection:
    """An open connection: what has come is in `frames`, audio left out."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ends = WebSocketEnd(connection)
        self.frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def send(self, kind: str, data: bytes = b"", final: bool = True) -> None:
        self._connection.sendall(frame(OPCODES[kind], data, final))

    def send_raw(self, data: bytes) -> None:
        self._connection.sendall(data)

    def drop(self) -> None:
        with suppress(OSError):  # it is over already
            self._connection.shutdown(socket.SHUT_RDWR)

    def record(self, answer_pings: bool) -> None:
        """Until the end of the connection; on its own thread."""
        try:
            while True:
                received = self._ends.frames(1)[0]
                if received.opcode == 2:
                    continue
                self.frames.put(received)
                if received.opcode is Opcode.PING and answer_pings:
                    self.send("pong", bytes(received.data))
                elif received.opcode is Opcode.CLOSE:
                    self.send("close", bytes(received.data))
        except (AssertionError, OSError):
            pass  # it is over


class FrameServer:
    """Accepts; a context manager."""

    def __init__(self, *headers: str, answer_pings: bool = True, host: str = "127.0.0.1",
                 context: ssl.SSLContext | None = None) -> None:
        """`headers` are lines added to the answer to the handshake."""
        self._headers = headers
        self._answer_pings = answer_pings
        self._connections: queue.SimpleQueue[FrameConnection] = queue.SimpleQueue()
        self._accepted: list[FrameConnection] = []
        self._listener = Listener(self._handle, host, context)
        self.url = f"{'wss' if context else 'ws'}://{self._listener.place}/"

    def _handle(self, connection: socket.socket) -> None:
        accept_websocket(connection, *self._headers)
        accepted = FrameConnection(connection)
        self._accepted.append(accepted)
        self._connections.put(accepted)
        accepted.record(self._answer_pings)

    def next(self) -> FrameConnection:
        """The next connection that has not been asked for yet."""
        return self._connections.get(timeout=PATIENCE)

    def __enter__(self) -> FrameServer:
        return self

    def __exit__(self, *exception: Any) -> None:
        for connection in self._accepted:
            connection.drop()
        self._listener.__exit__(*exception)
