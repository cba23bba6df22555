"""Medians and ratios."""

from __future__ import annotations

import math

import pytest

from freeswitch_audio_stream.benchmarks.report.statistics import compare, growth, per_frame, ratio


def test_a_slow_round_slows_both_and_does_not_count() -> None:
    found = compare([10, 12, 100], [20, 24, 200])
    assert found == (12, 24, 0.5)


def test_the_ratio_is_the_rounds_own_not_that_of_the_medians() -> None:
    assert compare([1, 9, 10], [10, 10, 11]).ratio == 0.9
    assert compare([1, 2, 30], [1, 20, 3]).ratio == 1.0  # of the medians it would be 2/3


@pytest.mark.parametrize("first, second", [([], []), ([1], [1, 2]), ([1, 2], [])])
def test_rounds_have_to_pair_up(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match="do not pair up"):
        compare(first, second)


def test_nothing_over_nothing() -> None:
    assert math.isnan(compare([1.0], [0.0]).ratio)
    assert ratio([], [1.0]) is None and ratio([1.0], []) is None and ratio([1.0], [2.0]) == 0.5
    assert math.isnan(growth([])) and math.isnan(growth([0.0, 1.0]))


def test_per_frame() -> None:
    assert per_frame(0.5, 0.3, 100_000) == pytest.approx(2.0)
    assert math.isnan(per_frame(1.0, 0.0, 0))


def test_growth() -> None:
    assert growth([20.0, 30.0, 15.0]) == 0.75
