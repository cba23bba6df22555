"""``cost``: microseconds of CPU in the switch per stream and 20 ms frame, the calls' own cost subtracted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import Iterator, Sequence

from . import floor
from .processes import CpuTime, mean
from .results import Curve, Results, Table
from .statistics import compare, growth, per_frame
from .switches import order_for
from .trial import SETTLE_SECONDS, Bench
from .work import FRAMES_PER_SECOND, Work

BARE = "bare bug"
FLOOR = "floor: send(2)"


@dataclass
class Row:
    """One contender with one number of streams, over the rounds; µs per frame."""

    who: str
    label: str
    streams: int
    user: list[float] = field(default_factory=list)
    system: list[float] = field(default_factory=list)
    receiver: list[float] = field(default_factory=list)
    p99_gap: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def totals(self) -> list[float]:
        """User and system time of each round."""
        return [user + system for user, system in zip(self.user, self.system)]


class Cost:
    """The rounds of one number of streams."""

    def __init__(self, ours: Bench, peer: Bench | None, works: Sequence[Work], streams: int, seconds: float) -> None:
        self._ours = ours
        self._peer = peer
        self._works = works
        self._streams = streams
        self._seconds = seconds
        self.rows: dict[tuple[str, str], Row] = {}

    def run(self, rounds: int) -> list[Row]:
        """Let everybody take turns."""
        for _ in range(rounds):
            for rate in sorted({work.call_rate for work in self._works}):
                works = [work for work in self._works if work.call_rate == rate]
                self._turn(self._ours, works, rate, bare=True)
                if self._peer is not None:
                    self._turn(self._peer, list(peers_of(works)), rate, bare=False)
                self._floor(Work("binary", False, rate, rate))
        return list(self.rows.values())

    def _row(self, who: str, label: str) -> Row:
        return self.rows.setdefault((who, label), Row(who, label, self._streams))

    def _turn(self, bench: Bench, works: Sequence[Work], rate: int, bare: bool) -> None:
        """One contender's turn; before and after each work the calls are observed alone."""
        with bench.calls(self._streams, rate) as calls:
            idle = self._idle(bench)
            if bare:
                idle = self._bare(bench, calls, rate, idle)
            for work in works:
                if work.two_way:
                    bench.receiver.reply_to_each(work.reply())
                with bench.streams(calls, work):
                    seen = bench.observe(self._seconds, self._streams)
                after = self._idle(bench)
                row = self._row(bench.module.name, work.label)
                self._add(row, seen.cpu, mean(idle, after), seen.heard.frames)
                row.receiver.append(per_frame(seen.receiver_cpu.total, 0.0, seen.heard.frames))
                row.p99_gap.append(seen.heard.gaps.p99)
                row.lost += max(0, seen.lost - self._streams)
                idle = after

    def _idle(self, bench: Bench) -> CpuTime:
        bench.receiver.reply_never()
        return bench.observe(self._seconds, 0).cpu

    def _bare(self, bench: Bench, calls: Sequence[str], rate: int, before: CpuTime) -> CpuTime:
        order_for(bench.switch, "bare", calls)
        time.sleep(SETTLE_SECONDS)
        cpu = bench.observe(self._seconds, 0).cpu
        bench.switch.order("remove")
        after = self._idle(bench)
        frames = round(self._streams * self._seconds * FRAMES_PER_SECOND)
        self._add(self._row(BARE, f"{rate}"), cpu, mean(before, after), frames)
        return after

    def _floor(self, work: Work) -> None:
        receiver = self._ours.receiver
        receiver.reply_never()
        used = floor.measure(receiver.port, self._streams, work.message_bytes, self._seconds)
        receiver.wait_for_ends(10.0)
        self._add(self._row(FLOOR, f"{work.rate}"), CpuTime(used.user + used.system, used.user), CpuTime(0.0, 0.0),
                  used.frames)

    @staticmethod
    def _add(row: Row, busy: CpuTime, idle: CpuTime, frames: int) -> None:
        row.user.append(per_frame(busy.user, idle.user, frames))
        row.system.append(per_frame(busy.total - busy.user, idle.total - idle.user, frames))


def peers_of(works: Sequence[Work]) -> Iterator[Work]:
    """What the peer does beside these: binary, one way, at the call's rate and at every rate on the wire."""
    rates = {work.call_rate for work in works} | {work.rate for work in works}
    for rate in sorted(rates):
        yield Work("binary", False, works[0].call_rate, rate)


def measure(ours: Bench, peer: Bench | None, works: Sequence[Work], counts: Sequence[int], seconds: float,
            rounds: int) -> Results:
    """For every number of streams, one after the other."""
    results = Results("cost", [])
    by_count = []
    for count in counts:
        rows = Cost(ours, peer, works, count, seconds).run(rounds)
        by_count.append(rows)
        results.tables.append(_table(rows, count, ours.switch.name, rounds))
        results.rounds += [vars(row) for row in rows]
    results.curves = _curves(by_count)
    results.tables += [_growth(results.curves, counts)] if len(counts) > 1 else []
    return results


def _reference(rows: Sequence[Row]) -> Row | None:
    """The peer's plainest work."""
    return next((row for row in rows if row.who == "peer"), None)


def _table(rows: Sequence[Row], count: int, switch: str, rounds: int) -> Table:
    table = Table(f"CPU per stream and frame, {count} streams, {switch}, medians of {rounds}",
                  ("", "user µs", "system µs", "total µs", "of the peer", "of bug+floor", "receiver µs", "p99 gap ms",
                   "lost"))
    peer = _reference(rows)
    least = _least(rows)
    for row in rows:
        totals = row.totals
        ratio = compare(totals, peer.totals).ratio if peer and len(peer.totals) == len(totals) else None
        share = compare(totals, least).ratio if row.who not in (BARE, FLOOR) and len(least) == len(totals) else None
        table.rows.append((f"{row.who} {row.label}", median(row.user), median(row.system), median(totals), ratio, share,
                           median(row.receiver) if row.receiver else None,
                           median(row.p99_gap) if row.p99_gap else None, row.lost))
    if peer:
        table.notes.append(f"of the peer: the median of the rounds' ratios to 'peer {peer.label}'")
    return table


def _least(rows: Sequence[Row]) -> list[float]:
    """The bare bug and the floor together, round by round."""
    bare = next((row.totals for row in rows if row.who == BARE), [])
    sending = next((row.totals for row in rows if row.who == FLOOR), [])
    return [bug + send for bug, send in zip(bare, sending)]


def _curves(by_count: Sequence[Sequence[Row]]) -> list[Curve]:
    curves: dict[tuple[str, str], Curve] = {}
    for rows in by_count:
        for row in rows:
            label = f"{row.who} {row.label}"
            cost = curves.setdefault((label, "cost"), Curve("CPU per frame (µs)", label))
            cost.add(row.streams, median(row.totals))
            if row.p99_gap:
                gap = curves.setdefault((label, "gap"), Curve("p99 gap between frames (ms)", label))
                gap.add(row.streams, median(row.p99_gap))
    return list(curves.values())


def _growth(curves: Sequence[Curve], counts: Sequence[int]) -> Table:
    table = Table(f"How the cost per stream grows from {counts[0]} to {counts[-1]} streams", ("", "times"))
    table.rows = [(curve.label, growth(curve.values)) for curve in curves if curve.panel.startswith("CPU")]
    return table
