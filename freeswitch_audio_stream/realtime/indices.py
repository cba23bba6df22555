"""Which of the streams' records are free.

One that was given back rests while some others are used, in case that a thread is late with it. Only then is it used
again: a record that has never been used has cost no memory yet.
"""

from __future__ import annotations

from collections import deque

from ..errors import CoreFull

_REST = 64  # that rest while there are others


class Indices:
    """Numbers from 0. Whoever calls holds a lock."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._used = 0
        self._resting: deque[int] = deque()

    def __len__(self) -> int:
        """Return how many are free."""
        return self._count - self._used + len(self._resting)

    def take(self) -> int:
        """Take a free number and return it; raise CoreFull if none is free."""
        if not len(self):
            raise CoreFull(f"all {self._count} records of the compiled core are in use")
        if len(self._resting) > _REST or self._used == self._count:
            return self._resting.popleft()
        self._used += 1
        return self._used - 1

    def give_back(self, index: int) -> None:
        """Free a number that `take` returned."""
        self._resting.append(index)
