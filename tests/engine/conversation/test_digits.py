"""A key that is pressed once is told once, whoever notices it."""

from __future__ import annotations

import os
from ctypes import byref
from typing import Iterator

import pytest

from freeswitch_audio_stream.engine.conversation.digits import SLACK_SECONDS, Digits
from freeswitch_audio_stream.realtime.media.dtmf import DigitQueue
from freeswitch_audio_stream.switch.layouts import Dtmf, DtmfHook

pytestmark = pytest.mark.slow

TONES, RTP, INFO = 1, 2, 3


class Desk:
    """Reports of digits, on a clock that is set by hand."""

    def __init__(self, event_fd: int) -> None:
        self.queue = DigitQueue(event_fd)
        self.now = 100.0
        self.warnings: list[str] = []
        self._digits = Digits(self.queue, self.warnings.append, lambda: self.now)

    def report(self, digit: str, source: int, ms: int = 100, session: int = 1) -> None:
        dtmf = Dtmf(digit=digit.encode(), duration=8 * ms, source=source)
        DtmfHook(self.queue.hook_address)(session, byref(dtmf), 0)

    def told(self) -> str:
        """The digits that are told now."""
        return "".join(digit.digit for digit in self._digits.take())

    def hear(self, digit: str, source: int, after: float = 0.0, ms: int = 100, session: int = 1) -> str:
        """What is told when a digit is reported so many seconds after the last."""
        self.now += after
        self.report(digit, source, ms, session)
        return self.told()


@pytest.fixture
def desk() -> Iterator[Desk]:
    descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    yield Desk(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("after", [0.0, 0.05, SLACK_SECONDS])
@pytest.mark.parametrize("first, second", [(RTP, TONES), (TONES, RTP), (INFO, TONES), (12345678, 87654321)])
def test_two_that_notice_one_key(desk: Desk, first: int, second: int, after: float) -> None:
    assert desk.hear("5", first) == "5"
    assert desk.hear("5", second, after) == ""


def test_the_same_key_again(desk: Desk) -> None:
    assert [desk.hear("5", RTP, 0.01) for _ in range(5)] == ["5"] * 5


@pytest.mark.parametrize("order", ["RTRT", "RRTT", "TRRT", "TTRR", "RTTR"])
def test_the_same_key_twice_for_two(desk: Desk, order: str) -> None:
    source = {"R": RTP, "T": TONES}
    assert "".join(desk.hear("5", source[letter], 0.05) for letter in order) == "55"


def test_one_of_two_misses_the_first(desk: Desk) -> None:
    assert desk.hear("5", RTP) + desk.hear("5", RTP, 0.2) + desk.hear("5", TONES, 0.05) == "55"


def test_three_that_notice(desk: Desk) -> None:
    assert "".join(desk.hear("7", source, 0.01) for source in (RTP, TONES, 99999, 88888)) == "7"


def test_a_key_that_is_held(desk: Desk) -> None:
    """Tones that stop while the key is held, as gateways let the beginning of them pass, are told of long before."""
    assert desk.hear("5", TONES, ms=60) == "5"
    assert desk.hear("5", RTP, after=2.0, ms=2060) == ""


def test_what_is_too_long_ago_is_another_key(desk: Desk) -> None:
    assert desk.hear("5", RTP) == "5"
    assert desk.hear("5", TONES, after=SLACK_SECONDS + 0.101) == "5"


def test_other_keys_and_other_calls(desk: Desk) -> None:
    for digit, source, session in (("1", RTP, 1), ("2", TONES, 1), ("1", TONES, 2)):
        assert desk.hear(digit, source, session=session) == digit


def test_the_order_stays(desk: Desk) -> None:
    for digit in "123":
        desk.report(digit, RTP)
        desk.report(digit, TONES)
    assert desk.told() == "123" and desk.told() == ""


def test_losses_are_told_once_for_an_episode(desk: Desk) -> None:
    def flood() -> None:
        for _ in range(2000):
            desk.report("5", RTP)
        desk.told()
    flood()
    flood()
    first = desk.queue.lost // 2
    assert [int(warning.split()[0]) for warning in desk.warnings] == [first]
    desk.now += 60
    desk.told()
    assert [int(warning.split()[0]) for warning in desk.warnings] == [first, first], "the rest of the first flood"
    desk.now += 60
    desk.told()
    assert len(desk.warnings) == 2
