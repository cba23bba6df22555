"""Timers against a sorted list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.engine.dispatch.schedule import Schedule, Timer


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=300), st.integers(0, 20))
def test_what_is_due_runs_in_order_and_what_is_cancelled_does_not(wanted: list[tuple[int, bool]], now: int) -> None:
    schedule = Schedule()
    ran: list[tuple[int, int]] = []
    timers: list[tuple[bool, Timer]] = []
    for number, (due, cancelled) in enumerate(wanted):
        timers.append((cancelled, schedule.add(due, lambda due=due, number=number: ran.append((due, number)))))
    for cancelled, timer in timers:
        if cancelled:
            timer.cancel()
            timer.cancel()
    expected = sorted((due, number) for number, (due, cancelled) in enumerate(wanted) if not cancelled)
    for moment in (now, 21):
        for timer in schedule.take_due(moment):
            timer.run()
        assert ran == [entry for entry in expected if entry[0] <= moment]
    assert schedule.next_due is None and len(schedule) == 0


def test_cancelled_timers_are_forgotten_long_before_they_are_due() -> None:
    schedule = Schedule()
    kept = schedule.add(7200.0, lambda: None)
    for _ in range(100_000):
        schedule.add(3600.0, lambda: None).cancel()
        assert len(schedule) < 200
    assert kept.is_pending and schedule.next_due is not None


def test_a_timer_may_cancel_others_and_add_new_ones() -> None:
    schedule = Schedule()
    ran = []
    others = [schedule.add(2.0, lambda: ran.append("other")) for _ in range(500)]

    def cancel_them() -> None:
        ran.append("first")
        schedule.add(1.0, lambda: ran.append("new"))
        for timer in others:
            timer.cancel()
    schedule.add(1.0, cancel_them)
    for timer in schedule.take_due(3.0):
        timer.run()
    assert ran == ["first", "new"] and len(schedule) == 0


def test_a_timer_that_has_run_cannot_be_cancelled() -> None:
    schedule = Schedule()
    done = schedule.add(1.0, lambda: None)
    for timer in schedule.take_due(1.0):
        timer.run()
    done.cancel()
    assert not done.is_pending and len(schedule) == 0
    pending = [schedule.add(2.0, lambda: None) for _ in range(3)]
    assert all(timer.is_pending for timer in pending) and schedule.next_due == 2.0
