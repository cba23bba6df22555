"""Medians and ratios of rounds that took turns."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple, Sequence


class Comparison(NamedTuple):
    """Two programs that took turns, A B A B …"""

    first: float
    second: float
    ratio: float
    """The median of the rounds' own ratios: what slows a whole round down does not count."""


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Medians of both and of ``first / second`` round by round. Raise ValueError when the rounds do not pair up."""
    if not first or len(first) != len(second):
        raise ValueError(f"{len(first)} rounds of one and {len(second)} of the other do not pair up")
    ratios = [mine / other if other else float("nan") for mine, other in zip(first, second)]
    return Comparison(median(first), median(second), median(ratios))


def ratio(first: Sequence[float], second: Sequence[float]) -> float | None:
    """`compare`'s ratio; None where one of them was not measured."""
    return compare(first, second).ratio if first and second else None


def per_frame(busy: float, idle: float, frames: int) -> float:
    """Microseconds of CPU per frame: seconds `busy` with streams, `idle` without, over the same time."""
    return 1e6 * (busy - idle) / frames if frames else float("nan")


def growth(values: Sequence[float]) -> float:
    """The last value over the first: 1.0 for a cost that does not rise."""
    return values[-1] / values[0] if values and values[0] else float("nan")
