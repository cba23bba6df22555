"""The server: uvicorn on a thread of its own, from the first listening to the last thread joined."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from typing import Any, Callable

import uvicorn

from ..config import HttpServerSettings
from ..engine import Registry
from ..errors import SettingError
from ..threads import start_thread
from ..transports.target import place
from ..web.connection_limits import ConnectionCount, ConnectionLimits, choose_limits, open_files
from ..web.failure_limit import FailureLimit
from ..web.http_protocol import REQUEST_SECONDS, HttpProtocol
from ..web.listener import Listener
from .app import Lanes, Parts, make_app
from .authorisation import Authorisation
from .calls import Originator
from .conferences import Api, Conferences
from .tokens import Tokens
from .upgrade import UpgradeProtocol

_BACKLOG = 1024  # may wait in the kernel to be accepted
_START_SECONDS = 10.0
_POLL_SECONDS = 0.01


class _Server(uvicorn.Server):
    """uvicorn's, which has its connections from a listener of ours."""

    def __init__(self, config: uvicorn.Config, make_listener: Callable[[Callable[[], HttpProtocol]], Listener]) -> None:
        super().__init__(config)
        self.listener = make_listener(lambda: HttpProtocol(config, self.server_state, {}))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.listener.open()
        await super().startup(sockets=[])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.listener.close()
        await super().shutdown()


class MediaServer:
    """Runs from its making until `stop`."""

    def __init__(self, settings: HttpServerSettings, registry: Registry, api: Api, tell: Callable[[str], None],
                 on_fault: Callable[[BaseException], None]) -> None:
        """`api` runs a command of the switch, `tell` writes to its log, `on_fault` is told of defects.

        Returns when the server listens; raises SettingError where it cannot.
        """
        self._registry = registry
        self.limit = FailureLimit()
        """Only on the event loop."""
        self.tokens = Tokens(settings.media_server_tokens, settings.media_server_token_secret,
                             settings.media_server_token_secs)
        context = _tls(settings)
        self._socket = _listen(settings)
        self.address = place(*self._socket.getsockname()[:2])
        """Host and port."""
        self.scheme = "https" if context else "http"
        self._lanes = Lanes(on_fault)
        self._conferences = Conferences(api, on_fault)
        self._originator = Originator(api, registry.calls.has, registry.execute, settings.media_server_dial_string,
                                      tell)
        parts = Parts(registry.clients, Authorisation(self.tokens, self.limit), self._lanes, self._conferences,
                      self._originator, on_fault)
        limits = _limits(settings, tell)
        self._server = _Server(_configure(make_app(parts)), lambda make: Listener(
            self._socket, make, context, limits, REQUEST_SECONDS, "the media server", tell, on_fault))
        self._on_fault = on_fault
        self._thread = start_thread("audio-stream-media-server", self._run)
        self._wait()
        registry.mint = self.tokens.mint

    @property
    def connections(self) -> ConnectionCount:
        """Those that are open, but for attached clients."""
        return self._server.listener.count

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if not self._server.started:
            self.stop(1.0)
            raise SettingError(f"the media server on {self.address} has not started: the log says why")

    def _run(self) -> None:
        # Not asyncio.run: whatever another script has made the policy of this process, sockets leave this loop.
        loop = asyncio.SelectorEventLoop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(self._on_loop_fault)
        try:
            loop.run_until_complete(self._server.serve(sockets=[]))
            loop.run_until_complete(_finish(loop))
        except Exception as error:
            self._on_fault(error)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _on_loop_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell what asyncio would write to a stderr that nobody reads."""
        self._on_fault(context.get("exception") or RuntimeError(context["message"]))

    def stop(self, seconds: float) -> bool:
        """End every thread; False if one did not end in time. Streams of clients should have ended before."""
        deadline = time.monotonic() + seconds
        self._registry.mint = None
        self._server.should_exit = True
        guarded = [_guarded(self._conferences.stop, self._on_fault),
                   _guarded(lambda: self._originator.stop(deadline), self._on_fault)]
        ended = self._lanes.stop(deadline)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self._socket.close()
        return ended and not self._thread.is_alive() and all(guarded)


def _guarded(step: Callable[[], Any], on_fault: Callable[[BaseException], None]) -> bool:
    try:
        return step() is not False
    except Exception as error:  # a switch that goes down may not know its commands any more
        on_fault(error)
        return True


async def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """What is left on the loop: a last write, the closing of a transport."""
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


def _configure(app: Any) -> uvicorn.Config:
    # No access log: it would have the tokens of all queries. Errors are told by the application.
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    config = uvicorn.Config(app, http=HttpProtocol, ws=UpgradeProtocol, lifespan="off", log_config=None,
                            access_log=False, proxy_headers=False, server_header=False, timeout_graceful_shutdown=1)
    config.load()
    return config


def _limits(settings: HttpServerSettings, tell: Callable[[str], None]) -> ConnectionLimits:
    wanted, files = settings.media_server_max_connections, open_files()
    limits = choose_limits(wanted, settings.media_server_max_connections_per_address, files)
    if wanted > limits.in_all:
        tell(f"media-server-max-connections is {wanted}, but this process may have only {files} files open, and half "
             f"of them are for calls: it is {limits.in_all}. Raise LimitNOFILE= of its systemd unit, or ulimit -n")
    return limits


def _listen(settings: HttpServerSettings) -> socket.socket:
    address, port = settings.media_server_address, settings.media_server_port
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # Who names the unspecified IPv6 address means all addresses.
        return socket.create_server((address, port), family=family, backlog=_BACKLOG,
                                    dualstack_ipv6=address == "::")
    except OSError as error:
        raise SettingError(f"the media server cannot listen on {place(address, port)}: {error.strerror or error}; set "
                           "media-server-address to an address of this machine, and media-server-port to a free "
                           "port that FreeSWITCH's user may use") from error


def _tls(settings: HttpServerSettings) -> ssl.SSLContext | None:
    if not settings.media_server_cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    key = settings.media_server_key_file or None

    def no_password() -> str:
        raise SettingError(f"the key of the media server, {key or settings.media_server_cert_file}, is encrypted: "
                           "store it without a passphrase, readable by FreeSWITCH's user only")
    try:
        context.load_cert_chain(settings.media_server_cert_file, key, no_password)
    except (OSError, ssl.SSLError) as error:
        raise SettingError("the media server cannot use its certificate and key (media-server-cert-file "
                           f"{settings.media_server_cert_file}, media-server-key-file {key or 'not set'}): "
                           f"{error.strerror or error}") from error
    return context
