"""Whatever has come is stored together: one object and one transaction a round, however many recordings there are.

Several rounds are under way at once, so that the time an object store takes does not limit how much it takes. Their
transactions follow each other, so what is stored of a recording has no gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Protocol

from ..interface import StoreError, Write

_ROUND_BYTES = 8 << 20
_MOST_UNDER_WAY = 6


@dataclass
class Pending:
    """A write, and who waits for it."""

    id: str
    write: Write
    future: asyncio.Future[None] = field(repr=False)

    def settle(self, error: StoreError | None) -> None:
        """Tell whoever waits."""
        if self.future.done():
            return  # whoever waited has gone
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


class Round(Protocol):
    """What is to be done for one round. Neither raises where the store fails: it tells those who wait."""

    async def upload(self) -> None:
        """Store the bytes; several rounds do so at once."""

    async def commit(self) -> None:
        """Say where the bytes are; one round after the other."""


class Rounds:
    """For an event loop."""

    def __init__(self, prepare: Callable[[list[Pending]], Round], gather_seconds: float,
                 on_fault: Callable[[BaseException], None]) -> None:
        """`prepare` returns what is to be done for a round; a round begins `gather_seconds` after its first write."""
        self._prepare = prepare
        self._gather = gather_seconds
        self._on_fault = on_fault
        self._waiting: list[Pending] = []
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: deque[asyncio.Task[None]] = deque()

    def add(self, id: str, write: Write) -> asyncio.Future[None]:
        """Return a future that is done when the write is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(Pending(id, write, future))
        self._bytes += sum(len(data) for _, data in write.parts)
        if self._bytes >= _ROUND_BYTES:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(self._gather, self._begin)
        return future

    def _begin(self) -> None:
        """Begin a round, unless so many are under way that the next end begins it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting or len(self._tasks) >= _MOST_UNDER_WAY:
            return
        batch, self._waiting, self._bytes = self._waiting, [], 0
        before = self._tasks[-1] if self._tasks else None
        task = asyncio.ensure_future(self._carry_out(self._prepare(batch), batch, before))
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    async def _carry_out(self, work: Round, batch: list[Pending], before: asyncio.Task[None] | None) -> None:
        try:
            try:
                await work.upload()
            finally:
                if before is not None:
                    await asyncio.wait({before})
            await work.commit()
        except Exception as error:  # a defect: nobody may be told that it is durable
            for pending in batch:
                pending.settle(StoreError(f"defect of the store: {error!r}"))
            self._on_fault(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.remove(task)
        self._begin()

    async def drain(self) -> None:
        """Return when all that has come is stored, or has failed."""
        while self._waiting or self._tasks:
            self._begin()
            await asyncio.wait(set(self._tasks))
