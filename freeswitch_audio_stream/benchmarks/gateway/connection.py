"""A client's HTTP/1.1 connection that costs next to nothing: one request at a time, answers with a Content-Length."""

from __future__ import annotations

import asyncio
from typing import Callable

OnAnswer = Callable[[int, bytes], None]
"""Status and body; status 0: the connection was lost, and the body says why."""


class Connection(asyncio.Protocol):
    """On the event loop; `ask` again in `on_answer` or later."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._on_answer: OnAnswer | None = None
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes, on_answer: OnAnswer) -> None:
        """Send a request, and have `on_answer` called once."""
        assert self._transport is not None and self._on_answer is None
        self._on_answer = on_answer
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        held = self._held = self._held + data if self._held else data
        end = held.find(b"\r\n\r\n")
        if end < 0:
            return
        status = int(held[9:12])
        length = held.lower().find(b"content-length:", 0, end)
        size = int(held[length + 15:held.index(b"\r\n", length)]) if length >= 0 else 0
        if len(held) < end + 4 + size:
            return
        self._held = held[end + 4 + size:]
        self._answered(status, held[end + 4:end + 4 + size])

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._answered(0, str(error or "the server has closed the connection").encode())

    def _answered(self, status: int, body: bytes) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer(status, body)

    def close(self) -> None:
        """Close; what was asked last is not answered any more."""
        self._on_answer = None
        if self._transport is not None:
            self._transport.abort()


async def connect(host: str, port: int) -> Connection:
    """Return a connection; raise OSError."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection
