"""Failures are limited by address, in bounded memory, and nobody else is slowed."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections import Counter

import pytest

from freeswitch_audio_stream.web.failure_limit import BURST, MAX_ADDRESSES, REFILL_SECONDS, FailureLimit, key_of
from tests.engine.harness import until

from .harness import TOKEN, Site


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


def test_ten_thousand_wrong_tokens_slow_only_their_address(site: Site) -> None:
    call = site.call()
    place = f"/v1.0/calls/{call.uuid}/media_stream?encapsulation=sln&token="
    statuses: Counter[int] = Counter()

    def guess() -> None:
        """A hundred requests at a time, without waiting for their answers in between."""
        host, _, port = site.server.address.rpartition(":")
        with socket.create_connection((host, int(port)), source_address=("127.0.0.2", 0)) as sock:
            for first in range(0, 10_000, 100):
                sock.sendall("".join(f"GET {place}wrong-token-{number} HTTP/1.1\r\nHost: x\r\n\r\n"
                                     for number in range(first, first + 100)).encode())
                answers = b""
                while answers.count(b"HTTP/1.1 ") < 100 or not answers.endswith(b"}"):
                    answers += sock.recv(65536)
                for status in (401, 429):
                    statuses[status] += answers.count(b"HTTP/1.1 %d" % status)

    guesser = threading.Thread(target=guess)
    guesser.start()
    until(lambda: statuses[429] > 0)
    for _ in range(5):
        site.connect(call).close()
    assert guesser.is_alive(), "the others were served while it was guessing"
    guesser.join()
    # One more may have been heard for every REFILL_SECONDS that it took.
    assert statuses[401] + statuses[429] == 10_000 and statuses[401] < 2 * BURST
    refused = site.request(place + TOKEN, source="127.0.0.2")
    assert refused.status == 429, "a right guess is not told from a wrong one"
    assert 0 < int(refused.headers["retry-after"]) <= REFILL_SECONDS
    site.forgive("127.0.0.2")
