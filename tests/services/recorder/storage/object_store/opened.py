"""An object store with all that belongs to it, opened as a service opens it; for tests."""

from __future__ import annotations

import asyncio
import uuid
from typing import Callable

import obstore
from obstore.store import S3Store

from freeswitch_audio_stream.services.recorder.storage.interface import Stored
from freeswitch_audio_stream.services.recorder.storage.object_store.objects import Objects
from freeswitch_audio_stream.services.recorder.storage.object_store.replica import Replica
from freeswitch_audio_stream.services.recorder.storage.object_store.store import ObjectStore
from freeswitch_audio_stream.services.recorder.storage.postgres.database import Database
from freeswitch_audio_stream.services.recorder.storage.postgres.owners import Owners
from freeswitch_audio_stream.services.recorder.storage.postgres.recordings import Recordings
from freeswitch_audio_stream.services.recorder.storage.postgres.schema import migrate

from ...postgres_server import PostgresServer
from ...s3_server import S3Server


class Place:
    """A database and a bucket of their own."""

    def __init__(self, postgres: PostgresServer, s3: S3Server) -> None:
        self.database = postgres.database()
        self.bucket = s3.bucket()
        self.endpoint = s3.endpoint
        asyncio.run(self._prepare())

    async def _prepare(self) -> None:
        database = Database(self.database)
        await migrate(database)
        await database.close()

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/audio"

    @property
    def s3(self) -> S3Store:
        """What knows nothing of the store's own code."""
        return S3Store(self.bucket, endpoint=self.endpoint, client_options={"allow_http": True})

    async def names(self) -> list[str]:
        """The objects that there are."""
        return sorted([found["path"] async for page in obstore.list(self.s3, "audio/") for found in page])


class OpenedStore(ObjectStore):
    """Opened by `open`, with what is unfinished; closed as a service closes it."""

    def __init__(self, place: Place, tell: Callable[[str], None]) -> None:
        self._place = place
        replica = uuid.uuid4().hex
        self.database = Database(place.database)
        self.objects = Objects(place.url, place.endpoint)
        self.known = Recordings(self.database, replica)
        self.lost: list[str] = []
        super().__init__(self.objects, self.known, tell, 0.0)
        self.ownership = Replica(self, Owners(self.database, replica), tell)

    async def open(self) -> None:
        await self.ownership.open(lambda id, why: self.lost.append(id))
        await self.ownership.take_orphans()

    async def content(self, stored: Stored) -> bytes:
        path = stored.place.removeprefix(f"s3://{self._place.bucket}/")
        return bytes(await (await obstore.get_async(self._place.s3, path)).bytes_async())

    async def close(self) -> None:
        await super().close()
        await self.ownership.leave()
        await self.database.close()
