"""One machine: a directory, and SQLite in it."""

from __future__ import annotations

from pathlib import Path
from typing import Awaitable, Callable

from ..settings import AudioSettings, ServiceSettings
from ..storage.derived import NothingDerived
from ..storage.file_store import FileStore
from ..storage.ownership import SoleOwner
from ..storage.sealing.master_keys import read_master_keys
from ..storage.segments import Policy
from ..storage.sqlite import SqliteCatalogue


class EmbeddedEngine:
    """An `Engine`."""

    def __init__(self, audio: AudioSettings, service: ServiceSettings, tell: Callable[[str], None]) -> None:
        """Repair what a crash has left. Blocks. Raise SettingError where the folder cannot be used."""
        self.ownership = SoleOwner()
        self.derived = NothingDerived()
        keys = read_master_keys(service.master_keys, service.master_key_file, tell)
        self.store = FileStore(Path(audio.audio_storage_path), tell, Policy(service.sync), keys)
        try:
            self.catalogue = SqliteCatalogue(self.store.folder.path / "catalogue.sqlite")
        except BaseException:
            self.release()
            raise

    def place(self, id: str) -> str:
        return self.store.place(id)

    def release(self) -> None:
        self.store.folder.release()

    async def open(self, delete_old: Callable[[], Awaitable[None]]) -> None:
        pass

    async def close(self) -> None:
        await self.store.close()
        await self.catalogue.close()
