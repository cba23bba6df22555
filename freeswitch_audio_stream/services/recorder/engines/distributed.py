"""Many machines: an object store, and PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from typing import Awaitable, Callable

from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from ....errors import SettingError
from ..jobs.queue import JobQueue
from ..jobs.work import Work
from ..settings import ServiceSettings
from ..storage.interface import StoreError
from ..storage.object_store.objects import Objects
from ..storage.object_store.replica import Replica
from ..storage.object_store.store import ObjectStore
from ..storage.postgres.catalogue import PostgresCatalogue
from ..storage.postgres.database import Database
from ..storage.postgres.owners import Owners
from ..storage.postgres.recordings import Recordings
from ..storage.postgres.schema import migrate

_PROBE = "probe"


class DistributedEngine:
    """An `Engine`."""

    def __init__(self, service: ServiceSettings, tell: Callable[[str], None]) -> None:
        """Bring the database to the present, and see whether the bucket can be written to. Blocks. Raise SettingError
        where that cannot be.
        """
        replica = uuid.uuid4().hex
        objects = Objects(service.store_url, service.store_endpoint)
        asyncio.run(_prepare(service.database_url, objects))
        self._database = Database(service.database_url)
        self.catalogue = PostgresCatalogue(self._database)
        recordings = Recordings(self._database, replica)
        self.store = ObjectStore(objects, recordings, tell, service.gather_ms / 1000)
        self.derived = self.store.derived
        self._jobs = JobQueue(service.database_url, Work(self.store, recordings), recordings,
                              service.encode.split(), tell)
        self.store.compose, self.store.join = self._jobs.compose, self._jobs.join
        self.ownership = Replica(self.store, Owners(self._database, replica), tell)

    def place(self, id: str) -> str:
        return self.store.place(id)

    def release(self) -> None:
        pass

    async def open(self, delete_old: Callable[[], Awaitable[None]]) -> None:
        await self._jobs.open(delete_old)

    async def close(self) -> None:
        await self.store.close()
        await self._jobs.close()
        await self.ownership.leave()
        await self.catalogue.close()
        await self._database.close()


async def _prepare(url: str, objects: Objects) -> None:
    database = Database(url)
    try:
        await migrate(database)
        await objects.put(_PROBE, b"written when a recorder starts")
    except StoreError as error:
        raise SettingError(str(error)) from error
    except (SQLAlchemyError, PostgresError) as error:
        raise SettingError(f"the database refuses: {next(iter(str(error).splitlines()))}") from error
    finally:
        await database.close()
