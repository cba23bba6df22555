"""What the server says, as lines of the log: short ones, and not too many."""

from __future__ import annotations

import time
from typing import Callable

LONGEST_LINE = 500
"""Characters of a message; more would fill the log with what nobody reads."""

LINES_PER_SECOND = 10


class MessageLog:
    """The lines of one stream; only on its dispatcher."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`write` takes a line, for a debug log; `clock` is in seconds."""
        self._write = write
        self._clock = clock
        self._second = -1
        self._lines = 0
        self._left_out = 0

    def add(self, text: str) -> None:
        """A message has come; it is foreign text."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > LINES_PER_SECOND:
            self._left_out += 1
            return
        before = f" ({self._left_out} before it are left out)" if self._left_out else ""
        self._left_out = 0
        self._write(f"response{before}: {_line(text)}")


def _line(text: str) -> str:
    cut = text[:LONGEST_LINE]
    shown = "".join(letter if letter.isprintable() else "?" for letter in cut)
    return shown if len(text) <= LONGEST_LINE else f"{shown}… ({len(text)} characters)"
