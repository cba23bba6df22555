"""Calls that end at any instant of a stream: nothing crashes, nothing is left."""

from __future__ import annotations

import gc
import os
import random
import threading
import time

from freeswitch_audio_stream.servers.agent import Agent

from .harness import Platform, until

CALLS = 1000
TOGETHER = 20
_GROWTH_BYTES = 48 << 20


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _storm(platform: Platform, agent: Agent, calls: int, chance: random.Random) -> None:
    """Start streams on `calls` calls, a batch at a time, and hang each up after a random moment."""
    for _ in range(calls // TOGETHER):
        batch = [platform.call() for _ in range(TOGETHER)]
        for call in batch:
            track = chance.choice(("inbound", "outbound", "both"))
            platform.start(call, agent.url, track=track, bidirectional=chance.randrange(2))
            if chance.random() < 0.3:
                platform.run(f"{call.uuid} s {chance.choice(('stop', 'graceful-shutdown', 'pause'))}")
        chance.shuffle(batch)
        for call in batch:
            time.sleep(chance.uniform(0, 0.003))  # the random instant itself, not a wait for anything
            call.hangup()
        for call in batch:
            assert call.destroyed.wait(30), "a call waits for a lock that we hold"
    until(lambda: platform.run("list") == "[]")


def test_hangup_at_random_instants(platform: Platform) -> None:
    chance = random.Random(20)
    with Agent() as agent:
        _storm(platform, agent, 200, chance)  # whatever grows once has grown
        agent.sessions.clear()
        gc.collect()
        threads, descriptors, resident = threading.active_count(), len(os.listdir("/proc/self/fd")), _resident()
        _storm(platform, agent, CALLS, chance)
        agent.sessions.clear()
        until(lambda: threading.active_count() <= threads)
        until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
        gc.collect()
        assert _resident() - resident < _GROWTH_BYTES
    assert platform.switch.misuses == 0
    stopped = platform.switch.event_system.fired
    assert sum(event.subclass == "mod_audio_stream::stream_stopped" for event in stopped) >= CALLS
