"""``capacity``: how many streams a machine carries before the gaps between frames grow or a frame is lost."""

from __future__ import annotations

from typing import Any, Sequence

from ..errors import BenchError
from ..report import goals
from ..report.results import Curve, Results, Table
from ..work import Work
from .trial import Bench, Interval, progress

GAP_MS = 40.0
_STEPS_PER_DOUBLING = 4
_MOST = 4000


def measure(ours: Bench, peer: Bench | None, works: Sequence[Work], first: int, seconds: float) -> Results:
    """Begin with `first` streams and add a fifth at a time, for each work, ours and then the peer's."""
    results = Results("capacity", [Table(
        f"Streams until the p99 gap exceeds {GAP_MS:g} ms or a frame is lost, {ours.switch.name}",
        ("", "streams", "p99 gap ms", "lost", "switch cores", "receiver cores", "what ended it"))])
    wanted = []
    for work in works:
        with ours.unwoken():
            mine = _climb(ours, work, first, seconds, results)
            theirs = _climb(peer, work, first, seconds, results) if peer is not None and peer.module.can(work) else None
        wanted.append(goals.of_capacity(work, mine, theirs))
    results.tables.append(goals.table(wanted))
    return results


def _climb(bench: Bench, work: Work, first: int, seconds: float, results: Results) -> int:
    """Answers the most streams that were carried."""
    label = f"{bench.module.name} {work.label}"
    curve = Curve("p99 gap between frames (ms)", label)
    results.curves.append(curve)
    bench.reply(work)
    last: tuple[int, Interval] | None = None
    count, end = first, f"{_MOST} streams run"
    while count <= _MOST:
        try:
            seen = _step(bench, work, count, seconds)
        except BenchError as error:
            bench.check()  # a process that has ended is no measure of what it carries
            end = f"at {count}: {error}"
            break
        curve.add(count, seen.heard.gaps.p99)
        results.rounds.append(_record(label, count, seen))
        progress(f"{count} streams, {label}: p99 gap {seen.heard.gaps.p99:.1f} ms, {max(0, seen.lost - count)} lost")
        if seen.heard.gaps.p99 > GAP_MS or seen.lost > count:
            end = f"at {count}: " + ("the gap" if seen.heard.gaps.p99 > GAP_MS else "lost frames")
            break
        last = count, seen
        count = max(count + 1, round(count * 2 ** (1 / _STEPS_PER_DOUBLING)))
    results.tables[0].rows.append(_row(label, last, end))
    return last[0] if last else 0


def _step(bench: Bench, work: Work, count: int, seconds: float) -> Interval:
    with bench.calls(count, work.call_rate) as calls, bench.streams(calls, work):
        return bench.observe(seconds, count)


def _row(label: str, last: tuple[int, Interval] | None, end: str) -> tuple[Any, ...]:
    if last is None:
        return label, 0, None, None, None, None, end
    count, seen = last
    return (label, count, seen.heard.gaps.p99, max(0, seen.lost - count), seen.cpu.total / seen.heard.seconds,
            seen.receiver_cpu.total / seen.heard.seconds, end)


def _record(label: str, count: int, seen: Interval) -> dict[str, Any]:
    return {"label": label, "streams": count, "p99_gap": seen.heard.gaps.p99, "lost": seen.lost,
            "cpu": seen.cpu.total, "receiver_cpu": seen.receiver_cpu.total, "seconds": seen.heard.seconds}
