"""``latency``: how old audio is when it arrives, in both directions, told by times hidden in the audio itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Sequence

from ..histogram import Counts, Quantiles, quantiles, unpack
from ..receiver.receiver import Heard
from ..report import goals
from ..report.results import Curve, Results, Table
from ..switches.switch_process import order_for
from ..work import Work
from .trial import Bench, progress

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
            rounds: int, busy: int = 0) -> Results:
    """For every number of streams and every work whose audio keeps its stamps; `busy` processes compute beside it."""
    stamped = [work for work in works if work.stamps]
    found: list[Latency] = []
    for count in counts:
        rows: dict[tuple[str, str], Latency] = {}
        for _ in range(rounds):
            for work in stamped:
                _observe(ours, work, count, seconds, rows)
                if peer is not None and peer.module.can(work):
                    _observe(peer, work, count, seconds, rows)
        found += rows.values()
    return _results(found, ours.switch.name, len(stamped) < len(works), busy)


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
        bench.settle()
        bench.switch.order("take_ages")
        heard: Heard = bench.observe(seconds, count).heard
        down: Counts = unpack(bench.switch.order("take_ages"))
        receiver.look_for_stamps()
        receiver.reply_never()
        bench.switch.order("remove")
    row.up.append(heard.ages)
    row.gaps.append(heard.gaps)
    row.unread += heard.unread
    progress(f"{count} streams, round {len(row.up)}, {row.who} {row.label}: p99 {heard.ages.p99:.2f} ms")
    if work.two_way:
        row.down.append(quantiles(down))


UP, DOWN, GAP = "callback to receiver", "server to caller's frame", "gap between frames"


def _results(rows: Sequence[Latency], switch: str, some_left_out: bool, busy: int) -> Results:
    table = Table(f"Latency in ms, {switch}", ("", "streams", "frames", "p50", "p99", "p99.9", "max"))
    results = Results("latency", [table], [vars(row) for row in rows])
    curves: dict[str, Curve] = {}
    wanted: list[goals.Goal] = []
    for row in rows:
        for what, found in ((UP, row.up), (DOWN, row.down), (GAP, row.gaps)):
            table.rows += [(f"{row.who} {row.label}: {what}", row.streams, *one) for one in found]
            if found:
                curve = curves.setdefault(f"{row.who} {row.label}: {what}",
                                          Curve(f"p99 {what} (ms)", f"{row.who} {row.label}"))
                curve.add(row.streams, median(one.p99 for one in found))
        if row.who == "ours":
            wanted += _goals(row) if not busy else _against_peer(row, rows)
        if row.unread:
            table.notes.append(f"{row.who} {row.label}: {row.unread} frames without a stamp")
    if busy:
        table.notes.append(f"beside {busy} processes that compute all the time")
    if some_left_out:
        table.notes.append("resampled work is left out: the times do not survive it")
    results.curves = list(curves.values())
    results.tables.append(goals.table(wanted))
    return results


def _against_peer(row: Latency, rows: Sequence[Latency]) -> list[goals.Goal]:
    """What is asked beside busy neighbours: no more than the peer's under the same streams."""
    found: list[goals.Goal] = []
    for other in rows:
        if other.who != row.who and (other.label, other.streams) == (row.label, row.streams):
            for what, mine, its in ((UP, row.up, other.up), (GAP, row.gaps, other.gaps)):
                ratio = median(one.p99 for one in mine) / median(one.p99 for one in its)
                found.append(goals.beside_neighbours(f"{row.label}, {row.streams} streams: {what}, p99", ratio))
    return found


def _goals(row: Latency) -> list[goals.Goal]:
    what = f"{row.label}, {row.streams} streams"
    wanted = goals.of_latency(f"{what}: {UP}", median(one.p50 for one in row.up), median(one.p99 for one in row.up))
    if row.down:
        wanted.append(goals.of_playback_latency(f"{what}: {DOWN}", median(one.p99 for one in row.down)))
    return wanted
