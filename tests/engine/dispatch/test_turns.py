"""Turns: at once while they are few, and spread when they are many."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.engine.dispatch.turns import Turns
from tests.test_running_clock import Time


def test_a_single_turn_is_at_once() -> None:
    time = Time(0)
    turns = Turns(10, time)
    for time.now in (0, 0.1, 7, 100):
        assert turns.take() == 0


def test_many_at_once_come_one_after_the_other() -> None:
    time = Time(5)
    turns = Turns(100, time)
    assert [turns.take() for _ in range(500)] == pytest.approx([number / 100 for number in range(500)])
    time.now += 2
    assert turns.take() == pytest.approx(3)
    time.now += 100
    assert turns.take() == 0, "what was not taken is not made up for"
    assert turns.take() == pytest.approx(0.01)
