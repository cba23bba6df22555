"""Dispatchers: one Python thread per worker of the core, on which its streams live.

Everything a stream does after its start happens on its dispatcher, one thing after the other, so a stream needs no
lock of its own. Nothing a dispatcher runs may wait for the network.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Callable

from ...realtime.core import Worker
from ...running_clock import TICK, RunningClock
from ...threads import start_thread
from .schedule import Job, Schedule, Timer
from .turns import Turns

_MAX_SLEEP = 3600.0
RECONNECTS_PER_SECOND = 100
"""Of the streams of one dispatcher: a handshake takes milliseconds of processor here, and as much at the server."""


class Dispatcher:
    """One thread that looks after streams: their attention bits, their timers, and jobs from other threads."""

    def __init__(self, worker: Worker, on_fault: Callable[[BaseException], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        """`on_fault` gets what a job lets escape, which is always a defect of ours, and what `report` is told. `clock`
        is in seconds.
        """
        self.worker = worker
        self._on_fault = on_fault
        self._handlers: dict[int, Callable[[], None]] = {}
        self._jobs: deque[Job] = deque()
        self._schedule = Schedule()
        self._clock = RunningClock(clock)
        self.reconnects = Turns(RECONNECTS_PER_SECOND, self.now)
        """When streams that have lost their connections may try to make them again."""
        self._stopping = False
        self.on_wake: Job | None = None
        """Run at every wake-up, before anything else."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; once."""
        self._thread = start_thread("audio-stream-dispatcher", self._run)

    def stop(self, deadline: float) -> bool:
        """Finish the jobs queued so far and end; return whether that happened by `deadline` (time.monotonic, s)."""
        if self._thread is None:
            return True
        self.post(self._stop)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _stop(self) -> None:
        self._stopping = True

    def report(self, defect: BaseException) -> None:
        """Report a defect of ours that stops nothing. Any thread."""
        self._on_fault(defect)

    def post(self, job: Job) -> None:
        """Run `job` soon on the dispatcher's thread. Any thread."""
        self._jobs.append(job)
        self.worker.dispatch_queue.wake()

    def enqueue(self, job: Job) -> None:
        """As `post`, but only on the dispatcher's own thread, which is awake."""
        self._jobs.append(job)

    def now(self) -> float:
        """Return the seconds for which the dispatcher has run. Only on its own thread."""
        return self._clock.read()

    def call_later(self, seconds: float, job: Job) -> Timer:
        """Run `job` in `seconds`, of which only those count in which we run, unless the timer returned is cancelled.
        Only on the dispatcher's own thread.
        """
        return self._schedule.add(self.now() + seconds, job)

    def adopt(self, index: int, handler: Callable[[], None]) -> None:
        """Call `handler` whenever the core's stream `index` wants attention. Any thread."""
        self._handlers[index] = handler

    def forget(self, index: int) -> None:
        """Undo `adopt`."""
        self._handlers.pop(index, None)

    def _run(self) -> None:
        while not self._stopping:
            self.worker.dispatch_queue.wait(self._sleep())
            if self.on_wake is not None:
                self._guard(self.on_wake)
            for index in self.worker.dispatch_queue.take():
                handler = self._handlers.get(index)
                if handler is not None:
                    self._guard(handler)
            for _ in range(len(self._jobs)):
                self._guard(self._jobs.popleft())
            self._run_timers()

    def _sleep(self) -> float:
        if self._jobs:
            return 0.0
        due = self._schedule.next_due
        return _MAX_SLEEP if due is None else min(max(0.0, due - self.now()), TICK)

    def _run_timers(self) -> None:
        for timer in self._schedule.take_due(self.now()):
            self._guard(timer.run)

    def _guard(self, job: Job) -> None:
        try:
            job()
        except Exception as error:  # a defect in one stream must not stop the others
            self._on_fault(error)
