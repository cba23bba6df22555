"""What a call carries reaches the server: every track, rate, encoding, ptime and chunk, to the sample."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from freeswitch_audio_stream.audio import RATES, Samples, mulaw_to_samples, samples_to_mulaw
from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.services.agent.session import AgentSession
from freeswitch_audio_stream.services.agent.wav import read_wav
from freeswitch_audio_stream.simulator import CodecSpec

from .harness import L16, PATIENCE, Platform, align, audible, closed, find, noise, until, wait_for_audio

pytestmark = pytest.mark.slow

SPEECH = noise(16000, seed=1)
PROMPT = noise(16000, seed=2)
DATA = Path(__file__).parent.parent / "data"
APPS = ("park", "playback", "echo")
TRACKS = {"inbound": ("inbound",), "outbound": ("outbound",), "both": ("inbound", "outbound")}
URL_PREFIX = {"json": "", "binary": "{protocol=binary}"}


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("protocol", URL_PREFIX)
def test_what_the_caller_says(platform: Platform, agent: Agent, app: str, protocol: str) -> None:
    call = platform.call(app=app)
    session = platform.connect(agent, call, URL_PREFIX[protocol])
    call.say(SPEECH)
    wait_for_audio(session, SPEECH)
    assert session.tracks == ["inbound"]


@pytest.mark.parametrize("protocol", URL_PREFIX)
def test_what_the_caller_hears(platform: Platform, agent: Agent, protocol: str) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call, URL_PREFIX[protocol], track="outbound")
    call.play(PROMPT)
    wait_for_audio(session, PROMPT, "outbound")
    assert session.tracks == ["outbound"]


@pytest.mark.parametrize("protocol", URL_PREFIX)
def test_both_tracks_side_by_side(platform: Platform, agent: Agent, protocol: str) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call, URL_PREFIX[protocol], track="both")
    call.say(SPEECH)
    call.play(PROMPT)
    wait_for_audio(session, SPEECH, "inbound")
    wait_for_audio(session, PROMPT, "outbound")
    platform.tell(call, "stop")
    closed(session)
    assert session.sample_count("inbound") == session.sample_count("outbound")


def test_an_echo_is_heard_on_both_tracks(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="echo")
    session = platform.connect(agent, call, track="both")
    call.say(SPEECH)
    said = wait_for_audio(session, SPEECH, "inbound")
    heard = wait_for_audio(session, SPEECH, "outbound")
    frame = L16.packet_samples
    # The switch writes after it has read, and the first frame waits for the next: no echo is further apart.
    assert 0 < heard - said <= 2 * frame and (heard - said) % frame == 0


def test_a_bridged_leg_carries_the_other_one(platform: Platform, agent: Agent) -> None:
    # The legs have threads of their own: a late one leaves a hole, which here counts for nothing.
    caller, callee = platform.call(app="bridge", speed=1), platform.call(app="bridge", speed=1)
    platform.start(caller, agent.url, track="both")
    session = agent.wait_for_session()
    platform.switch.bridge(caller, callee)
    caller.say(SPEECH[:8000])
    callee.say(PROMPT[:8000])
    wait_for_audio(session, SPEECH[:8000], "inbound")
    session.wait_for(lambda s: len(audible(s.samples("outbound"))) >= 8000, PATIENCE)
    assert np.array_equal(audible(session.samples("outbound")), PROMPT[:8000])


def test_a_track_without_audio_is_silence(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="park")
    session = platform.connect(agent, call, track="both")
    call.say(SPEECH)
    wait_for_audio(session, SPEECH)
    assert session.sample_count("outbound") == session.sample_count("inbound")
    assert not session.samples("outbound").any()


def test_comfort_noise_is_silence(platform: Platform, agent: Agent) -> None:
    call = platform.call(cng=True)
    session = platform.connect(agent, call)
    call.say(SPEECH)
    at = wait_for_audio(session, SPEECH)
    session.wait_for(lambda s: s.sample_count() >= at + len(SPEECH) + 1600, PATIENCE)
    assert np.array_equal(audible(session.samples()), SPEECH)


def test_the_stream_begins_with_the_first_frame_after_its_start(platform: Platform, agent: Agent) -> None:
    # Nothing is lost while the stream connects, however long the speech has been going on.
    call = platform.call(speech=noise(80000), speed=5)
    session = platform.connect(agent, call)
    session.wait_for(lambda s: s.sample_count() >= 20000, PATIENCE)
    platform.tell(call, "stop")
    closed(session)
    received, spoken = session.samples(), call.spoken()
    assert find(spoken, received) % L16.packet_samples == 0
    assert find(spoken, received) + len(received) <= len(spoken)


# Encodings, codecs, frame sizes.

@pytest.mark.parametrize("protocol", URL_PREFIX)
@pytest.mark.parametrize("track", TRACKS)
def test_mulaw_on_the_wire(platform: Platform, agent: Agent, protocol: str, track: str) -> None:
    call = platform.call(app="echo")
    session = platform.connect(agent, call, URL_PREFIX[protocol], track=track, rate="mulaw 8000")
    call.say(SPEECH)
    for part in TRACKS[track]:
        wait_for_audio(session, mulaw_to_samples(samples_to_mulaw(SPEECH)), part)
    assert session.start["codec"] == "MULAW"


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_telephone_codecs(platform: Platform, agent: Agent, name: str) -> None:
    call = platform.call(codec=CodecSpec(name), speech=noise(80000), app="echo")
    session = platform.connect(agent, call, track="both")
    session.wait_for(lambda s: s.sample_count("outbound") >= 20000, PATIENCE)
    spoken = call.spoken()
    for track in ("inbound", "outbound"):
        received = session.samples(track)[1000:16000]
        assert find(spoken, received) >= 0


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("chunk_ms", [20, 100])
@pytest.mark.parametrize("protocol", URL_PREFIX)
def test_every_chunk_is_exact_at_every_ptime(platform: Platform, agent: Agent, ptime_ms: int, chunk_ms: int,
                                             protocol: str) -> None:
    call = platform.call(codec=CodecSpec("L16", 8000, ptime_ms), app="playback")
    session = platform.connect(agent, call, f"{{protocol={protocol},chunk-ms={chunk_ms}}}", track="both")
    call.say(SPEECH)
    call.play(PROMPT)
    wait_for_audio(session, SPEECH, "inbound")
    wait_for_audio(session, PROMPT, "outbound")
    for track in session.tracks:
        sizes = {message.size for message in messages(session, track)}
        assert sizes == {8 * chunk_ms}


def messages(session: AgentSession, track: str) -> list[Samples]:
    """The audio of each message, as it came."""
    whole = session.samples(track)
    ends = [pending.samples for pending in session.arrivals(track)]
    return [whole[begin:end] for begin, end in zip([0, *ends], ends)]


def test_the_last_part_of_a_chunk_is_sent(platform: Platform, agent: Agent) -> None:
    call = platform.call(codec=CodecSpec("L16", 8000, 10), speech=noise(80000))
    session = platform.connect(agent, call, "{chunk-ms=1000}")
    session.wait_for(lambda s: s.sample_count() >= 8000, PATIENCE)
    until(lambda: platform.status(call)["captureQueueMs"] > 0)
    platform.tell(call, "stop")
    closed(session)
    *whole, last = messages(session, "inbound")
    assert {len(chunk) for chunk in whole} == {8000} and 0 < len(last) <= 8000
    statistics = platform.event("stream_stopped", call)["statistics"]
    assert 8 * statistics["msCaptured"] == session.sample_count()
    assert find(call.spoken(), session.samples()) >= 0


@pytest.mark.parametrize("track", TRACKS)
def test_channels_of_a_stereo_codec_are_averaged(platform: Platform, agent: Agent, track: str) -> None:
    codec = CodecSpec("L16", 16000, 20, 2)
    said = np.stack([noise(32000, 1), noise(32000, 2)], axis=1)
    call = platform.call(codec=codec, app="echo", speech=said)
    session = platform.connect(agent, call, track=track, rate=16000)
    averages = (said.astype(np.int32).sum(axis=1) // 2).astype(np.int16)
    for part in TRACKS[track]:
        session.wait_for(lambda s: s.sample_count(part) >= 16000, PATIENCE)
        received = session.samples(part)
        first = int(np.flatnonzero(received)[0])
        # Zeros begin only an outbound track, which has nothing to give before the switch has written.
        assert find(averages, received[first + 320:15000]) >= 0


PTIMES = {"inbound": (30, 10, 20, 60), "outbound": (20, 20, 20, 20)}
"""Longer packets must wait longer for what the caller hears: there the time stretches by a pause."""


@pytest.mark.parametrize("track", PTIMES)
def test_a_codec_that_changes_in_the_call(platform: Platform, agent: Agent, track: str) -> None:
    """The tone goes on at its pitch; all that a change costs is the time that a filter takes to fill."""
    call = platform.call(app="echo", codec=CodecSpec("L16", 16000, 20))
    session = platform.connect(agent, call, track=track, rate=16000)
    call.say(sine(440, 48000, 16000))
    changes = zip(("L16", "PCMU", "L16", "L16"), (48000, 8000, 44100, 16000), PTIMES[track], (1, 1, 2, 1))
    for number, codec in enumerate(changes, 1):
        session.wait_for(lambda s: len(sounding(s.samples(track))) >= 8000 * number, PATIENCE)
        call.change_codec(CodecSpec(*codec))
    wait_for_silence(session, track)
    heard = sounding(session.samples(track))
    assert abs(len(heard) - 48000) < 16 * 3 * 4
    assert np.diff(np.flatnonzero(np.abs(heard) > 200)).max() < 16 * 6, "there is a hole"
    for begin in range(0, len(heard) - 4000, 4000):
        assert pitch(heard[begin:begin + 4000], 16000) == pytest.approx(440, abs=10)


def sine(frequency: float, samples: int, rate: int) -> Samples:
    wave: Samples = np.rint(8000 * np.sin(2 * np.pi * frequency * np.arange(samples) / rate)).astype(np.int16)
    return wave


def sounding(track: Samples) -> Samples:
    """From the first sample that can be heard to the last."""
    places = np.flatnonzero(np.abs(track) > 100)
    return track[places[0]:places[-1] + 1] if len(places) else track[:0]


def wait_for_silence(session: AgentSession, track: str) -> None:
    """Wait until there is a quarter of a second of silence behind what was to be heard."""
    quiet = session.rate // 4

    def silent(session: AgentSession) -> bool:
        places = np.flatnonzero(session.samples(track))
        return len(places) > 0 and session.sample_count(track) - int(places[-1]) > quiet
    session.wait_for(silent, PATIENCE)


def pitch(part: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 18))
    return float(np.argmax(spectrum)) * rate / (1 << 18)


# Rates.

CONVERSIONS = [(codec, wire) for codec, wire in itertools.product((8000, 16000, 32000, 44100, 48000), RATES)
               if codec != wire]


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Three seconds of real speech, int16 at 16 kHz."""
    samples, rate = read_wav(DATA / "caller_16k.wav")
    assert rate == 16000
    return samples[:3 * rate]


