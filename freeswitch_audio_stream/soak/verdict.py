"""What a soak has shown: each promise, whether it was kept, and the figures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Sequence

from .line import Line
from .numbered_noise import RATE, Tally
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


def judge(lines: Sequence[Line], samples: Sequence[Sample], crashed: bool, streaming: int) -> list[Promise]:
    """Judge; `streaming` is how many streams were up at the end."""
    return [Promise("FreeSWITCH runs to the end", not crashed, "it ended by itself" if crashed else ""),
            Promise("all streams are up at the end", streaming == 2 * len(lines), f"{streaming} of {2 * len(lines)}"),
            _audio("what callers say reaches the server whole", [line.heard_by_server.unexplained for line in lines],
                   [line.heard_by_server.follower.tally for line in lines]),
            _audio("what servers say reaches the caller whole", [line.heard_by_caller.unexplained for line in lines],
                   [line.heard_by_caller.follower.tally for line in lines]),
            *_resources(samples)]


def _audio(text: str, unexplained: Sequence[Tally], all_of_it: Sequence[Tally]) -> Promise:
    total = sum(unexplained, Tally())
    whole = sum(all_of_it, Tally())
    kept = total.exact > 0 and total.lost == total.repeated == total.wrong == 0
    return Promise(text, kept, f"{whole.exact / RATE:,.1f} s to the bit; outside of faults {total.lost} samples lost, "
                   f"{total.repeated} repeated, {total.wrong} wrong, {total.silent / RATE:.2f} s of silence; in faults "
                   f"{(whole.lost - total.lost) / RATE:.2f} s lost, {(whole.repeated - total.repeated) / RATE:.2f} s "
                   f"repeated, {whole.wrong - total.wrong} samples wrong")


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
