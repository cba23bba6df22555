"""Catching up with a server that speaks in real time: quiet parts are left out, while too much waits."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..open_stream import OpenStream
from ..sound import Samples, noise

Opening = Callable[..., OpenStream]
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
FRAME = 160
LINE_NOISE = 60


def said(turns: int, loud: int = 25, quiet: int = 25) -> Samples:
    """Speech and pauses by turns, so many frames of each; no two samples of speech are near zero."""
    speech = noise(turns * loud * FRAME).astype(np.int32)
    speech = np.where(speech >= 0, speech // 2 + 5000, speech // 2 - 5000).astype(np.int16)
    hiss = (noise(turns * quiet * FRAME).astype(np.int32) * LINE_NOISE // 32768).astype(np.int16)
    return np.concatenate([part for turn in range(turns) for part in (
        speech[turn * loud * FRAME:(turn + 1) * loud * FRAME], hiss[turn * quiet * FRAME:(turn + 1) * quiet * FRAME])])


def converse(stream: OpenStream, sound: Samples, ahead: int) -> Samples:
    """A server that is `ahead` frames early and then says a frame for each that the caller hears, to the end."""
    frames = sound.reshape(-1, FRAME)
    stream.path.play(frames[:ahead].reshape(-1), 8000)
    heard = []
    for frame in frames[ahead:]:
        stream.path.play(frame, 8000)
        heard.append(stream.leg.play_silence())
    return np.concatenate(heard)


def spoken(sound: Samples) -> Samples:
    return sound[np.abs(sound.astype(np.int32)) > 1000]


def waiting_ms(stream: OpenStream) -> int:
    return stream.path.statistics().play_waiting // 8


@pytest.mark.parametrize("target", [20, 60, 200])
def test_pauses_are_shortened_until_no_more_waits_than_may(open_stream: Opening, target: int) -> None:
    stream = open_stream(playback_secs=60, catch_up_ms=target)
    sound = said(12)
    heard = converse(stream, sound, ahead=40)
    counters = stream.path.statistics()
    assert target <= waiting_ms(stream) <= target + 40  # 800 before
    assert counters.caught_up == 8 * (800 - waiting_ms(stream))
    assert counters.played == len(heard) + counters.caught_up
    speech = spoken(heard)
    assert np.array_equal(speech, spoken(sound)[:len(speech)]), "speech is whole and in order"


def test_half_of_a_pause_remains(open_stream: Opening) -> None:
    stream = open_stream(playback_secs=60, catch_up_ms=20)
    heard = converse(stream, said(8, loud=50, quiet=50), ahead=100)
    quiet = np.abs(heard.reshape(-1, FRAME).astype(np.int32)).max(1) <= LINE_NOISE
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(int), [0])))))[::2]
    assert stream.path.statistics().caught_up and runs[:-1].min() >= 25


@pytest.mark.parametrize("form", [{}, {"catch_up_ms": 5000}], ids=["off", "more may wait"])
def test_nothing_is_left_out_where_nothing_has_to_be(open_stream: Opening, form: dict[str, int]) -> None:
    stream = open_stream(playback_secs=60, **form)
    sound = said(6)
    heard = converse(stream, sound, ahead=40)
    assert np.array_equal(heard, sound[:len(heard)])
    assert stream.path.statistics().caught_up == 0


def test_an_answer_that_runs_out_is_left_alone(open_stream: Opening) -> None:
    """The queue has been empty within the second: nothing waits without a reason."""
    stream = open_stream(playback_secs=60, catch_up_ms=20)
    for _ in range(5):
        answer = said(1, loud=10, quiet=15)
        stream.path.play(answer, 8000)
        heard = np.concatenate([stream.leg.play_silence() for _ in range(30)])
        assert np.array_equal(heard[:len(answer)], answer)


def test_music_is_never_cut(open_stream: Opening) -> None:
    stream = open_stream(playback_secs=60, catch_up_ms=20)
    sound = said(1, loud=400, quiet=0)
    heard = converse(stream, sound, ahead=40)
    assert np.array_equal(heard, sound[:len(heard)]) and waiting_ms(stream) == 800


def test_nothing_is_left_out_in_a_pause_of_ours(open_stream: Opening) -> None:
    stream = open_stream(playback_secs=60, catch_up_ms=20)
    stream.path.pause_playback(True)
    converse(stream, said(4), ahead=40)
    assert stream.path.statistics().played == 0


@with_fixtures
@given(places=st.lists(st.integers(0, 299 * FRAME), max_size=20), rates=st.sampled_from([(8000, 16000), (16000, 8000)]))
def test_marks_come_in_order_and_every_rate_is_its_own(open_stream: Opening, places: list[int],
                                                       rates: tuple[int, int]) -> None:
    stream = open_stream(playback_secs=60, catch_up_ms=20)
    stream.leg.set_write_codec(16000, 20)
    sound = said(6)
    for number, rate in enumerate(rates * 3):  # each part in a rate of its own
        part = sound[number * 50 * FRAME:(number + 1) * 50 * FRAME]
        stream.path.play(part, rate)
    for place in sorted(places):
        stream.path.mark(place, place)
    while stream.path.statistics().play_waiting:
        stream.leg.play_silence()
    stream.leg.play_silence()
    told = [(mark.number, mark.was_played) for mark in stream.path.take_marks()]
    assert told == [(place, True) for place in sorted(places)]
    counters = stream.path.statistics()
    assert counters.played == len(sound)
