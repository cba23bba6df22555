"""A server of the HTTP streaming API that takes audio and has nothing to say.

    python -m freeswitch_audio_stream.benchmarks.receiver.http_receiver

One thread. It says its port in a line, and how many posts have come so far for every line of its standard input, at
whose end it ends. Polls are answered when their time is over.
"""

from __future__ import annotations

import heapq
import re
import selectors
import socket
import sys
import time
from typing import IO

_BYTES = 65536
_BACKLOG = 4096
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
_TIMEOUT = re.compile(rb"[?&]timeout=(\d+)")
_CREATED, _STREAMED, _NOTHING, _ENDED = (
    b'{"sessionId":"","status":"created"}', b'{"status":"streamed"}', b'{"audio":"","transcript":"","hasMore":false}',
    b'{"status":"ended","summary":{"transcript":[]}}')


def answer(body: bytes) -> bytes:
    """Return an answer with this body."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class HttpReceiver:
    """Serves until its standard input ends."""

    def __init__(self, orders: IO[str]) -> None:
        self._orders = orders
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(orders, selectors.EVENT_READ)
        self._received: dict[socket.socket, bytearray] = {}
        self._polls: list[tuple[float, int, socket.socket]] = []
        self.posts = 0

    def serve(self) -> None:
        """Serve."""
        while True:
            for key, _ in self._selector.select(self._until_next_poll()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is not self._orders:
                    assert isinstance(key.fileobj, socket.socket)
                    self._receive(key.fileobj)
                elif self._orders.readline():
                    print(self.posts, flush=True)
                else:
                    return
            self._answer_polls()

    def _until_next_poll(self) -> float | None:
        return max(0.0, self._polls[0][0] - time.monotonic()) if self._polls else None

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received[connection] = bytearray()
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._forget(connection)
            return
        received = self._received[connection]
        received += data
        end = received.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = _LENGTH.search(received, 0, end)
        if len(received) >= end + (int(length[1]) if length else 0):
            self._take(connection, bytes(received[:end]))
            received.clear()

    def _take(self, connection: socket.socket, head: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if head.startswith(b"GET "):
            asked = _TIMEOUT.search(path)
            due = time.monotonic() + (int(asked[1]) / 1000 if asked else 0)
            heapq.heappush(self._polls, (due, id(connection), connection))
        elif path.endswith(b"/session/create"):
            self._send(connection, _CREATED)
        elif path.endswith(b"/end"):
            self._send(connection, _ENDED)
        else:
            self.posts += 1
            self._send(connection, _STREAMED)

    def _answer_polls(self) -> None:
        now = time.monotonic()
        while self._polls and self._polls[0][0] <= now:
            connection = heapq.heappop(self._polls)[2]
            if connection in self._received:
                self._send(connection, _NOTHING)

    def _send(self, connection: socket.socket, body: bytes) -> None:
        try:
            connection.sendall(answer(body))
        except ConnectionError:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        if self._received.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()


if __name__ == "__main__":
    receiver = HttpReceiver(sys.stdin)
    print(receiver.port, flush=True)
    receiver.serve()
