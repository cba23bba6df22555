"""Buckets, and what is said from them, against NumPy's exact quantiles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.benchmarks.histogram import (BUCKETS, bucket_of, count_duration, pack, quantiles, unpack,
                                                          upper_edge)

WIDTH = 1 + 1 / 64


@given(st.integers(0, 2**46 - 1))
def test_a_bucket_is_narrow_and_holds_its_durations(nanoseconds: int) -> None:
    bucket = bucket_of(nanoseconds)
    assert 0 <= bucket < BUCKETS
    assert nanoseconds <= upper_edge(bucket) <= nanoseconds * WIDTH
    assert bucket == 0 or upper_edge(bucket - 1) < nanoseconds


def test_what_is_out_of_range_falls_into_the_last_and_the_first() -> None:
    assert bucket_of(2**62) == BUCKETS - 1
    assert bucket_of(-5) == 0


def test_quantiles_are_those_of_the_durations_rounded_up() -> None:
    durations = np.random.default_rng(0).exponential(3e6, 20_000).astype(np.int64)
    counts = np.zeros(BUCKETS, np.int64)
    for duration in durations:
        count_duration(int(counts.ctypes.data), int(duration))
    found = quantiles(counts)
    assert found.count == len(durations)
    for value, share in zip(found[1:], (0.5, 0.99, 0.999, 1.0)):
        exact = np.quantile(durations, share, method="inverted_cdf") / 1e6
        assert exact <= value <= exact * WIDTH


def test_nothing_has_no_quantiles() -> None:
    found = quantiles(np.zeros(BUCKETS, np.int64))
    assert found.count == 0 and all(math.isnan(value) for value in found[1:])


@pytest.mark.parametrize("filled", [{}, {0: 3, 70: 1, BUCKETS - 1: 2}])
def test_packing_takes_everything_out_and_brings_it_over(filled: dict[int, int]) -> None:
    counts = np.zeros(BUCKETS, np.int64)
    for bucket, count in filled.items():
        counts[bucket] = count
    before = counts.copy()
    packed = pack(counts)
    assert not counts.any()
    assert (unpack(packed) == before).all()
