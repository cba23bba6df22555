"""One connection to the service: made, written to by one task, read by another."""

from __future__ import annotations

import asyncio
import logging
from typing import Awaitable, Callable, Literal, Mapping
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from .....errors import AgentError, ConnectError, ServiceRefused
from .....protocols.openai_realtime import is_final
from .options import is_loopback

CONNECT_SECONDS = 10.0
MOST_WAITING = 16 << 20
"""Bytes that wait to be sent: a service that takes no more has hung."""
_MOST_MESSAGE = 32 << 20
_SILENT = logging.Logger("freeswitch_audio_stream.openai_realtime", logging.CRITICAL + 1)
"""websockets logs headers, the one with the key among them."""
_FINAL_STATUSES: Mapping[int, str] = {
    400: "the request is wrong", 401: "the key is wrong", 403: "the key may not use this",
    404: "there is no such model", 405: "there is no such service", 426: "there is no such service"}
_FINAL_CLOSES = frozenset({4000})
"""The service's own code for a client that speaks the protocol before this one."""


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # the key goes nowhere but where it was configured for


class Connection:
    """Is open when `open` returns. On the event loop."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting = 0
        self._writer = asyncio.get_running_loop().create_task(self._write())

    @classmethod
    async def open(cls, url: str, key: str) -> Connection:
        """Raise ServiceRefused where it will not be open however often one tries, and ConnectError where it may."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        proxy: Literal[True] | None = None if is_loopback(urlsplit(url).hostname or "") else True
        try:
            socket = await _Connect(url, additional_headers=headers, compression=None, max_size=_MOST_MESSAGE,
                                    open_timeout=CONNECT_SECONDS, close_timeout=1, logger=_SILENT, proxy=proxy)
        except InvalidStatus as error:
            raise _refusal(error.response.status_code, bytes(error.response.body or b"")) from error
        except InvalidURI as error:
            raise ServiceRefused("the base_url of the profile is no URL of a WebSocket") from error
        except (OSError, InvalidHandshake, TimeoutError, asyncio.TimeoutError) as error:
            raise ConnectError(str(error) or type(error).__name__) from error
        return cls(socket)

    def send(self, message: bytes) -> None:
        """Send a text message, behind all others."""
        self._waiting += len(message)
        if self._waiting > MOST_WAITING:
            self._socket.transport.abort()
        else:
            self._queue.put_nowait(message)

    async def read(self, take: Callable[[str | bytes], Awaitable[None]]) -> None:
        """Give each message to `take` until the connection ends, and return; raise ServiceRefused where it ended for
        good.
        """
        try:
            async for message in self._socket:
                await take(message)
        except ConnectionClosed:
            pass
        code, reason = self._socket.close_code, self._socket.close_reason or ""
        if code in _FINAL_CLOSES or any(map(is_final, reason.replace(".", " ").split())):
            raise ServiceRefused(f"the service has closed the connection: {reason[:200] or code}")

    async def close(self) -> None:
        """Return when it is closed. Idempotent."""
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        await self._socket.close()

    async def _write(self) -> None:
        try:
            while True:
                message = await self._queue.get()
                await self._socket.send(message, text=True)
                self._waiting -= len(message)
        except ConnectionClosed:
            pass  # the reader knows


def _refusal(status: int, body: bytes) -> AgentError | ConnectError:
    code, text = _error_of(body)
    sentence = f"the service answers {status}{': ' + text if text else ''}"
    if status in _FINAL_STATUSES or is_final(code):
        return ServiceRefused(f"{sentence} ({code or _FINAL_STATUSES.get(status, 'it will not change')})")
    return ConnectError(sentence)


def _error_of(body: bytes) -> tuple[str, str]:
    try:
        error = orjson.loads(body)["error"]
        return str(error.get("code") or ""), str(error.get("message") or "")[:300]
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return "", ""
