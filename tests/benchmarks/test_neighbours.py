"""Processes that compute beside a measurement, and are gone after it."""

from __future__ import annotations

import psutil

from freeswitch_audio_stream.benchmarks.neighbours import busy_neighbours


def test_they_compute_and_end() -> None:
    mine = psutil.Process()
    before = set(mine.children())
    with busy_neighbours(2):
        neighbours = set(mine.children()) - before
        assert len(neighbours) == 2
        while not all(neighbour.cpu_times().user > 0 for neighbour in neighbours):
            pass
    assert not any(neighbour.is_running() for neighbour in neighbours)
