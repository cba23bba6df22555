"""``resampler=soxr``: the spectrum of libsoxr on the way to the server."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.simulator import CodecSpec

from ..harness import Platform, align, closed, noise


@pytest.mark.parametrize("track", ["inbound", "both"])
def test_sounds_like_soxr(platform: Platform, agent: Agent, track: str) -> None:
    call = platform.call(speech=noise(16000), codec=CodecSpec("L16", 8000), speed=2)
    session = platform.connect(agent, call, prefix="{resampler=soxr}", track=track, rate=16000)
    session.wait_for(lambda session: session.sample_count("inbound") >= 16000)
    platform.tell(call, "stop")
    closed(session)
    reference = soxr.resample(call.spoken(), 8000, 16000, quality="VHQ")
    heard = session.samples("inbound")[2000:14000]
    _, likeness = align(reference, heard)
    assert likeness > 0.9999


def test_equal_rates_stay_exact(platform: Platform, agent: Agent) -> None:
    call = platform.call(speech=noise(8000), speed=2)
    session = platform.connect(agent, call, prefix="{resampler=soxr}", rate=8000)
    session.wait_for(lambda session: session.sample_count("inbound") >= 4000)
    heard = session.samples("inbound")[:4000]
    spoken = call.spoken()
    shift, _ = align(spoken, heard)
    assert np.array_equal(spoken[shift:shift + 4000], heard)
    call.hangup()
