"""Levels and answer times: from audio that was posted and polled, with a clock of the test's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.services.gateway.page.monitor import SILENCE_DB, TURNS, Monitor, level
from freeswitch_audio_stream.services.gateway.store.interface import SessionKey

KEY = SessionKey("", "call")
LOUD = (8000 * np.sin(np.arange(1600) / 5)).astype("<i2").tobytes()
QUIET = bytes(3200)


class Watched:
    """A monitor that somebody looks at, and its clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.monitor = Monitor(lambda: self.now)
        self.monitor.enter()

    def says(self, audio: bytes, seconds: float = 0.1) -> None:
        self.monitor.posted(KEY, audio)
        self.now += seconds

    def hears(self, audio: bytes, seconds: float = 0.1) -> None:
        self.monitor.polled(KEY, audio)
        self.now += seconds

    @property
    def turns(self) -> list[int]:
        return self.monitor.read(KEY).turns


def test_levels_are_rms_below_full_scale() -> None:
    assert level(b"") == level(QUIET) == SILENCE_DB
    assert level(np.full(160, -32768, "<i2").tobytes()) == pytest.approx(0, abs=1e-9)
    assert level(LOUD) == pytest.approx(20 * math.log10(8000 / 32768 / math.sqrt(2)), abs=0.1)


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=100))
def test_any_audio_has_a_level(samples: list[int]) -> None:
    assert SILENCE_DB <= level(np.array(samples, "<i2").tobytes()) <= 1e-9


def test_an_answer_takes_from_the_last_speech_to_the_first_audio() -> None:
    watched = Watched()
    for audio in (LOUD, LOUD, QUIET, QUIET, QUIET):
        watched.says(audio)
    watched.hears(QUIET)  # the agent's own silence is no answer
    watched.hears(LOUD)
    watched.hears(LOUD)
    assert watched.turns == [500]


def test_what_comes_back_while_the_caller_speaks_is_one_answer() -> None:
    watched = Watched()
    for _ in range(20):
        watched.says(LOUD, 0.02)
        watched.hears(LOUD, 0.08)
    assert watched.turns == [20]
    watched.now += 1.0
    watched.says(LOUD, 0.3)
    watched.hears(LOUD)
    assert watched.turns == [20, 300]


def test_so_many_answers_are_kept() -> None:
    watched = Watched()
    for number in range(TURNS + 5):
        watched.says(LOUD, (number + 1) / 100)
        watched.hears(LOUD, 1.0)
    assert watched.turns == [10 * number for number in range(6, TURNS + 6)]


def test_a_side_that_sends_nothing_is_silent() -> None:
    watched = Watched()
    watched.says(LOUD, 0.0)
    watched.hears(LOUD, 0.0)
    meters = watched.monitor.read(KEY)
    assert meters.caller_db > -20 and meters.agent_db > -20
    watched.now += 1.1
    meters = watched.monitor.read(KEY)
    assert meters.caller_db == meters.agent_db == SILENCE_DB


def test_nothing_is_measured_or_kept_while_nobody_looks() -> None:
    monitor = Monitor()
    monitor.posted(KEY, b"x")  # not even whole samples are looked at
    monitor.polled(KEY, b"x")
    assert len(monitor) == 0
    monitor.enter()
    monitor.posted(KEY, LOUD)
    assert len(monitor) == 1
    monitor.leave()
    assert len(monitor) == 0


def test_sessions_that_are_over_are_forgotten_and_those_of_others_are_not() -> None:
    watched = Watched()
    for key in (KEY, SessionKey("", "gone"), SessionKey("another", "gone")):
        watched.monitor.posted(key, LOUD)
    watched.monitor.keep("", {"call"})
    assert len(watched.monitor) == 2
