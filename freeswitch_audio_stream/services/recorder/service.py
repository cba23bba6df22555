"""Puts the parts together, and takes them apart."""

from __future__ import annotations

import asyncio
from typing import Callable

from ...errors import SettingError
from ...web.certificate import Certificate
from ...web.connection_limits import choose_limits, open_files
from ...web.keys import Keys
from ...web.listen_address import ListenAddress
from ...web.server import WebServer
from .engines.embedded import EmbeddedEngine
from .engines.interface import Engine
from .http.answers import session_info
from .http.app import make_app
from .http.endpoints import Endpoints
from .http.protocol import make_protocol
from .page.routes import add_page
from .sessions.sessions import Sessions
from .sessions.webhooks import Webhooks, signing_key
from .settings import AudioSettings, ServiceSettings

_STOP_SECONDS = 60.0


class RecorderService:
    """A recorder from `start` to `stop`; both may be called once, on any thread, and block."""

    def __init__(self, audio: AudioSettings, service: ServiceSettings, tell: Callable[[str], None]) -> None:
        """Repair what a crash has left, and listen. Raise SettingError where that cannot be."""
        if service.webhook_urls.strip() and not service.webhook_secret:
            raise SettingError("webhooks are signed, and there is no secret to sign them with: set "
                               "RECORDER_WEBHOOK_SECRET, and have their receiver check it")
        signing_key(service.webhook_secret)
        self._audio, self._service, self._tell = audio, service, tell
        self._engine = _make_engine(audio, service, tell)
        try:
            self._endpoints = Endpoints(Keys(dict.fromkeys(service.api_keys.split(), True)),
                                        self._engine.place, self._on_fault, tell)
            app = make_app(self._endpoints)
            add_page(app)
            self._server = WebServer(
                app, listen=ListenAddress(service.host, service.port),
                name="the recorder", tell=tell,
                limits=choose_limits(open_files() // 2, open_files() // 2, open_files()), on_fault=self._on_fault,
                upgrade=make_protocol(audio.max_message_size_bytes), background=self._run,
                tls=Certificate(service.cert_file, service.key_file) if service.cert_file else None)
        except BaseException:
            self._engine.release()
            raise

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self._server.scheme}://{self._server.address}"

    def start(self) -> None:
        """Serve from now on."""
        self._server.start()

    def stop(self) -> bool:
        """End; sessions that are active go on at the next start. Return False if it has not ended within a minute."""
        return self._server.stop(_STOP_SECONDS)

    async def _run(self) -> None:
        engine = self._engine
        webhooks = Webhooks(engine.catalogue, self._service.webhook_urls.split(), self._service.webhook_secret,
                            lambda row: session_info(row, engine.place(row.id)), self._tell)
        sessions = Sessions(engine, self._audio, self._service, webhooks, self._tell)
        tasks: list[asyncio.Future[None]] = []
        try:
            await sessions.open()
            await engine.open(sessions.delete_old)
            self._endpoints.open(sessions)
            tasks = [asyncio.ensure_future(sessions.sweep()), asyncio.ensure_future(webhooks.run())]
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            webhooks.stop()
            await sessions.stop()
            await engine.close()

    def _on_fault(self, error: BaseException) -> None:
        self._tell(f"defect: {error!r}")


def _make_engine(audio: AudioSettings, service: ServiceSettings, tell: Callable[[str], None]) -> Engine:
    if bool(service.database_url) != bool(service.store_url):
        raise SettingError("recorders on many machines need a database and a store: set both RECORDER_DATABASE_URL and "
                           "RECORDER_STORE_URL, or neither")
    if not service.database_url:
        return EmbeddedEngine(audio, service, tell)
    if service.master_keys or service.master_key_file:
        raise SettingError("recordings of many machines are not encrypted by the recorder: have the store do it, and "
                           "set no master keys")
    try:
        from .engines.distributed import DistributedEngine
    except ImportError as error:
        raise SettingError(f"recorders on many machines need the extra recorder-distributed of the package ({error})"
                           ) from error
    return DistributedEngine(service, tell)
