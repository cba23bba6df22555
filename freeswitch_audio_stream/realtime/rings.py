"""Byte and sample rings: positions that only grow, an address and a capacity.

One writer and one reader each. The writer stores data, then releases its position; the reader acquires it,
reads, then releases its own. Neither waits for the other.
"""

from __future__ import annotations

from .compiler import native_helper
from .libc import copy


@native_helper
def copy_in(ring: int, capacity: int, position: int, source: int, count: int) -> None:
    """Copy `count` bytes from memory to a ring at byte `position`; `count` is at most `capacity`."""
    offset = position % capacity
    first = min(count, capacity - offset)
    copy(ring + offset, source, first)
    copy(ring, source + first, count - first)


@native_helper
def copy_out(target: int, ring: int, capacity: int, position: int, count: int) -> None:
    """Copy `count` bytes at byte `position` of a ring to memory."""
    offset = position % capacity
    first = min(count, capacity - offset)
    copy(target, ring + offset, first)
    copy(target + first, ring, count - first)