@pytest.mark.parametrize("codec_rate, wire_rate", CONVERSIONS)
@pytest.mark.parametrize("track", ["inbound", "outbound"])
def test_another_rate_on_the_wire(platform: Platform, agent: Agent, speech: Samples, codec_rate: int,
                                  wire_rate: int, track: str) -> None:
    said = soxr.resample(speech, 16000, codec_rate, quality="VHQ")
    call = platform.call(app="echo", codec=CodecSpec("L16", codec_rate, 20), speed=20)
    session = platform.connect(agent, call, "{chunk-ms=100}", track=track, rate=wire_rate)
    call.say(said)
    expected = delayed(said, codec_rate, wire_rate)
    frame = wire_rate // 50
    session.wait_for(lambda s: s.sample_count(track) >= len(expected) + spare(s, track), PATIENCE)
    lag, correlation = align(session.samples(track), expected)
    assert correlation > 0.999
    assert lag % frame == 0, "the delay is not exactly that of the filter"


@pytest.mark.parametrize("codec_rate, wire_rate", [(8000, 16000), (16000, 8000), (48000, 16000)])
@pytest.mark.parametrize("track", TRACKS)
def test_the_other_resampler(platform: Platform, agent: Agent, speech: Samples, codec_rate: int,
                             wire_rate: int, track: str) -> None:
    """It takes its time, and loses nothing."""
    said = soxr.resample(speech, 16000, codec_rate, quality="VHQ")
    call = platform.call(app="echo", codec=CodecSpec("L16", codec_rate, 20), speed=5)
    session = platform.connect(agent, call, "{resampler=soxr}", track=track, rate=wire_rate)
    call.say(said)
    expected = soxr.resample(said, codec_rate, wire_rate, quality="VHQ")
    for part in TRACKS[track]:
        session.wait_for(lambda s: s.sample_count(part) >= len(expected) + spare(s, part) + wire_rate // 4,
                         PATIENCE)
        assert align(session.samples(part), expected)[1] > 0.999


