"""What a soak says of audio: against noise that is cut, doubled, silenced and spoilt on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode
from freeswitch_audio_stream.soak.numbered_noise import PERIOD, Follower, Noise, Tally

NOISE = Noise(1)


def told(*parts: Samples, piece: int = 160) -> Tally:
    follower = Follower(NOISE)
    samples = np.concatenate([*parts, NOISE.samples(0, 0)])
    for begin in range(0, len(samples), piece):
        follower.feed(samples[begin:begin + piece])
    return follower.tally


@given(position=st.integers(0, 3 * PERIOD), count=st.integers(8, 5000), piece=st.integers(1, 999))
@settings(max_examples=50, deadline=None)
def test_noise_is_found_anywhere_in_any_pieces(position: int, count: int, piece: int) -> None:
    assert told(NOISE.samples(position, count), piece=piece) == Tally(exact=count)


@pytest.mark.parametrize("encoding", [Encoding.L16, Encoding.MULAW])
def test_noise_is_the_same_behind_either_encoding(encoding: Encoding) -> None:
    samples = NOISE.samples(0, PERIOD)
    assert np.array_equal(decode(encode(samples, encoding), encoding), samples)
    assert not (samples == 0).any()


@given(position=st.integers(0, PERIOD), jump=st.integers(-PERIOD // 2 + 1, PERIOD // 2).filter(bool))
@settings(max_examples=50, deadline=None)
def test_what_is_missing_or_doubled_is_counted(position: int, jump: int) -> None:
    parts = NOISE.samples(position + PERIOD, 1000), NOISE.samples(position + PERIOD + 1000 + jump, 1000)
    assert told(*parts) == Tally(exact=2000, lost=max(0, jump), repeated=max(0, -jump))


@pytest.mark.parametrize("gap", [1, 160, 5000])
def test_silence_is_no_loss(gap: int) -> None:
    assert told(np.zeros(77, np.int16), NOISE.samples(5, 500), np.zeros(gap, np.int16), NOISE.samples(505, 500)) == \
        Tally(exact=1000, silent=77 + gap)


def test_what_is_neither_is_wrong() -> None:
    spoilt = NOISE.samples(0, 1000).copy()
    spoilt[500:510] += 1
    tally = told(spoilt)
    assert tally.wrong >= 10 and tally.exact >= 960


def test_other_noise_is_wrong() -> None:
    tally = told(Noise(2).samples(0, 800))
    assert tally.exact == 0 and tally.wrong > 780


def test_another_stream_begins_anywhere() -> None:
    follower = Follower(NOISE)
    follower.feed(NOISE.samples(0, 800))
    follower.restart()
    follower.feed(NOISE.samples(9000, 800))
    assert follower.tally == Tally(exact=1600)
