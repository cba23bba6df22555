"""A server of bare sockets: a thread for each connection, and its user's own words for what to do there."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
from contextlib import suppress
from typing import Callable

Handler = Callable[[socket.socket], None]


class Listener:
    """Accepts on a free port of `host` and calls `handler` with each connection, over TLS where a context is given.

    A context manager, which waits at its end for the connections to be over. Exceptions of handlers are kept in
    `failures`, handshakes that the client gives up among them.
    """

    def __init__(self, handler: Handler, host: str = "127.0.0.1",
                 context: ssl.SSLContext | None = None) -> None:
        self.failures: list[BaseException] = []
        self._handler = handler
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.host, self.port = self._listener.getsockname()[:2]
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        if exception[0]:  # the test has failed, and nobody may be left who closes the other end
            for connection in list(self._open):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.finish()

    def finish(self) -> None:
        """Wait for the connections accepted so far to be over."""
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._open.add(connection)
            with connection:
                self._handler(connection)
        except Exception as error:
            self.failures.append(error)
        finally:
            self._open.discard(connection)
            connection.close()


def read_head(connection: socket.socket) -> list[str]:
    """The lines of an HTTP request."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        received = connection.recv(1)
        if not received:
            raise ConnectionError("the client went away")
        data += received
    return data.decode().split("\r\n")[:-2]


def accept_websocket(connection: socket.socket, *lines: str, after: bytes = b"") -> list[str]:
    """Answer a WebSocket's opening handshake, with further header lines, and `after` in the same packet."""
    request = read_head(connection)
    key = next(line.split(": ")[1] for line in request if line.startswith("Sec-WebSocket-Key"))
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
              f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}", *lines, "", ""]
    connection.sendall("\r\n".join(answer).encode() + after)
    return request


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the other side's end."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
