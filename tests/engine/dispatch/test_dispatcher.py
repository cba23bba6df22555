"""The thread on which streams live: jobs in order, timers in time, and no defect ends it."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, Iterator

import pytest

from freeswitch_audio_stream.engine.dispatch.dispatcher import Dispatcher
from freeswitch_audio_stream.engine.dispatch.schedule import Timer
from freeswitch_audio_stream.engine.dispatch.timers import Timers
from freeswitch_audio_stream.realtime import wakeup
from freeswitch_audio_stream.realtime.core import Queue

from ..harness import PATIENCE


class Bench:
    """A dispatcher on a queue of its own."""

    def __init__(self) -> None:
        self.faults: list[BaseException] = []
        self.jumped = 0.0
        """Seconds for which it has been made to stand still."""
        worker: Any = SimpleNamespace(dispatch_queue=Queue())
        self.dispatcher = Dispatcher(worker, self.faults.append, lambda: time.monotonic() + self.jumped)

    def run(self, *jobs: Any) -> None:
        """Run jobs on the dispatcher, and wait for the last."""
        done = threading.Event()
        for job in jobs:
            self.dispatcher.post(job)
        self.dispatcher.post(done.set)
        assert done.wait(PATIENCE)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.dispatcher.start()
    yield bench
    assert bench.dispatcher.stop(time.monotonic() + PATIENCE)


def test_jobs_run_in_order_on_one_thread(bench: Bench) -> None:
    ran: list[tuple[int, int]] = []

    def add(number: int) -> None:
        ran.append((number, threading.get_ident()))
    bench.run(*[lambda number=number: add(number) for number in range(1000)])
    assert [number for number, _ in ran] == list(range(1000))
    assert len({thread for _, thread in ran}) == 1 and ran[0][1] != threading.get_ident()


def test_jobs_of_many_threads_all_run(bench: Bench) -> None:
    count = [0]

    def add() -> None:
        count[0] += 1

    def post() -> None:
        for _ in range(500):
            bench.dispatcher.post(add)
    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.run()
    assert count == [4000]


def test_a_defect_is_told_and_the_rest_goes_on(bench: Bench) -> None:
    ran = []

    def fail() -> None:
        raise ValueError("a defect")
    bench.run(fail, lambda: ran.append(1), fail, lambda: ran.append(2))
    assert ran == [1, 2]
    assert [str(fault) for fault in bench.faults] == ["a defect", "a defect"]


def test_timers_run_in_the_order_of_their_times(bench: Bench) -> None:
    ran: list[str] = []
    done = threading.Event()

    def set_up() -> None:
        for name, seconds in (("late", 0.03), ("soon", 0.01), ("middle", 0.02), ("now", 0.0)):
            bench.dispatcher.call_later(seconds, lambda name=name: ran.append(name))  # type: ignore[misc]
        bench.dispatcher.call_later(0.04, done.set)
    bench.run(set_up)
    assert done.wait(PATIENCE)
    assert ran == ["now", "soon", "middle", "late"]


def test_a_timer_is_never_early_and_wakes_a_sleeper(bench: Bench) -> None:
    done = threading.Event()
    began = time.monotonic()
    bench.run(lambda: bench.dispatcher.call_later(0.1, done.set))
    assert done.wait(PATIENCE) and time.monotonic() - began >= 0.1


def test_timers_count_the_time_in_which_we_run(bench: Bench) -> None:
    """A ping that has not been answered while we stood still has not been waited for."""
    timers: list[Timer] = []
    soon = threading.Event()
    bench.run(lambda: timers.append(bench.dispatcher.call_later(25, lambda: None)),
              lambda: bench.dispatcher.call_later(1, soon.set))
    for stop in (30, 60, 120):
        bench.jumped += stop
        bench.run()  # it goes on, and looks at its timers
    bench.run()
    assert timers[0].is_pending
    assert soon.wait(PATIENCE), "and goes on with those whose time comes"
    now: list[float] = []
    bench.run(lambda: now.append(bench.dispatcher.now()))
    assert now[0] < 20


def test_named_timers(bench: Bench) -> None:
    """Setting a name again cancels what it had; a repeated one goes on until it is cancelled."""
    ran: list[str] = []
    timers = Timers(bench.dispatcher)
    done, cancelled = threading.Event(), threading.Event()

    def tick() -> None:
        ran.append("tick")
        if ran.count("tick") == 3:
            timers.cancel("tick")
            done.set()

    def set_up() -> None:
        timers.after("a", 0.01, lambda: ran.append("replaced"))
        timers.after("a", 0.01, lambda: ran.append("a"))
        timers.after("b", 0.01, lambda: ran.append("cancelled"))
        timers.cancel("b")
        timers.cancel("never set")
        timers.every("tick", 0.005, tick)
        timers.every("never", 0, lambda: ran.append("never"))
    bench.run(set_up)
    assert done.wait(PATIENCE)
    bench.run(lambda: timers.after("c", 0.01, lambda: ran.append("too late")), timers.cancel_all,
              lambda: bench.dispatcher.call_later(0.05, cancelled.set))
    assert cancelled.wait(PATIENCE)
    assert sorted(ran) == ["a", "tick", "tick", "tick"]


def test_handlers_are_called_for_their_stream_only(bench: Bench) -> None:
    called: list[int] = []
    for index in (3, 5):
        bench.dispatcher.adopt(index, lambda index=index: called.append(index))  # type: ignore[misc]
    push = wakeup.push
    for index in (3, 4, 5, 3):
        push(bench.dispatcher.worker.dispatch_queue.address, index)
    bench.run()
    bench.dispatcher.forget(3)
    push(bench.dispatcher.worker.dispatch_queue.address, 3)
    bench.run()
    assert called == [3, 5, 3]


def test_stop_finishes_what_was_posted_before() -> None:
    bench = Bench()
    ran: list[int] = []
    for number in range(100):
        bench.dispatcher.post(lambda number=number: ran.append(number))  # type: ignore[misc]
    bench.dispatcher.start()
    assert bench.dispatcher.stop(time.monotonic() + PATIENCE)
    assert ran == list(range(100))


def test_stop_does_not_wait_for_ever() -> None:
    bench = Bench()
    go_on = threading.Event()
    bench.dispatcher.start()
    bench.dispatcher.post(lambda: None if go_on.wait(PATIENCE) else None)
    assert bench.dispatcher.stop(time.monotonic() + 0.05) is False
    go_on.set()


def test_stop_without_a_start() -> None:
    assert Bench().dispatcher.stop(0.0)
