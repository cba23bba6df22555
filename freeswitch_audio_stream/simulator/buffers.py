"""Byte buffers and recordings of the compiled side."""

from __future__ import annotations

from ..native.atomics import int16_at, int64_at
from ..native.compiler import native_helper
from ..native.libc import copy
from .records import buffer_at, recording_at


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
