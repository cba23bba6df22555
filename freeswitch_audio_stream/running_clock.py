"""A clock that stands still while we do.

A process that is stopped (SIGSTOP, a debugger, a virtual machine that is moved), or that gets no processor, hears none
of its peers and answers none of them. By the time of day they all seem to have been silent for too long when it goes
on, and whatever could be waited for seems to be overdue. So pings, timeouts and deadlines count the time for which the
thread that looks after them has run.
"""

from __future__ import annotations

import time
from typing import Callable

TICK = 0.25
"""Seconds for which a thread that waits for such a clock may sleep, at most."""
_LONGEST_STEP = 2 * TICK  # a busy machine wakes us late; what is longer is taken for standing still


class RunningClock:
    """Of one thread, which reads it at least once in TICK while it waits for a time to come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` (seconds) never goes backwards."""
        self._clock = clock
        self._read_at = clock()
        self._seconds = 0.0

    def read(self) -> float:
        """Return the seconds counted so far: those since the last call, of which no more than two ticks count."""
        now = self._clock()
        self._seconds += min(now - self._read_at, _LONGEST_STEP)
        self._read_at = now
        return self._seconds
