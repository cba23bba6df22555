"""``stall``: how long media callbacks take, with and without Python threads that compute all the time."""

from __future__ import annotations

import time
from typing import Sequence

import numpy as np

from .histogram import BUCKETS, Counts, quantiles, unpack
from .results import Results, Table
from .trial import SETTLE_SECONDS, Bench
from .work import Work

GOAL_US = 200
_WHAT = {"read": "capture", "write": "capture, outbound", "playback": "playback"}


def measure(bench: Bench, works: Sequence[Work], streams: int, seconds: float, rounds: int,
            threads: Sequence[int]) -> Results:
    """Let the numbers of busy `threads` take turns under the same streams."""
    bench.switch.order("time_callbacks")
    times: dict[tuple[str, str, int], Counts] = {}
    for work in works:
        bench.receiver.reply_to_each(work.reply()) if work.two_way else bench.receiver.reply_never()
        with bench.calls(streams, work.call_rate) as calls, bench.streams(calls, work):
            for _ in range(rounds):
                for count in threads:
                    _observe(bench, work, count, seconds, times)
    return _results(bench, streams, times)


def _observe(bench: Bench, work: Work, threads: int, seconds: float, times: dict[tuple[str, str, int], Counts]
             ) -> None:
    bench.switch.order("busy", threads=threads)
    time.sleep(SETTLE_SECONDS)
    bench.switch.order("take_times")
    time.sleep(seconds)
    taken = bench.switch.order("take_times")
    bench.switch.order("busy", threads=0)
    for kind, packed in taken.items():
        counts = times.setdefault((work.label, kind, threads), np.zeros(BUCKETS, np.int64))
        counts += unpack(packed)


def _results(bench: Bench, streams: int, times: dict[tuple[str, str, int], Counts]) -> Results:
    table = Table(f"Duration of media callbacks in µs, {streams} streams, {bench.switch.name}",
                  ("", "busy threads", "callbacks", "p50", "p99", "p99.9", "max"))
    for (label, kind, threads), counts in sorted(times.items()):
        found = quantiles(counts)
        if found.count:
            table.rows.append((f"{label}: {_WHAT[kind]}", threads, found.count,
                               *(1000 * value for value in found[1:])))
    table.notes.append(f"the rule: p99.9 at most {GOAL_US} µs, and the same in both")
    return Results("stall", [table], table.records())
