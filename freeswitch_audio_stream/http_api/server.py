"""The media server: the web server with its routes, and the threads and calls behind them, until the end."""

from __future__ import annotations

import time
from typing import Any, Callable

from ..config import HttpServerSettings
from ..engine import Registry
from ..errors import SettingError
from ..web.certificate import Certificate
from ..web.connection_limits import ConnectionCount, ConnectionLimits, choose_limits, open_files
from ..web.failure_limit import FailureLimit
from ..web.listen_address import ListenAddress
from ..web.server import WebServer
from .app import Lanes, Parts, make_app
from .authorisation import Authorisation
from .calls import Originator
from .conferences import Api, Conferences
from .tokens import Tokens
from .upgrade import UpgradeProtocol


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
        self._lanes = Lanes(on_fault)
        self._conferences = Conferences(api, on_fault)
        self._originator = Originator(api, registry.calls.has, registry.execute, settings.media_server_dial_string,
                                      tell)
        parts = Parts(registry.clients, Authorisation(self.tokens, self.limit), self._lanes, self._conferences,
                      self._originator, on_fault)
        limits = _limits(settings)
        self._web = WebServer(make_app(parts), listen=_listen(settings), limits=limits,
                              name="the media server", tell=tell, on_fault=on_fault, tls=_tls(settings),
                              upgrade=UpgradeProtocol)
        self.address, self.scheme = self._web.address, self._web.scheme
        self._on_fault = on_fault
        _tell_of_less(settings, limits, tell)
        try:
            self._web.start()
        except SettingError:
            self.stop(1.0)
            raise
        registry.mint = self.tokens.mint

    @property
    def connections(self) -> ConnectionCount:
        """Those that are open, but for attached clients."""
        return self._web.connections

    def stop(self, seconds: float) -> bool:
        """End every thread; False if one did not end in time. Streams of clients should have ended before."""
        deadline = time.monotonic() + seconds
        self._registry.mint = None
        self._web.close()
        guarded = [_guarded(self._conferences.stop, self._on_fault),
                   _guarded(lambda: self._originator.stop(deadline), self._on_fault)]
        ended = self._lanes.stop(deadline)
        ended &= self._web.stop(deadline - time.monotonic())
        return ended and all(guarded)


def _guarded(step: Callable[[], Any], on_fault: Callable[[BaseException], None]) -> bool:
    try:
        return step() is not False
    except Exception as error:  # a switch that goes down may not know its commands any more
        on_fault(error)
        return True


def _limits(settings: HttpServerSettings) -> ConnectionLimits:
    return choose_limits(settings.media_server_max_connections, settings.media_server_max_connections_per_address,
                         open_files())


def _tell_of_less(settings: HttpServerSettings, limits: ConnectionLimits, tell: Callable[[str], None]) -> None:
    wanted = settings.media_server_max_connections
    if wanted > limits.in_all:
        tell(f"media-server-max-connections is {wanted}, but this process may have only {open_files()} files open, and "
             f"half of them are for calls: it is {limits.in_all}. Raise LimitNOFILE= of its systemd unit, or ulimit -n")


def _listen(settings: HttpServerSettings) -> ListenAddress:
    return ListenAddress(settings.media_server_address, settings.media_server_port,
                         "set media-server-address to an address of this machine, and media-server-port to a free "
                         "port that FreeSWITCH's user may use")


def _tls(settings: HttpServerSettings) -> Certificate | None:
    if not settings.media_server_cert_file:
        return None
    return Certificate(settings.media_server_cert_file, settings.media_server_key_file, "media-server-cert-file",
                       "media-server-key-file", "FreeSWITCH's user")
