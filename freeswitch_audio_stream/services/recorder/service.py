"""Puts the parts together, and takes them apart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Callable

from ...errors import SettingError
from ...web.certificate import Certificate
from ...web.connection_limits import choose_limits, open_files
from ...web.keys import Keys
from ...web.listen_address import ListenAddress
from ...web.server import WebServer
from .http.answers import session_info
from .http.app import make_app
from .http.endpoints import Endpoints
from .http.protocol import make_protocol
from .page.routes import add_page
from .sessions.sessions import Sessions
from .sessions.webhooks import Webhooks, signing_key
from .settings import AudioSettings, ServiceSettings
from .storage.file_store import FileStore
from .storage.sealing.master_keys import read_master_keys
from .storage.segments import Policy
from .storage.sqlite import SqliteCatalogue

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
        keys = read_master_keys(service.master_keys, service.master_key_file, tell)
        self._store = FileStore(Path(audio.audio_storage_path), tell, Policy(service.sync), keys)
        try:
            self._catalogue = SqliteCatalogue(self._store.folder.path / "catalogue.sqlite")
            self._endpoints = Endpoints(Keys(dict.fromkeys(service.api_keys.split(), True)),
                                        self._store.place, self._on_fault, tell)
            app = make_app(self._endpoints)
            add_page(app)
            self._server = WebServer(
                app, listen=ListenAddress(service.host, service.port),
                name="the recorder", tell=tell,
                limits=choose_limits(open_files() // 2, open_files() // 2, open_files()), on_fault=self._on_fault,
                upgrade=make_protocol(audio.max_message_size_bytes), background=self._run,
                tls=Certificate(service.cert_file, service.key_file) if service.cert_file else None)
        except BaseException:
            self._store.folder.release()
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
        webhooks = Webhooks(self._catalogue, self._service.webhook_urls.split(), self._service.webhook_secret,
                            lambda row: session_info(row, self._store.place(row.id)), self._tell)
        sessions = Sessions(self._store, self._catalogue, self._audio, self._service, webhooks, self._tell)
        tasks: list[asyncio.Future[None]] = []
        try:
            await sessions.open()
            self._endpoints.open(sessions)
            tasks = [asyncio.ensure_future(sessions.sweep()), asyncio.ensure_future(webhooks.run())]
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            webhooks.stop()
            for session in list(sessions.active.values()):
                await self._catalogue.put(session.current())
            sessions.waveforms.stop()
            await self._store.close()
            await self._catalogue.close()

    def _on_fault(self, error: BaseException) -> None:
        self._tell(f"defect: {error!r}")
