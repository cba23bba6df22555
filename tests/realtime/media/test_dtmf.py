"""Digits of many sessions on their way from FreeSWITCH's hook to Python."""

from __future__ import annotations

import os
import select
import threading
from collections import defaultdict
from ctypes import byref
from typing import Iterator

import pytest

from freeswitch_audio_stream.realtime.media.dtmf import Digit, DigitQueue
from freeswitch_audio_stream.switch.layouts import Dtmf, DtmfHook

from ..open_stream import PATIENCE

KEYS = "0123456789*#ABCD"


@pytest.fixture
def event_fd() -> Iterator[int]:
    descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def queue(event_fd: int) -> DigitQueue:
    return DigitQueue(event_fd)


def press(queue: DigitQueue, session: int, digit: str, samples: int = 800, source: int = 0) -> int:
    """What FreeSWITCH does when a session receives a digit."""
    dtmf = Dtmf(digit=digit.encode(), duration=samples, source=source)
    return int(DtmfHook(queue.hook_address)(session, byref(dtmf), 0))


def test_every_digit_with_its_duration(queue: DigitQueue, event_fd: int) -> None:
    for number, digit in enumerate(KEYS):
        assert press(queue, 0x7F00_0000_1000 + number, digit, 8 * (50 + number)) == 0
    assert os.eventfd_read(event_fd) == len(KEYS)
    assert list(queue.take()) == [Digit(0x7F00_0000_1000 + number, digit, 50 + number)
                                  for number, digit in enumerate(KEYS)]
    assert list(queue.take()) == []


def test_every_digit_with_its_source(queue: DigitQueue) -> None:
    for source in range(5):
        press(queue, 1, "5", source=source)
    assert [digit.source for digit in queue.take()] == list(range(5))


def test_a_flood_is_counted_and_order_survives_it(queue: DigitQueue) -> None:
    for number in range(5000):
        press(queue, number + 1, "5")
    taken = list(queue.take())
    assert [digit.session for digit in taken] == list(range(1, len(taken) + 1))
    assert len(taken) >= 256 and len(taken) + queue.lost == 5000
    lost = queue.lost
    press(queue, 9, "9")
    assert list(queue.take()) == [Digit(9, "9", 100)] and queue.lost == lost


def test_many_sessions_at_once(queue: DigitQueue, event_fd: int) -> None:
    presses, sessions = 300, 8
    heard: dict[int, list[int]] = defaultdict(list)
    room = threading.Semaphore(200)

    def session(number: int) -> None:
        for count in range(presses):
            assert room.acquire(timeout=PATIENCE)
            press(queue, number, KEYS[count % 16], 8 * count)
    threads = [threading.Thread(target=session, args=(number,)) for number in range(1, sessions + 1)]
    for thread in threads:
        thread.start()
    while sum(map(len, heard.values())) < presses * sessions:
        assert select.select([event_fd], [], [], PATIENCE)[0]
        os.eventfd_read(event_fd)
        for digit in queue.take():
            assert digit.digit == KEYS[digit.duration_ms % 16]
            heard[digit.session].append(digit.duration_ms)
            room.release()
    for thread in threads:
        thread.join(PATIENCE)
    assert queue.lost == 0
    assert heard == {number: list(range(presses)) for number in range(1, sessions + 1)}
