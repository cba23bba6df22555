"""Streams to the gateway: a real one, in this process."""

from __future__ import annotations

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Samples
from tests.services.gateway.harness import Site

from ..harness import CodecSpec, Platform, audible, find, noise, until
from freeswitch_audio_stream.testing.peers.fault_proxy import FaultProxy

pytestmark = pytest.mark.slow

WIDE = CodecSpec("L16", 16000)


def url(site: Site) -> str:
    """Where the API of a gateway is."""
    return f"{site.gateway.url}/api/voice"


def audio_of(data: bytes | bytearray) -> Samples:
    """L16 as samples."""
    return np.frombuffer(bytes(data[:len(data) // 2 * 2]), "<i2").astype(np.int16)


def test_a_call_hears_itself(platform: Platform, echo: Site) -> None:
    call = platform.call(codec=WIDE)
    platform.start(call, url(echo), rate=16000)
    spoken = noise(16000)
    call.say(spoken)
    until(lambda: find(call.heard(), spoken) >= 0)
    platform.tell(call, "stop done")
    stopped = platform.event("stream_stopped", call)
    assert stopped["summary"]["callId"] == call.uuid
    assert (stopped["reason"], stopped["detail"]) == ("requested", "done")
    assert stopped["statistics"]["errors"] == 0


def test_the_gateway_knows_what_the_caller_has_heard(platform: Platform, site: Site) -> None:
    call = platform.call(codec=WIDE)
    platform.start(call, url(site), rate=16000)
    spoken = noise(16000)
    call.say(spoken)
    agent = site.agent()
    until(lambda: find(audio_of(agent.audio), spoken) >= 0)
    said = noise(16000, 2)
    site.do(("play", said.tobytes()))
    until(lambda: find(call.heard(), said) >= 0)
    platform.tell(call, "pause_play")
    site.do(("play", noise(32000, 3).tobytes()))
    platform.event("media_play_start", call, durationMs=1000)
    until(lambda: platform.status(call)["playbackQueueMs"] >= 1000)
    site.do(("clear",))
    until(lambda: any(cleared for _, cleared in agent.reports))
    heard = next(milliseconds for milliseconds, cleared in agent.reports if cleared)
    assert heard == 1000, "what was discarded does not count"
    platform.tell(call, "resume_play")
    after = noise(3000, 4)
    site.do(("play", after.tobytes()), ("transcript", "AI", "Yes?"))
    until(lambda: find(call.heard(), after) >= 0)
    assert platform.event("transcription_received", call)["payload"]["transcript"] == "[AI]: Yes?"


def test_nothing_is_lost_or_doubled_where_connections_break(platform: Platform, echo: Site) -> None:
    """Each connection is cut again and again; what comes back is what was said, once."""
    with FaultProxy(echo.gateway.url.partition("//")[2]) as proxy:
        call = platform.call(codec=WIDE)
        platform.start(call, f"http://{proxy.place}/api/voice", rate=16000)
        until(lambda: platform.status(call)["msPlayed"] > 0)
        parts = [noise(8000, seed) for seed in range(6)]
        for part in parts:
            call.say(part)
            until(call.has_spoken)
            proxy.cut()
        until(lambda: all(find(call.heard(), part) >= 0 for part in parts))
        platform.tell(call, "pause")
        heard = audible(call.heard())
        assert len(heard) == sum(map(len, parts)), "twice, or not at all"
