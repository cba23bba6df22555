"""Streams to the gateway: a real one, in this process."""

from __future__ import annotations

import numpy as np

from freeswitch_audio_stream.audio import Samples
from tests.services.gateway.harness import Site

from ..harness import CodecSpec, Platform, find, noise, until

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
