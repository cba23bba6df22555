"""Threads for what may block: the event loop waits for none of it.

A lane is a few threads for one kind of work. What is slow of one kind waits for its like, and never uses up the threads
that another kind needs.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import Callable, TypeVar

from ..errors import CapacityRefused
from ..threads import start_thread

T = TypeVar("T")


class WorkerLane:
    """Carry out jobs of one kind, in the order in which they come, so many at a time."""

    def __init__(self, name: str, most: int, on_fault: Callable[[BaseException], None]) -> None:
        """`name` is part of its threads' names, of which there are `most` once there is that much to do; `on_fault`
        gets what a job of `submit` raises.
        """
        self._name = name
        self._most = most
        self._on_fault = on_fault
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._is_open = True

    def submit(self, job: Callable[[], object]) -> None:
        """Have `job` carried out; not after `stop`. Any thread; never blocks."""
        try:
            self._put(lambda: self._guard(job))
        except CapacityRefused:
            pass  # the end: what there is to clear up is cleared up without it

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Return what a function that may block returns; raise what it raises, or CapacityRefused after `stop`.

        It runs to its end in any case.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                result = function(*arguments)
            except BaseException as error:
                _tell(loop, future, lambda error=error: future.set_exception(error))  # type: ignore[misc]
            else:
                _tell(loop, future, lambda: future.set_result(result))
        self._put(job)
        return await future

    def stop(self, deadline: float) -> bool:
        """Finish what is queued and end; False if that did not happen by `deadline` (time.monotonic, s)."""
        with self._lock:
            self._is_open = False
            for _ in self._threads:
                self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _put(self, job: Callable[[], None]) -> None:
        with self._lock:
            if not self._is_open:
                raise CapacityRefused("the server is being shut down")
            if self._unfinished >= len(self._threads) < self._most:
                self._threads.append(start_thread(f"audio-stream-{self._name}", self._run))
            self._unfinished += 1
            self._jobs.put(job)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            with self._lock:
                self._unfinished -= 1

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
