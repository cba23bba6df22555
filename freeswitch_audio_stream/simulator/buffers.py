"""Byte buffers, and recordings of what a call has heard and said: filled by compiled code, made and read by Python."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import Samples
from ..native.atomics import int16_at, int64_at
from ..native.compiler import native_helper
from ..native.libc import copy
from .pool import Pool
from .records import BUFFER, RECORDING, buffer_at, record_at, recording_at

_MOST_RATE = 48000   # Hz
_MOST_FRAMES = 100   # a second


@native_helper
def append(buffer: int, data: int, count: int) -> bool:
    """Add `count` bytes, or nothing and False when they do not all fit."""
    b = buffer_at(buffer)
    if b.used + count > b.capacity:
        return False
    if b.used == 0:
        b.start = 0
    elif b.start + b.used + count > b.capacity:
        copy(b.data, b.data + b.start, b.used)
        b.start = 0
    copy(b.data + b.start + b.used, data, count)
    b.used += count
    return True


@native_helper
def take(buffer: int, data: int, count: int) -> int:
    """Move up to `count` of the oldest bytes to address `data`; return how many."""
    b = buffer_at(buffer)
    count = min(count, b.used)
    copy(data, b.data + b.start, count)
    discard(buffer, count)
    return count


@native_helper
def discard(buffer: int, count: int) -> None:
    """Discard the oldest `count` bytes, or all if there are fewer."""
    b = buffer_at(buffer)
    count = min(count, b.used)
    b.start += count
    b.used -= count


@native_helper
def record(recording: int, data: int, count: int, now: int) -> None:
    """Note that `count` int16 values went by at `now` ns; values beyond the capacity are counted, not kept.
    """
    r = recording_at(recording)
    kept = max(0, min(count, r.capacity - r.length))
    copy(r.samples + 2 * r.length, data, 2 * kept)
    if r.frames_length < r.frames_capacity:
        entry = int64_at(r.frames + 24 * r.frames_length, 3)
        entry[0], entry[1], entry[2] = now, r.length, count
        r.frames_length += 1
    r.length += count


@native_helper
def through(table: int, data: int, count: int) -> None:
    """Replace `count` int16 values by what a lossy codec makes of them; no table (0) loses nothing."""
    if table:
        values = int16_at(data, count)
        levels = int16_at(table, 65536)
        for i in range(count):
            values[i] = levels[values[i] + 32768]


def make_buffer(pool: Pool, capacity: int) -> int:
    """Return the address of an empty byte buffer in `pool`."""
    address = pool.alloc(BUFFER.itemsize)
    buffer = record_at(address, BUFFER)
    buffer.data, buffer.capacity = pool.alloc(capacity), capacity
    return address


class Recording:
    """One direction of a call, in memory that is kept by whoever keeps the call: compiled code appends to it."""

    def __init__(self, seconds: int) -> None:
        """It has room for `seconds` of audio of any rate; what comes later is not kept."""
        self._pool = Pool()
        self.address = self._pool.alloc(RECORDING.itemsize)
        self._record = record_at(self.address, RECORDING)
        r = self._record
        r.capacity, r.frames_capacity = seconds * _MOST_RATE, seconds * _MOST_FRAMES
        r.samples, r.frames = self._pool.alloc(2 * r.capacity), self._pool.alloc(24 * r.frames_capacity)

    def samples(self) -> Samples:
        """Return int16[n], the channels interleaved. Any thread."""
        kept = min(self._record.length, self._record.capacity)
        return _array(self._record.samples, kept, np.int16).copy()

    def frames(self) -> NDArray[np.int64]:
        """Return int64[frames, 3]: CLOCK_MONOTONIC ns, position in `samples` and length of each frame. Any thread."""
        entries = _array(self._record.frames, 3 * self._record.frames_length, np.int64)
        return entries.reshape(-1, 3).copy()


def _array(address: int, count: int, kind: Any) -> NDArray[Any]:
    size = count * np.dtype(kind).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), kind)
