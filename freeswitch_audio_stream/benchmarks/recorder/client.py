"""A WebSocket client that costs little: frames are made beforehand, and of the answers only their number counts."""

from __future__ import annotations

import asyncio
from typing import Callable

_TEXT, _CLOSE = 1, 8
_SHORT, _LONG = 126, 127


def frame(payload: bytes, opcode: int = 2) -> bytes:
    """Return a client's frame (RFC 6455, section 5.2). Its masking key is zero, which leaves the payload as it is."""
    size = len(payload)
    if size < _SHORT:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 0x80 | _SHORT)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | _LONG)) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


class Answers:
    """Count the messages of a server; pure. Control frames are passed over."""

    def __init__(self) -> None:
        self._held = b""
        self.last = b""
        """The last text."""

    def take(self, data: bytes) -> int:
        """Return how many texts are complete with these bytes; raise ConnectionError at the server's close."""
        data = self._held + data
        at = texts = 0
        while len(data) >= at + 2:
            size, head = data[at + 1], 2
            if size >= _SHORT:
                head = 4 if size == _SHORT else 10
                size = int.from_bytes(data[at + 2:at + head], "big")
            if len(data) < at + head + size:
                break
            if data[at] & 15 == _CLOSE:
                raise ConnectionError(f"the server has closed: {data[at + head:at + head + size]!r}; {self.last!r}")
            if data[at] & 15 == _TEXT:
                self.last = data[at + head:at + head + size]
                texts += 1
            at += head + size
        self._held = data[at:]
        return texts


class Client(asyncio.Protocol):
    """One connection; `on_answers` gets how many answers have come, or the error that has ended it."""

    def __init__(self, host: str, path: str) -> None:
        self._request = (f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
        self._head: bytes | None = b""
        self._answers = Answers()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done at the first message, which is a greeting and no answer."""
        self.on_answers: Callable[[int], None] = lambda count: None
        self.error = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = None
            if b" 101 " not in head.split(b"\r\n")[0]:
                return self._fail(f"no WebSocket: {head!r}")
        try:
            count = self._answers.take(data)
        except ConnectionError as error:
            return self._fail(str(error))
        if count and not self.opened.done():
            self.opened.set_result(None)
            count -= 1
        if count:
            self.on_answers(count)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(str(error or "the connection has ended"))

    def send(self, made: bytes) -> None:
        """Send a frame that `frame` has made."""
        assert self._transport is not None
        self._transport.write(made)

    def close(self) -> None:
        """End it without a word."""
        self.error = self.error or "closed"
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: str) -> None:
        self.error = self.error or error
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(error))
