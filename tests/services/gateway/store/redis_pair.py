"""Two stores on one Redis, as two processes have them, each with the leases that it was given."""

from __future__ import annotations

import asyncio
from typing import Any

from freeswitch_audio_stream.services.gateway.store.interface import Lease, Limits, Opening, SessionKey
from freeswitch_audio_stream.services.gateway.store.redis.store import RedisStore

KEY = SessionKey("tenant", "call")
OPENING = Opening("call", "tenant")


class Process:
    """What a process has of a store."""

    def __init__(self, url: str, **more: Any) -> None:
        self.log: list[str] = []
        self.store = RedisStore(url, Limits(polls_per_session=2, piece_bytes=10), tell=self.log.append, **more)
        self.leases: list[Lease] = []
        self.got_lease = asyncio.Event()
        self.store.run = self._run

    def _run(self, lease: Lease) -> None:
        self.leases.append(lease)
        self.got_lease.set()

    async def take(self, seconds: float = 0, received: int | None = None) -> Any:
        async def is_wanted() -> bool:
            return True
        return await self.store.take(KEY, seconds, None, received, is_wanted)

    def die(self) -> None:
        """Say and hear nothing any more, as a process that was killed."""
        for task in self.store._tasks:
            task.cancel()
