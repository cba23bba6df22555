"""A thousand calls that hang up at any instant of a stream's life: nothing is left of any of them."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Callable, Iterator

import orjson
import pytest

from freeswitch_audio_stream.engine.stream import Stream
from freeswitch_audio_stream.module import SwitchCall
from freeswitch_audio_stream.realtime.path import MediaPath
from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall
from freeswitch_audio_stream.switch import ChannelSnapshot, L16Codec
from freeswitch_audio_stream.testing.peers.raw_websocket import RawServer
from freeswitch_audio_stream.transports import Connection
from tests.transports import certificates

from .harness import MODULE, PATIENCE, Body, Platform, noise, until

pytestmark = pytest.mark.slow

FIRST_CALLS = 200
CALLS = 1000
AT_ONCE = 20
SPEECH = noise(8000)
APPS = ("park", "park", "echo", "playback")
CODECS = (CodecSpec("PCMU"), CodecSpec("L16"), CodecSpec("L16", 16000, 10), CodecSpec("L16", 48000, 20, 2))
PREFIXES = ("", "{protocol=binary}", "{chunk-ms=100}", "{reconnect-max=2}", "{resampler=soxr}")
LATE = ("-ERR no such call", "-ERR the call has no media", "-ERR call storm", "-ERR the switch refused")
"""What a start is answered when the hangup was faster."""

GROWTH = 128 << 20
"""Bytes: room for fragments of memory."""
OURS = (Stream, MediaPath, SwitchCall, ChannelSnapshot, L16Codec, Connection)

Stage = Callable[[Body], bool]
STAGES: tuple[Stage, ...] = (
    lambda status: True, lambda status: status["state"] == "streaming",
    lambda status: status["messagesSent"] > 1, lambda status: status["messagesSent"] > 10,
    lambda status: status["messagesReceived"] > 0, lambda status: status["msPlayed"] > 0)
"""Points of a stream's life."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform({"MOD_AUDIO_STREAM_MAX_STREAMS": "4000"})
    yield platform
    platform.close()


class Storm:
    """Calls of every kind, with streams of every kind; no two of them end in the same place."""

    def __init__(self, platform: Platform, urls: list[str]) -> None:
        self._platform = platform
        self._urls = urls
        self._lock = threading.Lock()

    def one_call(self, number: int) -> None:
        choose = random.Random(number)
        call = self._platform.switch.call(f"storm-{number}", speech=SPEECH, speed=20, record_seconds=1,
                                          app=choose.choice(APPS), codec=choose.choice(CODECS))
        killer = threading.Thread(target=self._hang_up, args=(call, choose.random(), choose.choice(STAGES)))
        killer.start()
        for stream_id in "ab"[:choose.randint(1, 2)]:
            self._start(call.uuid, stream_id, choose)
        if choose.random() < 0.4:
            action = choose.choice(["stop", "pause", "graceful-shutdown", "send_text {}", "status", "stop"])
            self._platform.module.execute(f"{call.uuid} a {action}")
        killer.join()
        assert call.join(PATIENCE), "a call was not destroyed"

    def _hang_up(self, call: EmbeddedCall, chance: float, stage: Stage) -> None:
        """After some time, or where the call's first stream has come to a certain point."""
        if chance < 0.5:
            time.sleep(chance ** 3)
        else:
            end = time.monotonic() + chance
            while time.monotonic() < end and not self._has_reached(call, stage):
                time.sleep(0.001)
        call.dtmf("6")
        call.hangup()

    def _has_reached(self, call: EmbeddedCall, stage: Stage) -> bool:
        answer = self._platform.module.execute(f"{call.uuid} a status")
        return not answer.startswith("-ERR") and stage(orjson.loads(answer))

    def _start(self, uuid: str, stream_id: str, choose: random.Random) -> None:
        url = choose.choice(self._urls)
        if url.startswith("ws"):
            url = choose.choice(PREFIXES) + url
        words = (f"{choose.choice(['inbound', 'outbound', 'both'])} {choose.choice(['', 'mulaw '])}"
                 f"{choose.choice([8000, 16000, 48000])} 5 {choose.randint(0, 1)}")
        answer = self._platform.module.execute(f"{uuid} {stream_id} start {url} {words}")
        if answer.startswith("+OK"):
            with self._lock:
                self._platform.started[uuid, stream_id] += 1
        else:
            assert answer.startswith(LATE), answer

    def run(self, first: int, count: int) -> None:
        problems: list[BaseException] = []

        def work(begin: int) -> None:
            try:
                for number in range(first + begin, first + count, AT_ONCE):
                    self.one_call(number)
            except BaseException as error:
                problems.append(error)
        threads = [threading.Thread(target=work, args=(begin,)) for begin in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems, problems[0]
        until(lambda: self._platform.module.execute("list") == "[]")


def test_a_thousand_hangups_leave_nothing(platform: Platform, tmp_path: Path) -> None:
    certificate = certificates.make(tmp_path, "server")
    tls = certificates.server_context(certificate)
    said = (noise(4000, 2), 8000)
    with Agent(speech=said) as agent, Agent(speech=said, tls=tls) as secure, RawServer() as deaf:
        secure_url = f"{{tls-ca-file={certificate.file}}}{secure.url}"
        closed_port = "ws://127.0.0.1:9/"
        storm = Storm(platform, [agent.url] * 7 + [secure_url, closed_port, deaf.url])
        storm.run(0, FIRST_CALLS)  # caches fill, and the graves
        threads, descriptors, memory = after_all(agent, secure)
        objects = objects_left()
        storm.run(FIRST_CALLS, CALLS)
        assert len(agent.sessions) > CALLS / 4 and len(secure.sessions) > CALLS / 50
        check_reasons(platform)
        platform.settle()
        until(lambda: after_all(agent, secure)[0] <= threads)
        until(lambda: after_all(agent, secure)[1] <= descriptors)
        assert after_all(agent, secure)[2] - memory < GROWTH
        assert objects_left() - objects < 20, "a dispatcher may have its last stream in hand, no more"
    assert platform.switch.misuses == 0


def check_reasons(platform: Platform) -> None:
    reasons = Counter(orjson.loads(event.body)["reason"] for event in platform.switch.events
                      if event.subclass == f"{MODULE}::stream_stopped")
    assert reasons["hangup"] > CALLS / 4
    assert not reasons.keys() - {"hangup", "requested", "graceful", "error"}


def objects_left() -> int:
    # By type: isinstance asks a weak reference for its class, and then for that of what is gone.
    return len([thing for thing in gc.get_objects() if issubclass(type(thing), OURS)])


def after_all(*agents: Agent) -> tuple[int, int, int]:
    """Threads, descriptors and bytes of memory that are left."""
    for agent in agents:
        agent.sessions.clear()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the C library keeps for later is not left of anything
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return threading.active_count(), len(os.listdir("/proc/self/fd")), resident
