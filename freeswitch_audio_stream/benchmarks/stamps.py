"""Times hidden in audio: a stamped frame says when it passed a place, whatever carries it on.

A stamp is the time (CLOCK_MONOTONIC, microseconds) in the signs of the frame's first samples, together with a pattern
that tells it from noise. Signs survive L16 and G.711; resampling they do not.
"""

from __future__ import annotations

from ..native.atomics import bytes_at, int16_at, wide
from ..native.compiler import native_helper
from ..native.libc import monotonic_us

STAMP_SAMPLES = 63
_TIME_BITS = 48
_PATTERN = 0b101_0011_1000_1011  # of 15 bits
_LOUD = 8192
_LONGEST_US = 60_000_000  # what is older is noise that happens to have the pattern

NO_STAMP = -1


@native_helper
def stamp(samples: int, count: int) -> None:
    """Write the present time into the first of `count` int16 samples, if they are enough."""
    if count >= STAMP_SAMPLES:
        word = _PATTERN << _TIME_BITS | monotonic_us()
        data = int16_at(samples, STAMP_SAMPLES)
        for index in range(STAMP_SAMPLES):
            data[index] = -_LOUD if word >> index & 1 else _LOUD


@native_helper
def _age(word: int) -> int:
    age = monotonic_us() - (word & (1 << _TIME_BITS) - 1)
    return age if word >> _TIME_BITS == _PATTERN and 0 <= age < _LONGEST_US else NO_STAMP


@native_helper
def age_of_l16(samples: int, count: int) -> int:
    """Return how many microseconds ago `count` int16 samples were stamped, or NO_STAMP."""
    if count < STAMP_SAMPLES:
        return NO_STAMP
    data = int16_at(samples, STAMP_SAMPLES)
    word = wide(0)
    for index in range(STAMP_SAMPLES):
        word |= wide(1 if data[index] < 0 else 0) << index
    return _age(word)


@native_helper
def age_of_mulaw(codes: int, count: int) -> int:
    """The same of `count` mu-law codes, whose highest bit is set for what is not negative."""
    if count < STAMP_SAMPLES:
        return NO_STAMP
    data = bytes_at(codes, STAMP_SAMPLES)
    word = wide(0)
    for index in range(STAMP_SAMPLES):
        word |= wide(1 if data[index] < 128 else 0) << index
    return _age(word)
