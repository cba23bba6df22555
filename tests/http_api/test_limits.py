"""Whoever guesses tokens is slowed down, and nobody else is."""

from __future__ import annotations

import socket
import threading
from collections import Counter

import pytest

from freeswitch_audio_stream.web.failure_limit import BURST, REFILL_SECONDS
from tests.engine.harness import until

from .harness import TOKEN, Site

pytestmark = pytest.mark.slow


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
