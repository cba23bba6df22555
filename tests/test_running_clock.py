"""Time in which we run counts, and no other."""

from __future__ import annotations

from freeswitch_audio_stream.running_clock import TICK, RunningClock


class Time:
    """A clock that tests set."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_it_goes_as_its_clock_does_while_it_is_read_in_time() -> None:
    time = Time()
    clock = RunningClock(time)
    assert clock.read() == 0
    for _ in range(400):
        time.now += TICK
        clock.read()
    assert clock.read() == 400 * TICK


def test_a_busy_machine_may_wake_us_late() -> None:
    time = Time()
    clock = RunningClock(time)
    time.now += 2 * TICK
    assert clock.read() == 2 * TICK


def test_it_stands_still_while_we_do() -> None:
    time = Time()
    clock = RunningClock(time)
    for stop in (30, 60, 120, 86_400):
        before = clock.read()
        time.now += stop
        assert clock.read() - before <= 2 * TICK
    time.now += TICK
    assert clock.read() == 4 * 2 * TICK + TICK
