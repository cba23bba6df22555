"""Two gateways with one Redis, behind a proxy that alternates: nothing is lost and nothing is said twice when one ends,
whether it is killed, asked to go, or stands still and comes back.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Iterator

import pytest

pytest.importorskip("redis")
from .replicas import Crowd, Proxy, Replica  # noqa: E402

pytestmark = pytest.mark.slow
ENDS = int(os.environ.get("GATEWAY_ENDS", "3"))
"""How often one of the two ends; 20 by hand."""
CALLERS = 6


@pytest.fixture
def proxy(replicas: list[Replica]) -> Iterator[Proxy]:
    proxy = Proxy([replica.port for replica in replicas])
    yield proxy
    proxy.close()


def stand_still(replica: Replica, crowd: Crowd) -> None:
    """It stands still until callers hear something without it, and then goes on with what it was about to do."""
    replica.process.send_signal(signal.SIGSTOP)
    crowd.wait_heard()
    replica.process.send_signal(signal.SIGCONT)


def test_whoever_ends_nothing_is_lost_or_said_twice(replicas: list[Replica], proxy: Proxy) -> None:
    seed = int(os.environ.get("GATEWAY_SEED", time.time_ns()))
    chance = random.Random(seed)
    print(f"GATEWAY_SEED={seed}")
    crowd = Crowd(CALLERS, proxy.port)
    crowd.wait_heard()
    ways = [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]
    for number in range(ENDS):
        time.sleep(chance.random())  # any instant: this waits for nothing
        # Mostly the one that runs the agents; the other has requests under way.
        replica = max(replicas, key=lambda each: each.metric("sessions") + chance.randrange(CALLERS + 2))
        way = ways[number % 3] if ENDS <= 3 else chance.choice([signal.SIGKILL, *ways])
        if way == signal.SIGSTOP:
            stand_still(replica, crowd)
        else:
            status = replica.end(way)
            assert status == (0 if way == signal.SIGTERM else -signal.SIGKILL)
            crowd.wait_heard()
            replica.start()
            replica.wait_ready()
        crowd.wait_heard()
        print(f"{number + 1}: {way.name}, and then silence for {crowd.longest_silence():.2f} s")
    crowd.check()
    assert sum(replica.metric("sessions") for replica in replicas) == 0
