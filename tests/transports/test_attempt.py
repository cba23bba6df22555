"""The time limit of an attempt counts the time in which we run."""

from __future__ import annotations

import select
import socket
import threading

import pytest

from freeswitch_audio_stream.errors import ConnectError, ConnectTimeout
from freeswitch_audio_stream.transports.attempt import Attempt, Cancel
from tests.test_running_clock import Time


@pytest.mark.parametrize("stop", [30, 60, 120])
def test_standing_still_does_not_use_up_the_time_limit(stop: float) -> None:
    time = Time()
    attempt = Attempt("here:1", 3, Cancel(), time)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        time.now += stop
        theirs.send(b"an answer that came meanwhile")
        assert attempt.wait({ours: select.POLLIN}) == [ours]
    left = attempt.remaining()
    assert left is not None and left >= 2
    time.now += stop
    event = threading.Event()
    threading.Timer(0.05, event.set).start()
    attempt.wait_for(event)


def test_what_came_while_we_stood_still_is_not_thrown_away() -> None:
    """However little time was left."""
    time = Time()

    class Answer(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            time.now += 60
            return True
    attempt = Attempt("here:1", 0.1, Cancel(), time)
    attempt.wait_for(Answer())
    with pytest.raises(ConnectTimeout):
        attempt.remaining()


def test_time_in_which_we_run_counts() -> None:
    attempt = Attempt("here:1", 0.6, Cancel())
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ConnectTimeout, match="here:1 within 0.6 s"):
        attempt.wait({ours: select.POLLIN})
    with pytest.raises(ConnectTimeout):
        Attempt("here:1", 0.3, Cancel()).wait_for(threading.Event())


def test_a_wait_that_is_shorter_than_the_limit_ends_with_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert Attempt("here:1", 60, Cancel()).wait({ours: select.POLLIN}, 0.3) == []
        assert Attempt("here:1", None, Cancel()).wait({ours: select.POLLIN}, 0.01) == []


def test_a_cancelled_wait_ends_at_once() -> None:
    cancel = Cancel()
    attempt = Attempt("here:1", 60, cancel)
    ours, theirs = socket.socketpair()
    with ours, theirs, attempt.holding(ours):
        threading.Timer(0.05, cancel.cancel).start()
        with pytest.raises(ConnectError, match="given up"):
            attempt.wait({ours: select.POLLIN})


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_an_attempt_may_go_on_for_a_while_although_it_is_cancelled(timeout: float | None) -> None:
    cancel = Cancel()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        attempt = Attempt("here:1", timeout, cancel).outlasting(60)
        cancel.cancel()
        threading.Timer(0.3, lambda: theirs.send(b"x")).start()
        assert attempt.wait({ours: select.POLLIN}) == [ours]


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_but_not_for_longer(timeout: float | None) -> None:
    cancel = Cancel()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        attempt = Attempt("here:1", timeout, cancel).outlasting(0.3)
        threading.Timer(0.05, cancel.cancel).start()
        with pytest.raises(ConnectError, match="given up"):
            attempt.wait({ours: select.POLLIN})
