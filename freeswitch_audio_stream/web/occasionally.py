"""What may happen any number of times a second is told once a minute."""

from __future__ import annotations

import time
from typing import Callable

SECONDS = 60.0


class Occasionally:
    """Tell the first of many alike, and after a minute how many there have been since. One thread."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._next = float("-inf")
        self._untold = 0

    def tell(self, text: str) -> None:
        """Write `text` to the log, unless that was done within the last minute; then count it."""
        now = self._clock()
        if now < self._next:
            self._untold += 1
            return
        self._tell(f"{text} ({self._untold} times more since this was last told)" if self._untold else text)
        self._next, self._untold = now + SECONDS, 0
