"""Rings against a list."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from freeswitch_audio_stream.audio import RATES, Encoding
from freeswitch_audio_stream.config import STREAM
from freeswitch_audio_stream.realtime.path_format import PathFormat
from freeswitch_audio_stream.realtime.records import RING
from freeswitch_audio_stream.realtime.rings import PAGE_BYTES, page_count, read_ring, write_ring

CAPACITY = 3 * PAGE_BYTES + 100
_GUARD, _UNUSED = 0xA5, 0xFFFF


class Ring:
    """A ring of CAPACITY bytes, and the positions of its writer and its reader."""

    def __init__(self, start: int = 0) -> None:
        """`start` is the page of the first position."""
        count = page_count(CAPACITY)
        self._pages = np.full((count + 1) * PAGE_BYTES, _GUARD, np.uint8)
        self._tables: NDArray[Any] = np.full((2, count + 1), _UNUSED, np.uint16)
        self.record = np.zeros(1, RING)
        field = self.record[0]
        field["pages"], field["count"] = self._pages.ctypes.data, count
        field["table"], field["spare"] = (table.ctypes.data for table in self._tables)
        field["reclaimed"] = field["reached"] = start
        self.written = self.taken = start * PAGE_BYTES

    def put(self, data: bytes) -> None:
        octets = np.frombuffer(data + b"\0", np.uint8)
        write_ring(self.record.ctypes.data, self.written, octets.ctypes.data, len(data), self.taken)
        self.written += len(data)

    def take(self, count: int) -> bytes:
        target = np.zeros(count + 1, np.uint8)
        read_ring(target.ctypes.data, self.record.ctypes.data, self.taken, count)
        self.taken += count
        return target[:count].tobytes()

    @property
    def pages(self) -> int:
        """That have ever been in use."""
        return int(self.record[0]["fresh"])

    @property
    def is_within_its_memory(self) -> bool:
        return bool((self._pages[-PAGE_BYTES:] == _GUARD).all() and (self._tables[:, -1] == _UNUSED).all())


def text(position: int, count: int) -> bytes:
    """What is written at a position."""
    return (np.arange(position, position + count) * 7 % 251).astype(np.uint8).tobytes()


@given(st.lists(st.tuples(st.integers(0, CAPACITY), st.integers(0, CAPACITY)), max_size=40),
       st.integers(0, 1 << 40), st.integers(0, PAGE_BYTES))
def test_what_goes_in_comes_out(steps: list[tuple[int, int]], start: int, offset: int) -> None:
    ring = Ring(start)
    for offered, wanted in [(offset, offset), *steps]:
        ring.put(text(ring.written, min(offered, CAPACITY - (ring.written - ring.taken))))
        begin, count = ring.taken, min(wanted, ring.written - ring.taken)
        assert ring.take(count) == text(begin, count)
    begin, count = ring.taken, ring.written - ring.taken
    assert ring.take(count) == text(begin, count)
    assert ring.is_within_its_memory, "wrote behind its memory"


@given(st.integers(1, PAGE_BYTES), st.integers(0, 2 * PAGE_BYTES))
def test_memory_is_as_much_as_has_ever_waited(step: int, backlog: int) -> None:
    """However long the ring is, and however much goes through it."""
    ring = Ring()
    ring.put(text(0, backlog))
    for _ in range(100):
        ring.put(text(ring.written, step))
        begin = ring.taken
        assert ring.take(step) == text(begin, step)
    assert ring.pages <= -(-(backlog + step) // PAGE_BYTES) + 1


def test_pages_of_a_backlog_are_used_again() -> None:
    ring = Ring()
    for _ in range(10):
        ring.put(text(ring.written, CAPACITY))
        begin = ring.taken
        assert ring.take(CAPACITY) == text(begin, CAPACITY)
    assert ring.pages <= page_count(CAPACITY)


def test_more_than_a_ring_holds_spoils_nothing_else() -> None:
    ring = Ring()
    for _ in range(5):
        ring.put(text(ring.written, CAPACITY))
    ring.taken = ring.written
    for _ in range(5):
        ring.put(text(ring.written, CAPACITY))
    assert ring.is_within_its_memory


@pytest.mark.slow
def test_writer_and_reader_on_threads_of_their_own() -> None:
    """The reader sees every byte once, whatever the writer does with the pages meanwhile."""
    ring, total = Ring(), 4_000_000
    wrong: list[int] = []
    done = threading.Event()

    def write() -> None:
        while ring.written < total:
            room = CAPACITY - (ring.written - ring.taken)
            ring.put(text(ring.written, min(room, total - ring.written, 1234)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while ring.taken < total and not wrong:
        begin, count = ring.taken, ring.written - ring.taken
        if count and ring.take(count) != text(begin, count):
            wrong.append(begin)
            ring.taken = total  # let the writer end
    writer.join()
    assert not wrong and done.is_set()


def test_more_pages_than_can_be_numbered() -> None:
    with pytest.raises(ValueError, match="more than 65536 pages"):
        page_count(1 << 28)
    assert page_count((1 << 28) - 2 * PAGE_BYTES) == 1 << 16


def test_the_longest_queues_that_can_be_asked_for_have_their_pages() -> None:
    longest = {row.attribute: row.maximum for row in STREAM.rows}
    form = PathFormat(tracks="both", rate=max(RATES), encoding=Encoding.L16, chunk_ms=20,
                      buffer_secs=longest["buffer_secs"], playback_secs=longest["playback_secs"],
                      binary_playback=True, encapsulation="audiosocket")
    assert all(page_count(capacity) <= 1 << 16 for capacity in form.rings.values())
