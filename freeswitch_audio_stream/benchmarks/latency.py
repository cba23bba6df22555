"""``latency``: how old audio is when it arrives, in both directions, told by times hidden in the audio itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Sequence


from .histogram import Counts, Quantiles, quantiles, unpack
from .receiver import Heard
from .results import Curve, Results, Table
from .switches import order_for
from .trial import SETTLE_SECONDS, Bench
from .work import Work

REPLY_SECONDS = 0.5
"""Between two replies to a stream, at least; each finds an empty queue."""


@dataclass
class Latency:
    """Of one contender."""

    who: str
    label: str
    streams: int
    up: list[Quantiles] = field(default_factory=list)
    down: list[Quantiles] = field(default_factory=list)
    gaps: list[Quantiles] = field(default_factory=list)
    unread: int = 0


def measure(ours: Bench, peer: Bench | None, works: Sequence[Work], counts: Sequence[int], seconds: float,
            rounds: int) -> Results:
    """For every number of streams and every work whose audio keeps its stamps."""
    stamped = [work for work in works if work.stamps]
    found: list[Latency] = []
    for count in counts:
        rows: dict[tuple[str, str], Latency] = {}
        for _ in range(rounds):
            for work in stamped:
                _observe(ours, work, count, seconds, rows)
                if peer is not None and work.format in peer.module.formats and not work.two_way:
                    _observe(peer, work, count, seconds, rows)
        found += rows.values()
    return _results(found, ours.switch.name, len(stamped) < len(works))


def _observe(bench: Bench, work: Work, count: int, seconds: float, rows: dict[tuple[str, str], Latency]) -> None:
    row = rows.setdefault((bench.module.name, work.label), Latency(bench.module.name, work.label, count))
    receiver = bench.receiver
    receiver.reply_never()
    with bench.calls(count, work.call_rate) as calls, bench.streams(calls, work):
        # Behind the stream's own bugs: FreeSWITCH shows nothing to a bug that is added behind native taps alone.
        order_for(bench.switch, "stamp", calls)
        if work.two_way:
            order_for(bench.switch, "listen", calls)
            receiver.reply_at_times(work.reply(), REPLY_SECONDS)
        receiver.look_for_stamps(work.stamps)
        time.sleep(SETTLE_SECONDS)
        bench.switch.order("take_ages")
        heard: Heard = bench.observe(seconds, count).heard
        down: Counts = unpack(bench.switch.order("take_ages"))
        receiver.look_for_stamps()
        receiver.reply_never()
        bench.switch.order("remove")
    row.up.append(heard.ages)
    row.gaps.append(heard.gaps)
    row.unread += heard.unread
    if work.two_way:
        row.down.append(quantiles(down))


def _results(rows: Sequence[Latency], switch: str, some_left_out: bool) -> Results:
    table = Table(f"Latency in ms, {switch}", ("", "streams", "frames", "p50", "p99", "p99.9", "max"))
    curves: dict[str, Curve] = {}
    for row in rows:
        for what, found in (("callback to receiver", row.up), ("server to caller's frame", row.down),
                            ("gap between frames", row.gaps)):
            for one in found:
                table.rows.append((f"{row.who} {row.label}: {what}", row.streams, *one))
                curve = curves.setdefault(f"{row.who} {row.label}: {what}",
                                          Curve(f"p99 {what} (ms)", f"{row.who} {row.label}"))
                curve.add(row.streams, one.p99)
        if row.unread:
            table.notes.append(f"{row.who} {row.label}: {row.unread} frames without a stamp")
    if some_left_out:
        table.notes.append("resampled work is left out: the times do not survive it")
    return Results("latency", [table], [vars(row) for row in rows], list(curves.values()))
