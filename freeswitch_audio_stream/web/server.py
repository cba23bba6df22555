"""A server: uvicorn on a thread of its own, from the first listening to the last connection closed."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from typing import Any, Awaitable, Callable

import uvicorn

from ..errors import SettingError
from ..threads import start_thread
from . import http_protocol
from .certificate import Certificate
from .connection_limits import ConnectionCount, ConnectionLimits
from .listen_address import ListenAddress, host_and_port
from .listener import Listener

_START_SECONDS = 10.0
_POLL_SECONDS = 0.01


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, which has its connections from a listener of ours."""

    def __init__(self, config: uvicorn.Config,
                 make_listener: Callable[[Callable[[], http_protocol.HttpProtocol]], Listener],
                 on_start: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_start = on_start
        self.listener = make_listener(lambda: http_protocol.HttpProtocol(config, self.server_state, {}))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_start()
        self.listener.open()
        await super().startup(sockets=[])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.listener.close()
        await super().shutdown()


class WebServer:
    """Serve an ASGI application from `start` to `stop`; both may be called once, on any thread."""

    def __init__(self, app: Any, *, listen: ListenAddress, limits: ConnectionLimits, name: str,
                 tell: Callable[[str], None], on_fault: Callable[[BaseException], None],
                 tls: Certificate | None = None, upgrade: type[asyncio.Protocol] | None = None,
                 on_start: Callable[[], object] = lambda: None,
                 background: Callable[[], Awaitable[None]] | None = None) -> None:
        """Listen, but accept nothing before `start`. Raise SettingError where that cannot be, or `tls` not be used.

        `name` is what the server is called in errors, in the log and, without its article, in the name of its thread,
        such as "the media server". `tell` writes a line to the log, and `on_fault` is told of defects; both are called
        on the server's thread. `upgrade` takes the connections that ask for a WebSocket, as uvicorn's `Config.ws` has
        it; None: such requests are answered as any other. `on_start` is called on the server's event loop
        before the first connection is accepted. `background` runs on that loop from its start on, and is cancelled when
        all connections are closed; the end waits for it.
        """
        self._name = name
        self._on_fault = on_fault
        self._background = background
        context = tls.context(name) if tls else None
        self.scheme = "https" if context else "http"
        self._socket = listen.listen(name)
        self.address = host_and_port(*self._socket.getsockname()[:2])
        """Host and port; the port is never 0."""
        self._uvicorn = _Uvicorn(configure(app, upgrade), lambda make: Listener(
            self._socket, make, context, limits, http_protocol.REQUEST_SECONDS, name, tell, on_fault), on_start)
        self._thread: threading.Thread | None = None

    @property
    def connections(self) -> ConnectionCount:
        """Those that are open and have not been handed over to anybody else."""
        return self._uvicorn.listener.count

    def start(self) -> None:
        """Serve from now on. Block until it does, for 10 s at most; raise SettingError where it does not."""
        words = self._name.removeprefix("the ").replace(" ", "-")
        self._thread = start_thread(f"audio-stream-{words}", self._run)
        deadline = time.monotonic() + _START_SECONDS
        while not self._uvicorn.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if not self._uvicorn.started:
            raise SettingError(f"{self._name} on {self.address} has not started: the log says why")

    def close(self) -> None:
        """Accept no more, and have requests end within a second. Never blocks; `stop` waits for it."""
        self._uvicorn.should_exit = True

    def stop(self, seconds: float) -> bool:
        """Close, and block until the thread has ended; return False if it has not after so many seconds.

        Also ends what was never started, or could not be.
        """
        self.close()
        if self._thread is not None:
            self._thread.join(max(0.0, seconds))
        self._socket.close()
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        # Not asyncio.run: whatever another script has made the policy of this process, sockets leave this loop.
        loop = asyncio.SelectorEventLoop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(self._on_loop_fault)
        try:
            if self._background is not None:
                loop.create_task(self._guard(self._background()))
            loop.run_until_complete(self._uvicorn.serve(sockets=[]))
            loop.run_until_complete(_finish(loop))
        except Exception as error:
            self._on_fault(error)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    async def _guard(self, background: Awaitable[None]) -> None:
        try:
            await background
        except Exception as error:
            self._on_fault(error)

    def _on_loop_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell what asyncio would write to a stderr that nobody reads."""
        self._on_fault(context.get("exception") or RuntimeError(context["message"]))


def configure(app: Any, upgrade: type[asyncio.Protocol] | None) -> uvicorn.Config:
    """Return uvicorn's configuration of a server of ours."""
    # No access log: it would have the tokens of all queries. Errors are told by the application.
    logger = logging.getLogger("uvicorn")
    if not logger.handlers:  # else it would get one more at every load
        logger.addHandler(logging.NullHandler())
    config = uvicorn.Config(app, http=http_protocol.HttpProtocol, ws=upgrade or "none", lifespan="off",
                            log_config=None, access_log=False, proxy_headers=False, server_header=False,
                            timeout_graceful_shutdown=1)
    config.load()
    return config


async def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """What is left on the loop: a last write, the closing of a transport."""
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
