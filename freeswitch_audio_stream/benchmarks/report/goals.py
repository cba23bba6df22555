"""What the figures are meant to be, and whether those of a run are."""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

from ..work import BINARY, BINARY_TLS, BINARY_TWO_WAY, FRAME_MS, JSON_RESAMPLED, Work
from .results import Table, shown
from .statistics import growth, ratio

CALLBACK_MS = 0.2
SAME = 1.1
"""Two figures that differ by less are called the same."""
_PLAYBACK_US = 30.0
"""What playing may cost over capturing, before the factor."""


class Goal(NamedTuple):
    """One figure and its limit."""

    what: str
    measured: float | None
    """None where the run does not tell."""
    limit: float
    unit: str = ""
    least: bool = False
    """Whether the limit is the least that is wanted, not the most."""

    @property
    def verdict(self) -> str:
        """``yes``, or by how much not."""
        if self.measured is None or self.measured != self.measured:
            return "not measured"
        if self.measured >= self.limit if self.least else self.measured <= self.limit:
            return "yes"
        excess = 100 * abs(self.measured / self.limit - 1)
        return f"no, by {excess:.0f} %" if excess >= 1 else f"no, by {excess:.1g} %"


def table(goals: Sequence[Goal]) -> Table:
    """Goals as a table."""
    return Table("Goals", ("", "measured", "goal", "met"),
                 [(goal.what, None if goal.measured is None else f"{shown(float(goal.measured))}{goal.unit}",
                   f"{'at least' if goal.least else 'at most'} {goal.limit:g}{goal.unit}", goal.verdict)
                  for goal in goals])


Totals = Callable[[str, Work], Sequence[float]]
"""Of a contender and its work: µs of CPU per frame, round by round; empty where they were not measured."""


def of_cost(totals: Totals, least: Sequence[float], streams: int) -> list[Goal]:
    """`least` are the rounds of the bare bug and the bare send together, for `BINARY`."""
    peer, peer_tls = totals("peer", BINARY), totals("peer", BINARY_TLS)
    allowed = [cost + _PLAYBACK_US for cost in peer]
    where = f"{streams} streams: "
    return [Goal(f"{where}{BINARY.label} / the peer's", ratio(totals("ours", BINARY), peer), 0.5),
            Goal(f"{where}{BINARY.label} / (bare bug + bare send)", ratio(totals("ours", BINARY), least), 1.15),
            Goal(f"{where}{JSON_RESAMPLED.label} / the peer's {BINARY.label}",
                 ratio(totals("ours", JSON_RESAMPLED), peer), 0.8),
            Goal(f"{where}{BINARY_TLS.label} / the peer's", ratio(totals("ours", BINARY_TLS), peer_tls), 0.6),
            Goal(f"{where}{BINARY_TWO_WAY.label} / (the peer's one-way + {_PLAYBACK_US:g} µs)",
                 ratio(totals("ours", BINARY_TWO_WAY), allowed), 0.7)]


def of_growth(label: str, costs: Sequence[float], counts: Sequence[int]) -> Goal:
    """`costs` are µs per frame of one work at each number of streams."""
    return Goal(f"{label}: cost per stream at {counts[-1]} streams / at {counts[0]}", growth(costs), 1.0)


def of_latency(what: str, p50: float, p99: float) -> list[Goal]:
    """From the callback to the receiver, in ms."""
    return [Goal(f"{what}: p50", p50, 0.3, " ms"), Goal(f"{what}: p99", p99, 2.0, " ms")]


def of_playback_latency(what: str, p99: float) -> Goal:
    """From the server to the caller's frame, in ms."""
    return Goal(f"{what}: p99", p99, FRAME_MS + 1.0, " ms")


def beside_neighbours(what: str, ratio_to_peer: float) -> Goal:
    """A time of ours beside busy processes, as a share of the peer's there."""
    return Goal(f"{what} / the peer's", ratio_to_peer, 1.0)


def of_capacity(work: Work, ours: int | None, peers: int | None) -> Goal:
    """Streams that both carried, None where that was not measured."""
    return Goal(f"{work.label}: streams / the peer's", ours / peers if ours is not None and peers else None, 1.5,
                least=True)


def of_stall(what: str, p999: float, ratio_to_none: float | None, threads: int) -> list[Goal]:
    """The p99.9 of callbacks in ms with busy threads, and its ratio to that with none."""
    goals = [Goal(f"{what}, {threads} busy threads: p99.9", p999, CALLBACK_MS, " ms")]
    if threads:
        goals.append(Goal(f"{what}, {threads} busy threads: p99.9 / with none", ratio_to_none, SAME))
    return goals


def of_memory(what: str, kib: float) -> Goal:
    """Resident memory of a stream."""
    return Goal(f"{what}: resident per stream", kib, 150.0, " KiB")


def of_churn(streams: int, grown: float) -> Goal:
    """By how many per cent memory has grown since a tenth of the streams."""
    return Goal(f"memory after {streams} streams, grown since a tenth of them", grown, 2.0, " %")
