"""Failures are limited by address, in bounded memory, and nobody else is slowed."""

from __future__ import annotations

import ipaddress

import pytest

from freeswitch_audio_stream.web.failure_limit import BURST, MAX_ADDRESSES, REFILL_SECONDS, FailureLimit, key_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_is_free_and_then_one_at_a_time(clock: Clock) -> None:
    limit = FailureLimit(clock)
    for _ in range(BURST):
        assert limit.wait_seconds("192.0.2.1") == 0
        limit.failed("192.0.2.1")
    assert limit.wait_seconds("192.0.2.1") == REFILL_SECONDS
    assert limit.wait_seconds("192.0.2.2") == 0
    clock.now += REFILL_SECONDS - 0.5
    assert limit.wait_seconds("192.0.2.1") == 1
    clock.now += 0.5
    assert limit.wait_seconds("192.0.2.1") == 0
    limit.failed("192.0.2.1")
    assert limit.wait_seconds("192.0.2.1") > 0


def test_all_is_forgiven_and_forgotten_in_time(clock: Clock) -> None:
    limit = FailureLimit(clock)
    for _ in range(BURST):
        limit.failed("192.0.2.1")
    clock.now += BURST * REFILL_SECONDS
    limit.failed("192.0.2.9")
    assert limit.wait_seconds("192.0.2.1") == 0 and len(limit) == 1


def test_memory_is_bounded(clock: Clock) -> None:
    limit = FailureLimit(clock)
    for number in range(3 * MAX_ADDRESSES):
        limit.failed(str(ipaddress.IPv4Address(number)))
    assert len(limit) == MAX_ADDRESSES
    for _ in range(BURST):
        limit.failed("192.0.2.1")
    assert limit.wait_seconds("192.0.2.1") > 0 and len(limit) == MAX_ADDRESSES


@pytest.mark.parametrize("address, key", [
    ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
    ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"), ("fe80::1%eth0", "fe80::/64"), ("", ""), ("unix", "unix"),
])
def test_what_failures_are_counted_by(address: str, key: str) -> None:
    assert key_of(address) == key
