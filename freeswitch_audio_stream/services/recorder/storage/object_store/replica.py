"""This process among the others: it says that it runs, and learns which of its recordings others have taken."""

from __future__ import annotations

import asyncio
from typing import Callable, Sequence

from ..interface import StoreError, Unfinished
from ..postgres.owners import Owners
from .store import ObjectStore

BEAT_SECONDS = 1.0
LIFE_SECONDS = 4.0
"""A replica that has not said for so long that it runs is believed to have ended; its recordings go on elsewhere then,
unless a client has asked for them before.
"""


class Replica:
    """An `Ownership`."""

    is_shared = True

    def __init__(self, store: ObjectStore, owners: Owners, tell: Callable[[str], None]) -> None:
        self._store = store
        self._owners = owners
        self._tell = tell
        self._task: asyncio.Task[None] | None = None

    async def open(self, on_lost: Callable[[str, str], None]) -> None:
        self._store.on_lost = on_lost
        await self._owners.beat(LIFE_SECONDS)
        self._task = asyncio.ensure_future(self._beat())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            held = self._store.epochs()
            try:
                owned = await self._owners.beat(LIFE_SECONDS)
            except StoreError as error:
                self._tell(f"{error}; recordings of this replica may go on elsewhere")
            else:
                self._store.check(held, owned)

    async def take(self, id: str) -> Unfinished | None:
        owned = await self._owners.take(id)
        return self._store.hold(owned) if owned is not None else None

    async def take_orphans(self) -> Sequence[Unfinished]:
        return [self._store.hold(owned) for owned in await self._owners.take_orphans()]

    async def take_ended(self) -> Sequence[str]:
        return await self._owners.take_ended()

    async def leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._owners.leave()
