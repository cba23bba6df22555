"""Turns for what many streams would else do at once."""

from __future__ import annotations

from typing import Callable


class Turns:
    """So many a second, one after the other. One thread."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        """`clock` is in seconds."""
        self._interval = 1 / per_second
        self._clock = clock
        self._next = 0.0

    def take(self) -> float:
        """Take the next turn, and return the seconds until it: 0 where few were taken lately."""
        now = self._clock()
        turn = max(now, self._next)
        self._next = turn + self._interval
        return turn - now
