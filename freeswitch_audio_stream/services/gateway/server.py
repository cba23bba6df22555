"""``freeswitch-audio-stream gateway``: the gateway from its start to its end."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Callable, Sequence

from ...config import ConfigurationFile, Environment, Options, Source, add_options, parse_environment_file, resolve
from ...errors import AudioStreamError, SettingError
from ...web.certificate import Certificate
from ...web.connection_limits import ConnectionLimits, choose_limits, open_files
from ...web.listen_address import ListenAddress
from ...web.server import WebServer
from .agents import Profiles, create
from .app import HotPath, Parts, make_app
from .authorisation import Authorisation, check_listening
from .conversation import Conversations
from .metrics import Metrics
from .page.monitor import Monitor
from .settings import GATEWAY, GatewaySettings, keys_of
from .store.interface import Limits, SessionStore
from .store.memory import MemoryStore

_SWEEP_SECONDS = 1.0
_BYTES_PER_SECOND = 32_000
_STOP_SECONDS = 5.0


class Gateway:
    """Listens from its making, and serves from `start` to `stop`."""

    def __init__(self, settings: GatewaySettings, tell: Callable[[str], None]) -> None:
        """`tell` writes a line to the log, on any thread. Raise AudioStreamError where the settings cannot be used."""
        tenants = keys_of(settings.api_keys)
        check_listening(settings.address, tenants)
        profiles = Profiles.load(settings.agents_dir, settings.agents, settings.default_agent, settings.strict_agents)
        self._tell = tell
        self._store = _store(settings, tell)
        self._metrics = Metrics()
        self._monitor = Monitor()
        self.conversations = Conversations(self._store, lambda name: profiles.choose(name).profile, create,
                                           self._tell_of_agent, tell, self._on_fault)
        self._app = make_app(Parts(self._store, self.conversations, profiles, Authorisation(tenants), self._metrics,
                                   self._monitor, tell, self._on_fault))
        self._web = WebServer(HotPath(self._app), name="the gateway",
                              listen=ListenAddress(settings.address, settings.port),
                              limits=_connections(settings), tell=tell, on_fault=self._on_fault, tls=_tls(settings),
                              on_start=self._begin)
        self.url = f"{self._web.scheme}://{self._web.address}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Return when it serves; raise SettingError where it cannot."""
        self._web.start()

    def drain(self, seconds: float, hurry: threading.Event) -> None:
        """Accept no new sessions, and return when there are none, after so many seconds, or when `hurry` is set.

        Where other processes take over, it does not wait.
        """
        self._app.state.is_draining = True
        waited = 0.0
        while self._store.figures["sessions"] and not self._store.others and waited < seconds and not hurry.wait(0.05):
            waited += 0.05

    def stop(self) -> bool:
        """End all agents, have all polls answered, and close; return False if a thread has not ended in time."""
        self._app.state.is_draining = True
        if self._loop is not None and self._loop.is_running():
            ended = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
            ended.result(_STOP_SECONDS)
        return self._web.stop(_STOP_SECONDS)

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sweeper = self._loop.create_task(self._sweep())

    async def _sweep(self) -> None:
        await self._store.start()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                self._metrics.count("sessions_expired_total", await self._store.sweep())
            except Exception as error:
                self._on_fault(error)

    async def _end(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._monitor.is_closed = True
        self._store.release_polls()
        await self.conversations.end()
        await self._store.stop()

    def _tell_of_agent(self, text: str) -> None:
        self._metrics.count("agents_failed_total")
        self._tell(text)

    def _on_fault(self, error: BaseException) -> None:
        self._tell("defect: " + "".join(traceback.format_exception(type(error), error, error.__traceback__)).strip())


def _store(settings: GatewaySettings, tell: Callable[[str], None]) -> SessionStore:
    """Return the store of the settings; raise SettingError where there cannot be one."""
    if not settings.redis_url:
        return MemoryStore(_limits(settings))
    try:
        from .store.redis.store import RedisStore
    except ImportError as error:
        raise SettingError(f"redis-url is set, and the package redis is not there ({error}): "
                           "pip install 'freeswitch_audio_stream[gateway]'") from error
    try:
        return RedisStore(settings.redis_url, _limits(settings), prefix=settings.redis_prefix,
                          is_cluster=settings.redis_cluster, tell=tell)
    except ValueError as error:
        # Not its text, which may have a part of the password.
        raise SettingError("redis-url cannot be used: it is to be redis://[user:password@]host[:port][/database], with "
                           "what is no letter or digit in user and password as %XX") from error


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(settings.max_sessions, settings.max_sessions_per_tenant, settings.max_polls_per_session,
                  settings.max_waiting_secs * _BYTES_PER_SECOND, settings.max_unplayed_secs * _BYTES_PER_SECOND,
                  settings.piece_ms * _BYTES_PER_SECOND // 1000, settings.idle_secs)


def _connections(settings: GatewaySettings) -> ConnectionLimits:
    limits = choose_limits(settings.max_connections, settings.max_connections_per_address, open_files())
    # A FreeSWITCH is one address, and has two connections for each call.
    return limits if settings.max_connections_per_address else ConnectionLimits(limits.in_all, limits.in_all)


def _tls(settings: GatewaySettings) -> Certificate | None:
    return Certificate(settings.cert_file, settings.key_file) if settings.cert_file else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freeswitch-audio-stream gateway", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A voice gateway: a phone call over plain HTTP, answered by an agent.",
        epilog="example: freeswitch-audio-stream gateway --port 3105 --agents-dir agents.d")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, one NAME=value a line; the environment "
                        "and options override them")
    add_options(parser, GATEWAY)
    return parser


def read_settings(options: argparse.Namespace, environment: Any) -> tuple[GatewaySettings, list[str]]:
    """Return the settings, and a sentence for each text that was passed over. Raise SettingError."""
    sources: list[Source] = []
    if options.config:
        try:
            text = options.config.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"the file {options.config} of --config cannot be read: {error}") from error
        sources.append(ConfigurationFile(parse_environment_file(text, str(options.config)), str(options.config)))
    usual = Environment({"AUDIO_STREAM_GATEWAY_REDIS_URL": environment.get("REDIS_URL", "")},
                        "environment variable REDIS_URL")
    return resolve(GATEWAY, [usual, *sources, Environment(environment), Options(vars(options))])


def _print(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM, which drains; a second one does not wait. Return the exit status."""
    options = _parser().parse_args(arguments)
    signals: list[int] = []
    asked, hurry = threading.Event(), threading.Event()

    def on_signal(number: int, _: object) -> None:
        (hurry if signals else asked).set()
        signals.append(number)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        settings, complaints = read_settings(options, os.environ)
        for complaint in complaints:
            _print(complaint)
        gateway = Gateway(settings, _print)
        gateway.start()
    except AudioStreamError as error:
        print(f"The gateway cannot run: {error}", file=sys.stderr)
        return 1
    _print(f"listening on {gateway.url}")
    asked.wait()
    _print(f"draining for {settings.drain_secs} s at most: no new sessions")
    gateway.drain(settings.drain_secs, hurry)
    return 0 if gateway.stop() else 1
