"""``stall``: how long media callbacks take, with and without Python threads that compute all the time."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from ..histogram import BUCKETS, Counts, quantiles, unpack
from ..report import goals
from ..report.results import Results, Table
from ..work import Work
from .trial import Bench

_WHAT = {"read": "capture", "write": "capture, outbound", "playback": "playback"}


def measure(bench: Bench, works: Sequence[Work], streams: int, seconds: float, rounds: int,
            threads: Sequence[int]) -> Results:
    """Let the numbers of busy `threads` take turns under the same streams."""
    bench.switch.order("time_callbacks")
    times: dict[tuple[str, str, int], Counts] = {}
    for work in works:
        bench.reply(work)
        with bench.calls(streams, work.call_rate) as calls, bench.streams(calls, work):
            for _ in range(rounds):
                for count in threads:
                    _observe(bench, work, count, seconds, times)
    return _results(bench, streams, times)


def _observe(bench: Bench, work: Work, threads: int, seconds: float, times: dict[tuple[str, str, int], Counts]
             ) -> None:
    bench.switch.order("busy", threads=threads)
    bench.settle()
    bench.switch.order("take_times")
    bench.let_pass(seconds)
    taken = bench.switch.order("take_times")
    bench.switch.order("busy", threads=0)
    for kind, packed in taken.items():
        counts = times.setdefault((work.label, kind, threads), np.zeros(BUCKETS, np.int64))
        counts += unpack(packed)


def _results(bench: Bench, streams: int, times: dict[tuple[str, str, int], Counts]) -> Results:
    table = Table(f"Duration of media callbacks in µs, {streams} streams, {bench.switch.name}",
                  ("", "busy threads", "callbacks", "p50", "p99", "p99.9", "max"))
    wanted: list[goals.Goal] = []
    alone: dict[str, float] = {}
    for (label, kind, threads), counts in sorted(times.items()):
        found = quantiles(counts)
        if found.count:
            what = f"{label}: {_WHAT[kind]}"
            table.rows.append((what, threads, found.count, *(1000 * value for value in found[1:])))
            if threads == 0:
                alone[what] = found.p999
            before = alone.get(what)
            wanted += goals.of_stall(what, found.p999, found.p999 / before if before else None, threads)
    return Results("stall", [table, goals.table(wanted)], table.records())
