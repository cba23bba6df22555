"""Durations in buckets that are 1.6 % wide, filled by compiled code from any number of threads."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
from numpy.typing import NDArray

from ..native.atomics import fetch_add
from ..native.compiler import native_helper

_SUB_BITS = 6
_SUB = 1 << _SUB_BITS
BUCKETS = _SUB * 42
"""Room for 2**46 ns, some 19 hours."""

Counts = NDArray[np.int64]
"""int64[BUCKETS]: how many durations fell into each bucket."""


@native_helper
def bucket_of(nanoseconds: int) -> int:
    """The bucket of a duration; exact below 64 ns, 64 buckets per octave above."""
    value = max(0, nanoseconds)
    octave = 0
    while value >= 2 * _SUB:
        value >>= 1
        octave += 1
    return min(BUCKETS - 1, octave * _SUB + value)


@native_helper
def count_duration(counts: int, nanoseconds: int) -> None:
    """Add one duration to the histogram at an address."""
    fetch_add(counts + 8 * bucket_of(nanoseconds), 1)


def upper_edge(bucket: int) -> int:
    """The longest duration of a bucket, in ns."""
    if bucket < 2 * _SUB:
        return bucket
    octave, value = divmod(bucket - _SUB, _SUB)
    return (value + _SUB + 1 << octave) - 1


class Quantiles(NamedTuple):
    """Milliseconds below which half, 99 % … of the durations lie; NaN without any."""

    count: int  # type: ignore[assignment]  # a field, not the tuple's method
    p50: float
    p99: float
    p999: float
    longest: float


def quantiles(counts: Counts) -> Quantiles:
    """What a histogram says, each value rounded up to the end of its bucket."""
    counts = counts.copy()  # it may be counting still
    total = int(counts.sum())
    if total == 0:
        return Quantiles(0, *[float("nan")] * 4)
    running = np.cumsum(counts)
    places = [int(np.searchsorted(running, share * total)) for share in (0.5, 0.99, 0.999)]
    places.append(int(np.flatnonzero(counts)[-1]))
    return Quantiles(total, *(upper_edge(place) / 1e6 for place in places))


def pack(counts: Counts) -> list[list[int]]:
    """Take everything out of a histogram that may be counting: ``[[bucket, count], …]``, for JSON."""
    taken = counts.copy()
    counts -= taken
    return [[int(bucket), int(taken[bucket])] for bucket in np.flatnonzero(taken)]


def unpack(packed: Sequence[Sequence[int]]) -> Counts:
    """The reverse of `pack`."""
    counts = np.zeros(BUCKETS, np.int64)
    for bucket, count in packed:
        counts[bucket] = count
    return counts
