"""One thread that makes durable whatever has come while it made the last durable: group commit.

However many recordings there are, a round costs one `fdatasync`.
"""

from __future__ import annotations

import asyncio
import queue
from dataclasses import dataclass, field
from typing import Any, Callable, Generic, Sequence, TypeVar

from ....threads import start_thread
from .interface import StoreError

J = TypeVar("J")
_ROUND_BYTES = 32 << 20
_ROUND_JOBS = 4096


@dataclass
class Pending(Generic[J]):
    """A job, and who waits for it."""

    job: J
    size: int
    """Bytes, about."""
    future: asyncio.Future[Any] = field(repr=False)
    result: Any = None
    error: BaseException | None = None


class Committer(Generic[J]):
    """Hand jobs in rounds to `commit`, which sets the error of each that has failed; in the order in which they come.

    `submit` is for an event loop; `commit` and `idle` run on the thread.
    """

    def __init__(self, commit: Callable[[Sequence[Pending[J]]], None], idle: Callable[[], None],
                 idle_seconds: float | None) -> None:
        """`idle` is called where nothing has come for `idle_seconds`; None: never."""
        self._commit = commit
        self._idle = idle
        self._idle_seconds = idle_seconds
        self._queue: queue.SimpleQueue[Pending[J] | None] = queue.SimpleQueue()
        self._is_open = True
        self._thread = start_thread("audio-stream-commit", self._run)

    def submit(self, job: J, size: int = 0) -> asyncio.Future[Any]:
        """Return a future that is done when the job's round is durable, with its result, or has the job's error."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._is_open:
            self._queue.put(Pending(job, size, future))
        else:
            future.set_exception(StoreError("the service is being shut down: connect again in a moment"))
        return future

    def stop(self) -> None:
        """Carry out what has been submitted, and end. Blocks."""
        self._is_open = False
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_running = True
        while is_running:
            try:
                first = self._queue.get(timeout=self._idle_seconds)
            except queue.Empty:
                self._idle()
                continue
            batch, is_running = self._round(first)
            if batch:
                self._carry_out(batch)

    def _round(self, first: Pending[J] | None) -> tuple[list[Pending[J]], bool]:
        batch: list[Pending[J]] = []
        size, following = 0, first
        while following is not None:
            batch.append(following)
            size += following.size
            if size >= _ROUND_BYTES or len(batch) >= _ROUND_JOBS:
                return batch, True
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _carry_out(self, batch: list[Pending[J]]) -> None:
        try:
            self._commit(batch)
        except Exception as error:  # a defect: nobody may be told that it is durable
            for pending in batch:
                pending.error = pending.error or error
        try:
            batch[0].future.get_loop().call_soon_threadsafe(_settle, batch)
        except RuntimeError:
            pass  # the loop has ended; nobody waits any more


def _settle(batch: Sequence[Pending[Any]]) -> None:
    for pending in batch:
        if pending.future.done():
            continue  # whoever waited has gone
        if pending.error is not None:
            pending.future.set_exception(pending.error)
        else:
            pending.future.set_result(pending.result)
