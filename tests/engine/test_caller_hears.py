"""What the server says reaches the caller: in order, without gaps, mixed into what the leg carries anyway."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
import soxr

from freeswitch_audio_stream.audio import ALL_RATES, Samples, mulaw_to_samples, samples_to_l16, samples_to_mulaw
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.services.agent.session import AgentSession
from freeswitch_audio_stream.services.agent.wav import read_wav
from freeswitch_audio_stream.simulator import CodecSpec

from .harness import L16, PATIENCE, Platform, align, audible, find, heard_all, noise, until, wait_for_audio

pytestmark = pytest.mark.slow

SPEECH = noise(4000, seed=3)
PROMPT = noise(4000, seed=4)
DATA = Path(__file__).parent.parent / "data"


def say(session: AgentSession, samples: Samples, rate: int = 8000) -> None:
    """Have the caller hear samples, and wait until it has."""
    session.send(play_message("s", samples, rate))
    heard_all(session)


def pieces(samples: Samples, size: int) -> Iterator[Samples]:
    return (samples[begin:begin + size] for begin in range(0, len(samples), size))


# Legs.

@pytest.mark.parametrize("app", ["park", "playback", "echo"])
@pytest.mark.parametrize("codec", [L16, CodecSpec("L16", 8000, 10), CodecSpec("L16", 8000, 30),
                                   CodecSpec("L16", 8000, 60)], ids=lambda codec: f"{codec.ptime_ms}ms")
def test_every_leg_hears_it_whole(platform: Platform, agent: Agent, app: str, codec: CodecSpec) -> None:
    call = platform.call(app=app, codec=codec)
    say(platform.connect(agent, call), SPEECH)
    assert find(call.heard(), SPEECH) % codec.packet_samples == 0
    assert np.array_equal(audible(call.heard()), SPEECH)


def test_a_parked_leg_gets_no_frames_but_for_what_it_hears(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    session.wait_for(lambda session: session.sample_count() > 4000, PATIENCE)
    assert len(call.heard()) == 0
    say(session, SPEECH)
    assert len(call.heard()) - len(SPEECH) <= 2 * L16.packet_samples


def test_it_is_mixed_into_what_else_is_played(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    call.play(np.full(80000, 1000, np.int16))
    until(lambda: 1000 in call.heard()[-100:])
    say(session, SPEECH)
    assert find(call.heard() - 1000, SPEECH) >= 0


def test_a_mix_that_is_too_loud_is_clipped(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    call.play(np.full(80000, 30000, np.int16))
    until(lambda: 30000 in call.heard()[-100:])
    say(session, SPEECH)
    assert find(call.heard(), np.minimum(SPEECH.astype(np.int32) + 30000, 32767).astype(np.int16)) >= 0


def test_a_bridged_leg_hears_both(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="bridge")
    other = platform.call(app="bridge", speech=np.full(800000, 1000, np.int16))
    session = platform.connect(agent, call)
    platform.switch.bridge(call, other)
    until(lambda: 1000 in call.heard()[-100:])
    say(session, SPEECH)
    assert find(call.heard() - 1000, SPEECH) >= 0
    assert find(other.heard(), SPEECH[:160]) == -1


def test_somebody_else_begins_and_ceases_to_write(platform: Platform, agent: Agent) -> None:
    """Each takes over where the other stops, and not a sample is lost or comes twice."""
    call = platform.call(speed=1)
    session = platform.connect(agent, call)
    session.send(play_message("s", noise(8000), 8000))
    for app in ("playback", "park"):
        before = len(call.heard())
        until(lambda: len(call.heard()) > before + 1600)
        call.run_app(app)
    heard_all(session)
    assert np.array_equal(audible(call.heard()), noise(8000))


# Forms.

def test_bursts_play_in_order(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    for piece in pieces(SPEECH, 333):
        session.send(play_message("s", piece, 8000))
    heard_all(session)
    assert find(call.heard(), SPEECH) >= 0


def test_mulaw(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    coded = samples_to_mulaw(SPEECH)
    session.send({"event": "media.play", "payload": {
        "audioData": base64.b64encode(coded.tobytes()).decode(), "sampleRate": 8000, "format": "MULAW"}})
    heard_all(session)
    assert find(call.heard(), mulaw_to_samples(coded)) >= 0


def test_binary_frames_of_any_length(platform: Platform, agent: Agent) -> None:
    """They are L16 at the stream's rate, whatever travels the other way; a sample may be cut in two."""
    call = platform.call(codec=CodecSpec("L16", 16000), app="playback")
    session = platform.connect(agent, call, rate="mulaw 16000")
    data = samples_to_l16(SPEECH)
    for begin, end in zip((0, 1, 2, 5, 1000, 1001, 7000), (1, 2, 5, 1000, 1001, 7000, len(data))):
        session.send(data[begin:end])
    heard_all(session)
    assert find(call.heard(), SPEECH) >= 0
    assert platform.event("media_play_start", call)["format"] == "binary"
    until(lambda: len(platform.events("media_play_complete", call)) == 2)
    assert [event["status"] for event in platform.events("media_play_complete", call)] == ["played"] * 2


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_telephone_codecs(platform: Platform, agent: Agent, name: str) -> None:
    call = platform.call(codec=CodecSpec(name))
    say(platform.connect(agent, call), mulaw_to_samples(samples_to_mulaw(SPEECH)))
    if name == "PCMU":
        assert find(call.heard(), mulaw_to_samples(samples_to_mulaw(SPEECH))) >= 0
    assert align(call.heard(), SPEECH)[1] > 0.999


