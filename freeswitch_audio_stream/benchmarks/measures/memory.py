"""``memory``: what a stream takes while it lives, and whether anything stays when it is gone."""

from __future__ import annotations

from typing import Iterator, Sequence

from ..errors import BenchError
from ..report import goals
from ..report.results import Curve, Results, Table
from ..switches.processes import Memory, memory
from ..work import Work
from .trial import Bench, progress

_CALLS = 50  # at a time, each with one of the many streams
_WARM_UP = 0.1  # the share of them after which nothing may grow any more
_KIB = 1024
_REST_SECONDS = 5.0  # FreeSWITCH frees the memory of calls a while after their end


def measure(ours: Bench, peer: Bench | None, works: Sequence[Work], counts: Sequence[int], seconds: float,
            churn: int) -> Results:
    """Both parts, ours and the peer's."""
    resident = Table(f"Memory and threads per stream, {ours.switch.name}",
                     ("", "streams", "KiB per stream", "threads per stream"))
    results = Results("memory", [resident])
    wanted: list[goals.Goal] = []
    for bench in filter(None, (ours, peer)):
        for work in dict.fromkeys(work if bench.module.can(work) else work.plain for work in works):
            each = _resident(bench, work, counts, seconds, results)
            if bench is ours:
                wanted.append(goals.of_memory(f"{work.label}, {counts[-1]} streams", each))
    if churn:
        results.tables.append(Table(f"Memory after many streams, {ours.switch.name}", (
            "", "streams", "MiB after a tenth", "MiB at the end", "grown %", "threads grown")))
        for bench in filter(None, (ours, peer)):
            work = works[0] if bench.module.can(works[0]) else works[0].plain
            grown = _churn(bench, work, churn, results)
            if bench is ours:
                wanted.append(goals.of_churn(churn, grown))
    results.tables.append(goals.table(wanted))
    return results


def _resident(bench: Bench, work: Work, counts: Sequence[int], seconds: float, results: Results) -> float:
    """Answers the KiB per stream at the last of `counts`."""
    label = f"{bench.module.name} {work.label}"
    curve = Curve("resident memory per stream (KiB)", label)
    bench.reply(work)
    each = float("nan")
    for count in counts:
        with bench.calls(count, work.call_rate) as calls:
            before = memory(bench.switch.pid)
            with bench.streams(calls, work):
                bench.observe(seconds, count)
                after = memory(bench.switch.pid)
        each = (after.resident - before.resident) / count / _KIB
        results.tables[0].rows.append((label, count, each, (after.threads - before.threads) / count))
        results.rounds.append({"label": label, "streams": count, "before": before._asdict(), "after": after._asdict()})
        curve.add(count, each)
        progress(f"{count} streams, {label}: {each:.0f} KiB each")
    results.curves.append(curve)
    return each


def _churn(bench: Bench, work: Work, total: int, results: Results) -> float:
    """Answers by how many per cent memory has grown since the first mark."""
    bench.reply(work)
    marks: list[Memory] = []
    for first, last in _parts(total):
        for begin in range(first, last, _CALLS):
            _round(bench, work, min(_CALLS, last - begin))
        bench.let_pass(_REST_SECONDS)
        bench.switch.order("trim")
        marks.append(memory(bench.switch.pid))
        results.rounds.append({"label": bench.module.name, "ended": last, **marks[-1]._asdict()})
        progress(f"{bench.module.name}: {last} streams ended, {marks[-1].resident / _KIB ** 2:.1f} MiB resident")
    early, late = marks[0], marks[-1]
    grown = 100 * (late.resident / early.resident - 1)
    results.tables[1].rows.append((f"{bench.module.name} {work.label}", total, early.resident / _KIB ** 2,
                                   late.resident / _KIB ** 2, grown, late.threads - early.threads))
    return grown


def _parts(total: int) -> Iterator[tuple[int, int]]:
    step = max(1, round(total * _WARM_UP))
    return ((begin, min(total, begin + step)) for begin in range(0, total, step))


def _round(bench: Bench, work: Work, count: int) -> None:
    """Short streams on calls of their own: what a media bug takes, FreeSWITCH gives back when its call ends."""
    with bench.calls(count, work.call_rate, settled=False) as calls:
        bench.start(calls, work)
        if not bench.wait(lambda: all(bench.receiver.first_at(number) for number in range(count)), 30.0, 0.002):
            raise BenchError(f"{bench.name}: a stream sends nothing")
        bench.stop(calls, work)
