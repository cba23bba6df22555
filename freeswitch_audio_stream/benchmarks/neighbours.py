"""Noisy neighbours: processes that compute all the time, at the priority that a process has by itself."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import Iterator

_END_SECONDS = 10.0
_COMPUTE = "while True: pass"


@contextmanager
def busy_neighbours(count: int) -> Iterator[None]:
    """So many of them, each of one thread, until the end."""
    with ExitStack() as ends:
        for _ in range(count):
            ends.callback(_end, subprocess.Popen([sys.executable, "-S", "-c", _COMPUTE], stdin=subprocess.DEVNULL))
        yield


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(_END_SECONDS)
