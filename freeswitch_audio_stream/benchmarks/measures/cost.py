"""``cost``: microseconds of CPU in the switch per stream and 20 ms frame, the calls' own cost subtracted."""

from __future__ import annotations

from typing import Iterator, Sequence

from ..report.cost_report import BARE, FLOOR, Row, Rows, report
from ..report.results import Results
from ..report.statistics import per_frame
from ..switches.processes import CpuTime, mean
from ..switches.switch_process import order_for
from ..work import FRAMES_PER_SECOND, Work
from . import floor
from .trial import Bench, progress


class Cost:
    """The rounds of one number of streams."""

    def __init__(self, ours: Bench, peer: Bench | None, works: Sequence[Work], streams: int, seconds: float) -> None:
        self._ours = ours
        self._peer = peer
        self._works = works
        self._streams = streams
        self._seconds = seconds
        self._rows = Rows(streams)

    def run(self, rounds: int) -> Rows:
        """Let everybody take turns."""
        for _ in range(rounds):
            for rate in sorted({work.call_rate for work in self._works}):
                works = [work for work in self._works if work.call_rate == rate]
                self._turn(self._ours, works, rate, bare=True)
                if self._peer is not None:
                    self._turn(self._peer, list(peers_of(works)), rate, bare=False)
            for size in sorted({work.message_bytes for work in self._works} | {
                    work.plain.message_bytes for work in self._works if not work.attached}):
                self._floor(size)
        return self._rows

    def _turn(self, bench: Bench, works: Sequence[Work], rate: int, bare: bool) -> None:
        """One contender's turn; before and after each work the calls are observed alone."""
        with bench.calls(self._streams, rate) as calls:
            idle = self._idle(bench)
            if bare:
                idle = self._bare(bench, calls, rate, idle)
            for work in works:
                bench.reply(work)
                with bench.streams(calls, work):
                    seen = bench.observe(self._seconds, self._streams)
                after = self._idle(bench)
                row = self._rows.of(bench.module.name, work.label)
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
        bench.settle()
        cpu = bench.observe(self._seconds, 0).cpu
        bench.switch.order("remove")
        after = self._idle(bench)
        frames = round(self._streams * self._seconds * FRAMES_PER_SECOND)
        self._add(self._rows.of(BARE, f"{rate}"), cpu, mean(before, after), frames)
        return after

    def _floor(self, size: int) -> None:
        receiver = self._ours.receiver
        receiver.reply_never()
        used = floor.measure(receiver.port, self._streams, size, self._seconds)
        self._ours.wait_for_ends()
        self._add(self._rows.of(FLOOR, f"{size} bytes"), CpuTime(used.user + used.system, used.user),
                  CpuTime(0.0, 0.0), used.frames)

    def _add(self, row: Row, busy: CpuTime, idle: CpuTime, frames: int) -> None:
        row.user.append(per_frame(busy.user, idle.user, frames))
        row.system.append(per_frame(busy.total - busy.user, idle.total - idle.user, frames))
        progress(f"{self._streams} streams, round {len(row.user)}, {row.who} {row.label}: {row.totals[-1]:.1f} µs")


def peers_of(works: Sequence[Work]) -> Iterator[Work]:
    """What a peer does beside these, which have one call rate: binary, one way, at every rate on the wire."""
    wires = {(work.tls, rate) for work in works for rate in (work.call_rate, work.rate)}
    for tls, rate in sorted(wires):
        yield Work("binary", False, works[0].call_rate, rate, tls)


def measure(ours: Bench, peer: Bench | None, works: Sequence[Work], counts: Sequence[int], seconds: float,
            rounds: int) -> Results:
    """For every number of streams, one after the other."""
    with ours.unwoken():
        found = [Cost(ours, peer, works, count, seconds).run(rounds) for count in counts]
    return report(found, works, ours.switch.name)
