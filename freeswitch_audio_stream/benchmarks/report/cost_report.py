"""What `cost` has measured, as tables, curves and goals."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Iterator, Sequence

from ..work import BINARY, Work
from . import goals
from .results import Curve, Results, Table
from .statistics import ratio

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


class Rows:
    """Of one number of streams, in the order in which they were first measured."""

    def __init__(self, streams: int) -> None:
        self.streams = streams
        self._rows: dict[tuple[str, str], Row] = {}

    def of(self, who: str, label: str) -> Row:
        """A contender's row, a new one if there is none."""
        return self._rows.setdefault((who, label), Row(who, label, self.streams))

    def totals(self, who: str, label: str) -> Sequence[float]:
        """Of a row; empty where there is none."""
        row = self._rows.get((who, label))
        return row.totals if row else ()

    def work(self, who: str, work: Work) -> Sequence[float]:
        """The same of a work."""
        return self.totals(who, work.label)

    def peers(self, work: Work) -> Sequence[float]:
        """The peer at this work, or where it does not do it, at the least of its kind."""
        return self.work("peer", work) or self.work("peer", work.plain)

    def least(self, work: Work) -> Sequence[float]:
        """The bare bug and the bare send of such messages together, round by round; nothing for TLS or two-way work."""
        if work.tls or work.two_way:
            return ()
        bare, sending = self.totals(BARE, f"{work.call_rate}"), self.totals(FLOOR, f"{work.message_bytes} bytes")
        return [bug + send for bug, send in zip(bare, sending)]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())


def report(found: Sequence[Rows], works: Sequence[Work], switch: str) -> Results:
    """`found` has the rows of each number of streams."""
    results = Results("cost", [_table(rows, works, switch) for rows in found])
    results.rounds = [vars(row) for rows in found for row in rows]
    results.curves = _curves(found)
    wanted = [goal for rows in found for goal in goals.of_cost(rows.work, rows.least(BINARY), rows.streams)]
    if len(found) > 1:
        counts = [rows.streams for rows in found]
        wanted += [goals.of_growth(work.label, [median(rows.work("ours", work)) for rows in found], counts)
                   for work in works]
    results.tables.append(goals.table(wanted))
    return results


def _table(rows: Rows, works: Sequence[Work], switch: str) -> Table:
    by_label = {work.label: work for work in works}
    rounds = max((len(row.user) for row in rows), default=0)
    table = Table(f"CPU per stream and frame, {rows.streams} streams, {switch}, medians of {rounds}",
                  ("", "user µs", "system µs", "total µs", "of the peer", "of bug+floor", "receiver µs", "p99 gap ms",
                   "lost"))
    for row in rows:
        work = by_label.get(row.label) if row.who == "ours" else None
        table.rows.append((f"{row.who} {row.label}", median(row.user), median(row.system), median(row.totals),
                           ratio(row.totals, rows.peers(work)) if work else None,
                           ratio(row.totals, rows.least(work)) if work else None,
                           median(row.receiver) if row.receiver else None,
                           median(row.p99_gap) if row.p99_gap else None, row.lost))
    table.notes.append("of the peer: the median of the rounds' own ratios to the peer at the same work, or, where it "
                       "does not do it, to its binary one-way stream of the same calls, with TLS or not as here")
    table.notes.append("of bug+floor: the same to the bare bug and the bare send of the same bytes together")
    return table


def _curves(found: Sequence[Rows]) -> list[Curve]:
    curves: dict[tuple[str, str], Curve] = {}
    for rows in found:
        for row in rows:
            label = f"{row.who} {row.label}"
            curves.setdefault((label, "cost"), Curve("CPU per frame (µs)", label)).add(row.streams, median(row.totals))
            if row.p99_gap:
                gap = curves.setdefault((label, "gap"), Curve("p99 gap between frames (ms)", label))
                gap.add(row.streams, median(row.p99_gap))
    return list(curves.values())
