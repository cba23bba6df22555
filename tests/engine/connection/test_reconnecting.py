"""When streams that have lost their servers try again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from freeswitch_audio_stream.config import StreamSettings
from freeswitch_audio_stream.engine.connection.reconnecting import Reconnecting
from freeswitch_audio_stream.engine.dispatch.dispatcher import RECONNECTS_PER_SECOND
from freeswitch_audio_stream.engine.dispatch.turns import Turns
from tests.test_running_clock import Time


class Noted:
    """Timers that only note when they would be due."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def after(self, name: str, seconds: float, job: Any) -> None:
        assert name == "reconnect"
        self.seconds.append(seconds)


def tries(streams: int) -> list[float]:
    """The seconds after which streams that have lost their connections at the same moment try again."""
    turns, noted = Turns(RECONNECTS_PER_SECOND, Time(0)), Noted()
    for _ in range(streams):
        timers: Any = noted
        Reconnecting(StreamSettings(), None, timers, turns, lambda seconds: None).try_again()
    return noted.seconds


def test_a_few_streams_try_soon() -> None:
    assert max(tries(10)) < 0.7


@pytest.mark.parametrize("streams", [1000, 4000])
def test_many_streams_do_not_try_all_at_once(streams: int) -> None:
    seconds = tries(streams)
    # In any second there are those of the turns before it, too, which chance has put off into it.
    busiest = max(Counter(int(second) for second in seconds).values())
    assert busiest < 2 * RECONNECTS_PER_SECOND
    assert max(seconds) < streams / RECONNECTS_PER_SECOND + 1, "what was captured meanwhile still fits into its buffer"
