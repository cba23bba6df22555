"""Queues of bytes or samples in shared memory: positions that only grow, one writer and one reader each.

The writer stores data, then releases its position; the reader acquires it, reads, then releases its own. Neither
waits for the other.

A ring that is as long as the worst outage would be written from end to end even while it holds next to nothing, and
all its memory would become resident. So what it holds lies in pages, and a page that was read to its end is the next
to be written: a queue takes as many as it has ever held at once. Only the writer hands out pages; the reader finds
them by a table whose entries are stored before the position which leads to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..native.atomics import uint16_at, wide
from ..native.compiler import native, native_helper
from ..native.libc import copy
from .records import ring_at

_MOST_PAGES = 1 << 16  # they are numbered by ENTRY_BYTES
ENTRY_BYTES = 2  # of the tables: uint16
PAGE_BYTES = 4096  # no sample time lies across two pages: it has 2 or 4 bytes


def page_count(capacity: int) -> int:
    """Pages that a ring needs which holds `capacity` bytes, wherever they begin and end. ValueError for too many."""
    count = capacity // PAGE_BYTES + 2
    if count > _MOST_PAGES:
        raise ValueError(f"a queue of {capacity} bytes needs more than {_MOST_PAGES} pages")
    return count


@native_helper
def _place(record: Any, position: int) -> int:
    """The address of the byte at `position`, which has a page."""
    page = uint16_at(record.table, record.count)[position // PAGE_BYTES % record.count]
    return record.pages + wide(page) * PAGE_BYTES + position % PAGE_BYTES


@native_helper
def _give_page(record: Any, taken: int) -> None:
    """Let the next stretch of positions have a page: best the one that was in use last. Only the writer.

    There always is one, if the ring holds no more than it may; else what it holds is spoilt, and nothing beside it.
    """
    table, spare = uint16_at(record.table, record.count), uint16_at(record.spare, record.count)
    while record.reclaimed < taken // PAGE_BYTES:
        if record.spares < record.count:
            spare[record.spares] = table[record.reclaimed % record.count]
            record.spares += 1
        record.reclaimed += 1
    entry = record.reached % record.count
    if record.spares > 0:
        record.spares -= 1
        table[entry] = spare[record.spares]
    else:
        table[entry] = np.uint16(record.fresh % record.count)
        record.fresh += 1
    record.reached += 1


@native_helper
def copy_in(ring: int, position: int, source: int, count: int, taken: int) -> None:
    """Copy `count` bytes from memory to a ring at byte `position`, where the last ones ended. What was written before
    byte `taken` has been read; from there on there are at most as many as the ring holds, these included.
    """
    record = ring_at(ring)
    end = position + count
    while position < end:
        if position // PAGE_BYTES == record.reached:
            _give_page(record, taken)
        part = min(end - position, PAGE_BYTES - position % PAGE_BYTES)
        copy(_place(record, position), source, part)
        position += part
        source += part


@native_helper
def copy_out(target: int, ring: int, position: int, count: int) -> None:
    """Copy `count` bytes at byte `position` of a ring to memory."""
    record = ring_at(ring)
    end = position + count
    while position < end:
        part = min(end - position, PAGE_BYTES - position % PAGE_BYTES)
        copy(target, _place(record, position), part)
        position += part
        target += part


@native("void(int64, int64, int64, int64, int64)")
def write_ring(ring: int, position: int, source: int, count: int, taken: int) -> None:
    """`copy_in` from Python."""
    copy_in(ring, position, source, count, taken)


@native("void(int64, int64, int64, int64)")
def read_ring(target: int, ring: int, position: int, count: int) -> None:
    """`copy_out` to Python."""
    copy_out(target, ring, position, count)
