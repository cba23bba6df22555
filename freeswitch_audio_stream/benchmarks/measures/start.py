"""``start``: how long the start command takes to answer, and the stream to reach its server."""

from __future__ import annotations

import time
from typing import Sequence

import numpy as np

from ..errors import BenchError
from ..report.results import Results, Table
from ..work import Work
from .trial import Bench

_NOTHING = "module_exists mod_commands"  # a command that does next to nothing


def measure(ours: Bench, peer: Bench | None, works: Sequence[Work], streams: int, rounds: int) -> Results:
    """One stream after the other, each of them started when the one before is connected."""
    table = Table(f"From the start command, in ms, {ours.switch.name}", ("", "starts", "p50", "p99", "max"))
    results = Results("start", [table])
    for work in works:
        for bench in filter(None, (ours, peer)):
            if bench.module.can(work):
                times = [_round(bench, work, streams) for _ in range(rounds)]
                for place, what in enumerate(("to its answer", "to the handshake at the server",
                                              "to the first byte at the server", "(a command that does nothing)")):
                    values = np.concatenate([round_[place] for round_ in times])
                    table.rows.append((f"{bench.module.name} {work.label} {what}", len(values),
                                       *(float(np.quantile(values, share)) for share in (0.5, 0.99, 1.0))))
                    results.rounds.append({"label": f"{bench.module.name} {work.label} {what}",
                                           "ms": values.tolist()})
    return results


def _round(bench: Bench, work: Work, streams: int) -> list[list[float]]:
    found: list[list[float]] = [[], [], [], []]
    bench.receiver.reply_never()
    with bench.calls(streams, work.call_rate) as calls:
        for number, call in enumerate(calls):
            began = time.monotonic_ns()
            bench.start([call], work, number)
            answered = time.monotonic_ns()
            if not bench.wait(lambda: bench.receiver.first_at(number) > 0, 30.0, 0.001):
                raise BenchError(f"{bench.name}: a stream sends nothing")
            times = answered, bench.receiver.connected_at(number), bench.receiver.first_at(number)
            for place, at in enumerate(times):
                found[place].append((at - began) / 1e6)
            began = time.monotonic_ns()
            bench.switch.command(_NOTHING)
            found[3].append((time.monotonic_ns() - began) / 1e6)
        bench.stop(calls, work)
    return found
