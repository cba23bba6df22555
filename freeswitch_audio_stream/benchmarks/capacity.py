"""``capacity``: how many streams a machine carries before the gaps between frames grow or a frame is lost."""

from __future__ import annotations

from typing import Any, Sequence

from .results import Curve, Results, Table
from .trial import Bench, BenchError, Interval
from .work import Work

GAP_MS = 40.0
_STEPS_PER_DOUBLING = 4
_MOST = 4000


def measure(ours: Bench, peer: Bench | None, works: Sequence[Work], first: int, seconds: float) -> Results:
    """Begin with `first` streams and add a fifth at a time, for each work, ours and then the peer's."""
    results = Results("capacity", [Table(
        f"Streams until the p99 gap exceeds {GAP_MS:g} ms or a frame is lost, {ours.switch.name}",
        ("", "streams", "p99 gap ms", "lost", "switch cores", "receiver cores", "what ended it"))])
    for work in works:
        _climb(ours, work, first, seconds, results)
        if peer is not None and work.format in peer.module.formats and not work.two_way:
            _climb(peer, work, first, seconds, results)
    return results


def _climb(bench: Bench, work: Work, first: int, seconds: float, results: Results) -> None:
    label = f"{bench.module.name} {work.label}"
    curve = Curve("p99 gap between frames (ms)", label)
    results.curves.append(curve)
    bench.receiver.reply_to_each(work.reply()) if work.two_way else bench.receiver.reply_never()
    last: tuple[int, Interval] | None = None
    count, end = first, f"{_MOST} streams run"
    while count <= _MOST:
        try:
            seen = _step(bench, work, count, seconds)
        except BenchError as error:
            end = str(error)
            break
        curve.add(count, seen.heard.gaps.p99)
        results.rounds.append(_record(label, count, seen))
        print(f"{label}: {count} streams, p99 gap {seen.heard.gaps.p99:.1f} ms, {max(0, seen.lost - count)} lost",
              flush=True)
        if seen.heard.gaps.p99 > GAP_MS or seen.lost > count:
            end = f"at {count}: " + ("the gap" if seen.heard.gaps.p99 > GAP_MS else "lost frames")
            break
        last = count, seen
        count = round(count * 2 ** (1 / _STEPS_PER_DOUBLING))
    results.tables[0].rows.append(_row(label, last, end))


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