def spare(session: AgentSession, track: str) -> int:
    """Samples before the first that can be heard, and some more for the filter."""
    places = np.flatnonzero(session.samples(track))
    return int(places[0]) + 1000 if len(places) else session.sample_count(track)


def delayed(said: Samples, codec_rate: int, wire_rate: int) -> Samples:
    """What an independent resampler makes of it, after 24 samples of the lower rate: our filter's delay."""
    if codec_rate < wire_rate:
        said = np.concatenate([np.zeros(24, np.int16), said])
        return np.asarray(soxr.resample(said, codec_rate, wire_rate, quality="VHQ"), np.int16)
    return np.concatenate([np.zeros(24, np.int16), soxr.resample(said, codec_rate, wire_rate, quality="VHQ")])


def test_a_codec_of_a_rate_that_nobody_knows_is_silence(platform: Platform, agent: Agent) -> None:
    call = platform.call(codec=CodecSpec("L16", 6000), speech=noise(6000, limit=4000))
    session = platform.connect(agent, call)
    session.wait_for(lambda s: s.sample_count() >= 8000, PATIENCE)
    assert not session.samples().any()
    assert "sample rate" in platform.event("stream_error", call, kind="rate")["error"]


# Several streams.

def test_several_streams_on_one_call(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    plans: list[dict[str, Any]] = [
        {"track": "inbound"}, {"track": "outbound"}, {"track": "both", "bidirectional": 0},
        {"track": "both", "rate": "mulaw 8000"}, {"track": "inbound", "rate": 16000}]
    for number, plan in enumerate(plans):
        platform.start(call, agent.url, stream_id=f"stream-{number}", **plan)
    agent.wait_for_session(len(plans))
    sessions = {session.stream_id: session for session in introduced(agent)}
    call.say(SPEECH)
    call.play(PROMPT)
    coded = mulaw_to_samples(samples_to_mulaw(SPEECH))
    wait_for_audio(sessions["stream-0"], SPEECH)
    wait_for_audio(sessions["stream-1"], PROMPT, "outbound")
    wait_for_audio(sessions["stream-2"], SPEECH)
    wait_for_audio(sessions["stream-2"], PROMPT, "outbound")
    wait_for_audio(sessions["stream-3"], coded)
    sessions["stream-4"].wait_for(lambda s: len(sounding(s.samples())) >= 2 * len(SPEECH) - 100, PATIENCE)
    assert sessions["stream-4"].rate == 16000


def introduced(agent: Agent) -> list[AgentSession]:
    for session in agent.sessions:
        session.wait_for(lambda session: session.start, PATIENCE)
    return agent.sessions


def test_many_calls_keep_their_audio_apart(platform: Platform, agent: Agent) -> None:
    calls = [platform.call(app="echo", speed=5) for _ in range(20)]
    for call in calls:
        platform.start(call, agent.url, stream_id=f"of {call.uuid}".replace(" ", "-"), track="both")
    agent.wait_for_session(len(calls))
    sessions = {session.start["uuid"]: session for session in introduced(agent)}
    for seed, call in enumerate(calls):
        call.say(noise(8000, seed))
    for seed, call in enumerate(calls):
        for track in ("inbound", "outbound"):
            wait_for_audio(sessions[call.uuid], noise(8000, seed), track)


# Pause.

@pytest.mark.parametrize("track", TRACKS)
def test_pause_and_resume(platform: Platform, agent: Agent, track: str) -> None:
    call = platform.call(app="echo")
    session = platform.connect(agent, call, track=track)
    platform.tell(call, "pause")
    assert platform.status(call)["paused"]
    call.say(np.concatenate([SPEECH, np.zeros(1600, np.int16)]))
    until(call.has_spoken)
    platform.tell(call, "resume")
    assert not platform.status(call)["paused"]
    call.say(PROMPT)
    for part in TRACKS[track]:
        wait_for_audio(session, PROMPT, part)
        assert find(session.samples(part), SPEECH[1000:1100]) == -1
    assert platform.status(call)["state"] == "streaming"
