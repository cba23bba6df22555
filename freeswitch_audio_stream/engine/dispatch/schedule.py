"""Jobs for later, the next one first; what is cancelled is forgotten soon, not when its time comes."""

from __future__ import annotations

import heapq
import itertools
from typing import Callable, Iterator

Job = Callable[[], None]
_FEW = 64  # cancelled timers that are not worth a look at all others


class Timer:
    """A job for later; made by `Schedule.add`."""

    def __init__(self, job: Job, on_cancel: Job) -> None:
        self._job: Job | None = job
        self._on_cancel = on_cancel

    @property
    def is_pending(self) -> bool:
        """Whether it will still run."""
        return self._job is not None

    def cancel(self) -> None:
        """Do not run it. Only on the thread of its schedule."""
        if self._job is not None:
            self._job = None
            self._on_cancel()

    def run(self) -> None:
        """Run it, unless it was cancelled or has run."""
        job, self._job = self._job, None
        if job is not None:
            job()


class Schedule:
    """Timers of one thread, which alone may use it. Times are those of one clock, in seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0

    def __len__(self) -> int:
        """Return how many timers are kept, cancelled ones included."""
        return len(self._heap)

    def add(self, due: float, job: Job) -> Timer:
        """Have `job` run at `due`, and return what can cancel it.

        Those of one moment run in the order in which they came.
        """
        timer = Timer(job, self._cancel_one)
        heapq.heappush(self._heap, (due, next(self._order), timer))
        return timer

    def _cancel_one(self) -> None:
        """Streams that live for a second have timers for minutes: their memory must not stay for as long."""
        self._cancelled += 1
        if self._cancelled > max(_FEW, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    @property
    def next_due(self) -> float | None:
        """When the next timer is due."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> Iterator[Timer]:
        """Yield the timers that are due at `now`, each out of the schedule."""
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.is_pending:
                yield timer
            else:
                self._cancelled -= 1
