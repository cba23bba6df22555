"""Threads for what may block: the event loop waits for none of it."""

from __future__ import annotations

import asyncio
import queue
import time
from typing import Callable, TypeVar

from ..threads import start_thread

T = TypeVar("T")
_COUNT = 4


class Workers:
    """A few threads that carry out jobs in the order in which these come."""

    def __init__(self, on_fault: Callable[[BaseException], None]) -> None:
        """`on_fault` gets what a job of `submit` lets escape."""
        self._on_fault = on_fault
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [start_thread("audio-stream-media-worker", self._run) for _ in range(_COUNT)]

    def submit(self, job: Callable[[], object]) -> None:
        """Have `job` carried out. Any thread; never blocks."""
        self._jobs.put(lambda: self._guard(job))

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """The result of a function that may block; raises what it raises. It runs to its end in any case."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                result = function(*arguments)
            except BaseException as error:
                _tell(loop, future, lambda error=error: future.set_exception(error))  # type: ignore[misc]
            else:
                _tell(loop, future, lambda: future.set_result(result))
        self._jobs.put(job)
        return await future

    def stop(self, deadline: float) -> bool:
        """Finish what is queued and end; False if that did not happen by `deadline` (time.monotonic, s)."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _guard(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:  # a defect, or a switch that is going down: the thread goes on
            self._on_fault(error)


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], settle: Callable[[], None]) -> None:
    def settle_once() -> None:
        if not future.done():
            settle()
    try:
        loop.call_soon_threadsafe(settle_once)
    except RuntimeError:
        pass  # the server has ended; nobody waits any more
