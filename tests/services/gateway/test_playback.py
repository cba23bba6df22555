"""How much the caller has heard: told, estimated, and after clearing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.services.gateway.playback import PlaybackAccount
from freeswitch_audio_stream.services.gateway.store.interface import Playback

MS = 32


def account(**before: int) -> PlaybackAccount:
    return PlaybackAccount(Playback(**before))


def test_what_is_told_counts_up_to_what_was_delivered() -> None:
    it = account()
    it.play(1000 * MS)
    it.deliver(600 * MS, False, 0)
    it.tell(250, True, 0)
    assert it.milliseconds == 250
    it.tell(200, True, 0)
    assert it.milliseconds == 250, "it only grows"
    it.tell(5000, True, 0)
    assert it.milliseconds == 600


def test_an_estimate_is_real_time_since_delivery() -> None:
    it = account()
    it.play(1000 * MS)
    it.deliver(400 * MS, False, 10.0)
    it.estimate(10.1)
    assert it.milliseconds == 100
    it.estimate(20.0)
    assert it.milliseconds == 400
    it.deliver(400 * MS, False, 30.0)
    it.estimate(30.05)
    assert it.milliseconds == 450, "nothing was heard while there was nothing"


def test_many_estimates_lose_nothing() -> None:
    it = account()
    it.play(10_000 * MS)
    it.deliver(10_000 * MS, False, 0.0)
    for number in range(1, 5001):
        it.estimate(number * 0.0015)
    assert it.milliseconds == 7500


def test_what_comes_after_clearing_continues_where_the_caller_was() -> None:
    it = account()
    it.tell(0, True, 0)
    it.play(1000 * MS)
    it.deliver(800 * MS, False, 1)
    it.clear(1.2)
    it.play(500 * MS)
    assert it.tell(150, True, 1.25) == 0, "the client does not know yet"
    it.deliver(500 * MS, True, 1.3)
    assert it.tell(160, False, 1.31) == 0, "sent beside audio, perhaps before it knew"
    assert it.tell(220, True, 1.35) == 1 and it.milliseconds == 220
    it.tell(500, True, 2)
    assert it.milliseconds == 500 and it.given == 720 * MS
    it.tell(2000, True, 3)
    assert it.milliseconds == 720


def test_orders_to_clear_are_all_answered_even_if_the_client_does_not() -> None:
    for tells in (True, False):
        it = account()
        if tells:
            it.tell(0, True, 0)
        it.play(1000 * MS)
        it.deliver(1000 * MS, False, 1)
        it.clear(1.5)
        it.clear(1.6)
        it.deliver(0, True, 1.7)
        assert it.estimate(10.0) == 2 and it.estimate(11.0) == 0
        assert it.milliseconds == (0 if tells else 500)


def test_who_goes_on_for_another_counts_its_own_audio_only() -> None:
    it = account(given=300 * MS, heard=100 * MS, delivered=250 * MS)
    it.play(200 * MS)
    it.deliver(250 * MS, False, 0)
    it.tell(300, True, 0)
    assert it.milliseconds == 0
    it.tell(450, True, 0)
    assert it.milliseconds == 150


def test_who_goes_on_for_another_estimates_from_when_it_began() -> None:
    it = account(given=300 * MS, heard=100 * MS, delivered=300 * MS)
    it.play(100 * MS)
    it.deliver(100 * MS, False, 1000.0)
    it.estimate(1000.1)
    assert it.heard == 200 * MS and it.milliseconds == 0
    it.estimate(1000.25)
    assert it.heard == 350 * MS and it.milliseconds == 50


def test_who_goes_on_while_audio_is_being_cleared_counts_it_as_not_heard() -> None:
    it = account()
    it.play(1000 * MS)
    it.deliver(600 * MS, False, 0)
    it.tell(200, False, 0)
    it.clear(0)
    it.play(300 * MS)
    it.deliver(50 * MS, True, 0.1)
    assert it.snapshot == Playback(500 * MS, 200 * MS, 250 * MS)


@given(st.lists(st.tuples(st.sampled_from(("play", "deliver", "cleared", "clear", "tell", "estimate")),
                          st.integers(0, 2000)), max_size=60))
def test_it_only_grows_and_never_beyond_what_was_given(steps: list[tuple[str, int]]) -> None:
    it, now, last, given_in_all, orders, answered = account(), 0.0, 0, 0, 0, 0
    for name, number in steps:
        now += number / 1000
        if name == "play":
            it.play(number * MS)
            given_in_all += number
        elif name in ("deliver", "cleared"):
            it.deliver(number * MS, name == "cleared", now)
        elif name == "clear":
            it.clear(now)
            orders += 1
        else:
            answered += it.tell(number, True, now) if name == "tell" else it.estimate(now)
        assert last <= it.milliseconds <= given_in_all and answered <= orders
        last = it.milliseconds
