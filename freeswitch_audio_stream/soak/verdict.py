"""What a soak has shown: each promise, whether it was kept, and the figures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Callable, Sequence

from .line import Line, Side
from .numbered_noise import Tally
from .resources import Sample

_WARM_SECONDS = 60.0      # calls and streams come up
_SHORTEST_SECONDS = 600.0  # below, memory says nothing yet
_MEMORY_SHARE, _DESCRIPTORS, _THREADS = 0.05, 8, 4


@dataclass(frozen=True)
class Promise:
    """One, and what became of it."""

    text: str
    kept: bool | None
    """None: the soak was too short to tell."""
    figures: str


def judge(lines: Sequence[Line], samples: Sequence[Sample], crashed: bool, streaming: int,
          server_errors: Sequence[str] = (), ended: Sequence[str] = ()) -> list[Promise]:
    """Judge; `streaming` is how many streams were up at the end, `server_errors` what servers could not read, and
    `ended` streams that ended by themselves before that.
    """
    return [Promise("FreeSWITCH runs to the end", not crashed, "it ended by itself" if crashed else ""),
            Promise("all streams are up at the end", streaming == 2 * len(lines), f"{streaming} of {2 * len(lines)}"),
            _audio("what callers say reaches the server whole", [line.heard_by_server for line in lines]),
            _audio("what servers say reaches the caller whole", [line.heard_by_caller for line in lines]),
            Promise("no stream ends by itself", not ended,
                    f"{len(ended)} did, the first: {ended[0]}" if ended else ""),
            Promise("servers can read all that comes", not server_errors,
                    f"{len(server_errors)} errors, the first: {server_errors[0]}" if server_errors else ""),
            *_resources(samples)]


def _audio(text: str, sides: Sequence[Side]) -> Promise:
    total = sum((side.unexplained for side in sides), Tally())
    whole = sum((side.follower.tally for side in sides), Tally())
    deaf = sum(side.unexplained.exact == 0 for side in sides)
    kept = deaf == 0 and total.lost == total.repeated == total.wrong == 0
    lost, repeated = (_seconds(sides, lambda side: getattr(side.follower.tally, name) - getattr(side.unexplained, name))
                      for name in ("lost", "repeated"))
    return Promise(
        text, kept, (f"{deaf} streams without any; " if deaf else "")
        + f"{_seconds(sides, lambda side: side.follower.tally.exact):,.1f} s to the bit; outside of faults "
        f"{total.lost} samples lost, {total.repeated} repeated, {total.wrong} wrong, "
        f"{_seconds(sides, lambda side: side.unexplained.silent):.2f} s of silence; in faults {lost:.2f} s lost, "
        f"{repeated:.2f} s repeated, {whole.wrong - total.wrong} samples wrong")


def _seconds(sides: Sequence[Side], samples: Callable[[Side], int]) -> float:
    return sum(samples(side) / side.rate for side in sides)


def _resources(samples: Sequence[Sample]) -> list[Promise]:
    warm = [sample for sample in samples if sample.seconds > _WARM_SECONDS]
    quarter = len(warm) // 4
    long_enough = quarter > 0 and samples[-1].seconds >= _SHORTEST_SECONDS
    promises = []
    for name, allowed in (("memory", _MEMORY_SHARE), ("descriptors", _DESCRIPTORS), ("threads", _THREADS)):
        text = f"the {'number of ' if name != 'memory' else ''}{name} stays level"
        if not long_enough:
            promises.append(Promise(text, None, "not told before ten minutes"))
            continue
        first, last = (statistics.median(getattr(sample, name) for sample in part)
                       for part in (warm[:quarter], warm[-quarter:]))
        kept = last <= first * (1 + allowed) if name == "memory" else last <= first + allowed
        shown = [f"{value / 2**20:,.1f} MiB" if name == "memory" else f"{value:g}" for value in (first, last)]
        promises.append(Promise(text, kept, f"{shown[0]} in the first quarter, {shown[1]} in the last"))
    return promises
