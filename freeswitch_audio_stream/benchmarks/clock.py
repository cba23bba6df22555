"""The clock that all processes of the benchmark share: CLOCK_MONOTONIC."""

from __future__ import annotations

import numpy as np

from ..native.atomics import int64_at, pointer
from ..native.compiler import native_helper
from ..native.libc import clock_gettime, two_words


@native_helper
def monotonic_ns() -> int:
    """What ``time.monotonic_ns()`` says, for compiled code."""
    time = two_words()
    clock_gettime(np.int32(1), pointer(time))
    parts = int64_at(time, 2)
    return parts[0] * 1_000_000_000 + parts[1]
