"""A WebSocket server on a thread of its own: what the local servers of speech agents are made of."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Coroutine, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

_TIMEOUT = 10.0
_Self = TypeVar("_Self", bound="ServerThread")


class ServerThread:
    """Runs from `start` to `stop`, at a free port of 127.0.0.1; also a context manager. Any thread."""

    def __init__(self, name: str) -> None:
        """`name` is the thread's."""
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def start(self: _Self) -> _Self:
        """Listen."""
        self._thread.start()
        self.run(self._listen())
        return self

    def stop(self) -> None:
        """End all connections. Idempotent."""
        if self._thread.is_alive():
            self.run(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_TIMEOUT)
            self._loop.close()

    def __enter__(self: _Self) -> _Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens, once it has been started."""
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the server's thread, and wait for its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT)

    def call(self, job: Callable[[], object]) -> None:
        """Have the server's thread call something soon."""
        self._loop.call_soon_threadsafe(job)

    async def _listen(self) -> None:
        self._server = await serve(self.converse, "127.0.0.1", 0, process_request=self.admit, max_size=16 << 20,
                                   close_timeout=1)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the answer that refuses a handshake; None accepts it."""
        raise NotImplementedError

    async def converse(self, connection: ServerConnection) -> None:
        """Talk until the connection is over."""
        raise NotImplementedError