def test_every_channel_of_a_stereo_leg(platform: Platform, agent: Agent) -> None:
    call = platform.call(codec=CodecSpec("L16", 16000, 20, 2))
    say(platform.connect(agent, call), SPEECH, 16000)
    heard = call.heard()
    for channel in range(2):
        assert find(np.ascontiguousarray(heard[:, channel]), SPEECH) >= 0


def test_the_part_of_a_frame_at_the_end(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    for piece in (SPEECH[:1], SPEECH[1:162]):
        say(session, piece)
    assert np.array_equal(audible(call.heard()), SPEECH[:162])


# Rates.

@pytest.fixture(scope="module")
def speech() -> Samples:
    samples, rate = read_wav(DATA / "agent_16k.wav")
    assert rate == 16000
    return samples[:24000]


@pytest.mark.parametrize("rate", ALL_RATES)
@pytest.mark.parametrize("leg", [8000, 16000, 44100, 48000])
def test_any_rate_on_any_leg(platform: Platform, agent: Agent, speech: Samples, rate: int, leg: int) -> None:
    call = platform.call(codec=CodecSpec("L16", leg), app="playback")
    said = np.asarray(soxr.resample(speech, 16000, rate, quality="VHQ"), np.int16)
    say(platform.connect(agent, call), said, rate)
    expected = said if rate == leg else delayed(said, rate, leg)
    lag, correlation = align(call.heard(), expected)
    assert correlation > 0.999
    assert lag % (leg // 50) == 0, "the delay is not exactly that of the filter"


def delayed(said: Samples, rate: int, leg: int) -> Samples:
    """What an independent resampler makes of it, after 24 samples of the lower rate."""
    silence = np.zeros(24, np.int16)
    if rate < leg:
        return np.asarray(soxr.resample(np.concatenate([silence, said]), rate, leg, quality="VHQ"), np.int16)
    return np.concatenate([silence, soxr.resample(said, rate, leg, quality="VHQ")])


def test_rates_that_follow_each_other(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    for rate in (8000, 16000, 8000, 24000, 8000):
        session.send(play_message("s", tone(rate // 5, rate), rate))
    heard_all(session)
    heard = audible(call.heard())
    assert abs(len(heard) - 8000) < 200  # but for zeros of the tone, and what the filters hold
    assert find(call.heard(), tone(1600, 8000)[1:]) >= 0


def tone(samples: int, rate: int) -> Samples:
    wave: Samples = np.rint(8000 * np.sin(2 * np.pi * 440.5 * np.arange(samples) / rate)).astype(np.int16)
    return wave


def test_a_leg_that_changes_its_codec(platform: Platform, agent: Agent) -> None:
    call = platform.call(codec=CodecSpec("L16", 8000))
    session = platform.connect(agent, call)
    session.send(play_message("s", tone(16000, 16000), 16000))
    for codec in (CodecSpec("L16", 16000, 20), CodecSpec("PCMU", 8000, 30), CodecSpec("L16", 48000, 10)):
        before = len(call.heard_frames())
        until(lambda: len(call.heard_frames()) > before + 5)
        call.change_codec(codec)
    heard_all(session)
    assert platform.status(call)["msPlayed"] == 1000
    assert platform.status(call)["errors"] == 0


# The outbound track, and several streams.

@pytest.mark.parametrize("app", ["park", "playback"])
def test_what_is_played_is_on_the_outbound_track(platform: Platform, agent: Agent, app: str) -> None:
    call = platform.call(app=app, speed=1)
    session = platform.connect(agent, call, track="both")
    say(session, SPEECH)
    session.wait_for(lambda s: len(audible(s.samples("outbound"))) >= len(SPEECH), PATIENCE)
    assert np.array_equal(audible(session.samples("outbound")), SPEECH)
    assert not session.samples("inbound").any()


def test_two_servers_speak_at_once(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    first = platform.connect(agent, call, track="outbound")
    second = platform.connect(agent, call, stream_id="second", track="outbound")
    steady = np.full(40000, 1000, np.int16)
    second.send(play_message("second", steady, 8000))
    until(lambda: 1000 in call.heard()[-100:])
    say(first, SPEECH)
    assert find(call.heard() - 1000, SPEECH) >= 0
    wait_for_audio(first, SPEECH + np.int16(1000), "outbound")
    wait_for_audio(second, SPEECH + np.int16(1000), "outbound")


def test_two_servers_speak_on_a_parked_leg(platform: Platform, agent: Agent) -> None:
    """However their words fall on each other, the caller hears the sum of both, and each of them whole."""
    call = platform.call()
    sessions = [platform.connect(agent, call, stream_id=name) for name in ("first", "second")]
    for session, value in zip(sessions, (1000, 300)):
        session.send(play_message(session.stream_id, np.full(3200, value, np.int16), 8000))
    for session in sessions:
        heard_all(session)
    heard = call.heard()
    assert set(np.unique(heard)) <= {0, 300, 1000, 1300}
    assert np.count_nonzero(heard >= 1000) == np.count_nonzero(heard % 1000 == 300) == 3200


def test_a_one_way_stream_says_nothing(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call, bidirectional=0)
    session.send(play_message("s", SPEECH, 8000))
    session.send(samples_to_l16(SPEECH))
    for kind in ("one_way", "binary"):
        assert "one-way" in platform.event("stream_error", call, kind=kind)["error"]
    assert not call.heard().any()


# Clear, and limits.

def test_clear_silences_within_three_frames(platform: Platform, agent: Agent) -> None:
    # A slow call: what counts are frames, however busy this machine may be.
    call = platform.call(app="playback", speed=0.2)
    session = platform.connect(agent, call)
    session.send(play_message("s", SPEECH, 8000))
    until(lambda: call.heard().any())
    before = np.count_nonzero(call.heard())
    session.send({"event": "media.clear", "streamId": "s"})
    session.send(play_message("s", PROMPT[:160], 8000))
    heard_all(session)
    heard = audible(call.heard())
    after = find(heard, PROMPT[:160])
    assert before <= after <= before + 3 * 160
    assert np.array_equal(heard[:after], SPEECH[:after])


def test_clear_silences_a_parked_leg_within_three_frames(platform: Platform, agent: Agent) -> None:
    # The write clock keeps real time, so one of many tries has to be undisturbed.
    call = platform.call()
    session = platform.connect(agent, call)
    late = []
    for _ in range(10):
        session.send(play_message("s", np.full(8000, 1000, np.int16), 8000))
        begin = len(call.heard())
        until(lambda: len(call.heard()) > begin + 160)
        before = len(call.heard())
        session.send({"event": "media.clear", "streamId": "s"})
        heard_all(session)
        late.append(np.count_nonzero(call.heard()[before:]))
        if late[-1] <= 3 * 160:
            return
    pytest.fail(f"samples heard after the clear: {late}")


def test_what_comes_after_a_clear_is_heard(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    for samples in (PROMPT, noise(8000, seed=9), SPEECH):
        session.send({"event": "media.clear"})
        session.send(play_message("s", samples, 8000))
    heard_all(session)
    assert find(call.heard(), SPEECH) >= 0


def test_a_server_that_sends_too_far_ahead(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=20)
    session = platform.connect(agent, call, prefix="{playback-secs=1}")
    session.send(play_message("s", noise(16000), 8000))
    assert "queue is full" in platform.event("stream_error", call, kind="playback_full")["error"]
    heard_all(session)
    status = platform.status(call)
    assert status["playbackDroppedMs"] == 1000 and status["msPlayed"] == 1000
    assert np.array_equal(audible(call.heard()), noise(16000)[:8000])
    say(session, SPEECH)
    assert find(call.heard(), SPEECH) >= 0
