"""Rings against a list."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import natives

CAPACITY = 13


@given(st.lists(st.tuples(st.integers(0, CAPACITY), st.integers(0, CAPACITY)), max_size=40),
       st.integers(0, 5 * CAPACITY))
def test_what_goes_in_comes_out(steps: list[tuple[int, int]], start: int) -> None:
    ring = np.zeros(CAPACITY + 8, np.uint8)
    ring[CAPACITY:] = 0xA5
    written, taken = start, start
    expected = bytearray()
    heard = bytearray()
    for offered, wanted in steps:
        count = min(offered, CAPACITY - (written - taken))
        data = np.array([(written + index) % 251 for index in range(count + 1)], np.uint8)
        natives.copy_in(ring.ctypes.data, CAPACITY, written, data.ctypes.data, count)
        expected += data[:count].tobytes()
        written += count
        count = min(wanted, written - taken)
        target = np.zeros(count + 1, np.uint8)
        natives.copy_out(target.ctypes.data, ring.ctypes.data, CAPACITY, taken, count)
        heard += target[:count].tobytes()
        taken += count
    assert heard == expected[:len(heard)]
    assert (ring[CAPACITY:] == 0xA5).all(), "wrote behind its memory"
