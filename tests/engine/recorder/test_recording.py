"""Calls streamed into the recorder, which is a real one, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall
from tests.transports import certificates

from ..harness import L16, Body, Platform, audible, find, noise, until
from .service import Recorded, RestartedRecorder, read_recording

SPEECH = noise(12_000)
PROMPT = noise(4000, seed=2)
KEY = "0123456789abcdef"


def record(platform: Platform, recorder: RestartedRecorder, call: EmbeddedCall, prefix: str = "", query: str = "",
           **options: Any) -> None:
    """Start a stream into a recorder."""
    settings = "{protocol=recorder" + (f",{prefix}" if prefix else "") + "}"
    platform.start(call, settings + recorder.url + query, **options)


def end(platform: Platform, call: EmbeddedCall) -> Body:
    """Stop a stream, and return its last event."""
    platform.tell(call, "stop")
    return platform.event("stream_stopped", call)


def recording(stopped: Body) -> tuple[int, Recorded]:
    """The file that the last event of a stream names, of which the rest of the event is true."""
    summary, counters = stopped["summary"], stopped["statistics"]
    rate, samples = read_recording(summary["file_path"])
    assert summary["status"] == "completed" and summary["duration_seconds"] == pytest.approx(len(samples) / rate)
    assert summary["chunk_count"] == summary["total_chunks"] > 0
    assert (counters["captureQueueMs"], counters["unackedMs"]) == (0, 0)
    assert counters["msCaptured"] == 1000 * len(samples) // rate
    return rate, samples


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_one_side(platform: Platform, recorder: RestartedRecorder, rate: int) -> None:
    call = platform.call(codec=CodecSpec("L16", rate), speech=SPEECH, rate=rate, speed=1)
    record(platform, recorder, call, rate=rate)
    until(call.has_spoken)
    stopped = end(platform, call)
    recorded, samples = recording(stopped)
    assert (recorded, samples.shape[1]) == (rate, 1)
    assert np.array_equal(audible(samples[:, 0]), SPEECH[-len(audible(samples[:, 0])):])
    assert find(samples[:, 0], SPEECH[-8000:]) >= 0
    assert (stopped["reason"], stopped["statistics"]["errors"], stopped["statistics"]["framesDropped"]) == (
        "requested", 0, 0)


@pytest.mark.parametrize("track", ["both"])
def test_both_sides(platform: Platform, recorder: RestartedRecorder, track: str) -> None:
    """The caller is left, and what the caller hears is right; the call is hung up."""
    call = platform.call()
    record(platform, recorder, call, track=track)
    call.say(SPEECH)
    call.play(PROMPT)
    until(call.has_spoken)
    until(lambda: find(call.heard(), PROMPT) >= 0)
    until(lambda: platform.status(call)["msCaptured"] >= 2500)
    call.hangup()
    stopped = platform.event("stream_stopped", call)
    rate, samples = recording(stopped)
    assert (rate, samples.shape[1], stopped["reason"]) == (8000, 2, "hangup")
    assert find(samples[:, 0].copy(), SPEECH) >= 0 and find(samples[:, 1].copy(), PROMPT) >= 0


@pytest.mark.slow
def test_chunks_have_four_kilobytes_or_what_was_asked_for(platform: Platform, recorder: RestartedRecorder) -> None:
    for prefix, rate, samples in (("", 8000, 2048), ("", 48000, 4800), ("chunk-ms=1000", 8000, 8000),
                                  ("chunk-ms=1000", 48000, 32736), ("chunk-ms=20", 16000, 2048)):
        call = platform.call(codec=CodecSpec("L16", rate))
        record(platform, recorder, call, prefix, rate=rate)
        until(lambda: platform.status(call)["messagesSent"] >= 1)
        summary = end(platform, call)["summary"]
        assert summary["chunk_count"] == -(-int(summary["audio_bytes"]) // (2 * samples))


@pytest.mark.slow
def test_acknowledgements_are_counted(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call(speed=1)
    record(platform, recorder, call)
    until(lambda: platform.status(call)["messagesReceived"] >= 3)
    until(lambda: platform.status(call)["unackedMs"] == 0)
    status = platform.status(call)
    assert status["protocol"] == "recorder" and status["bidirectional"] is False
    session, = recorder.sessions()
    assert session["chunk_count"] >= 2 and session["status"] == "active" and session["connections"] == 1
    assert end(platform, call)["summary"]["session_id"] == session["session_id"]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["metadata", "variable", "url", "nowhere"])
def test_the_user(platform: Platform, recorder: RestartedRecorder, where: str) -> None:
    call = platform.call(variables={"recorder_user_id": "by variable"} if where != "nowhere" else {})
    metadata = '{"user_id":"Zoë 1"}' if where in ("metadata", "url") else ""
    record(platform, recorder, call, query="?user_id=a%26b&x=%20" if where == "url" else "", metadata=metadata)
    until(lambda: platform.status(call)["messagesReceived"] >= 1)
    assert end(platform, call)["summary"].get("user_id") == {
        "metadata": "Zoë 1", "variable": "by variable", "url": "a&b", "nowhere": None}[where]


@pytest.mark.slow
@pytest.mark.parametrize("query, format", [("", "wav"), ("?format=pcm", "pcm"), ("?format=mp3", "wav")])
def test_the_format_is_ours_but_raw_samples_can_be_asked_for(platform: Platform, recorder: RestartedRecorder,
                                                             query: str, format: str) -> None:
    call = platform.call()
    record(platform, recorder, call, query=query)
    until(lambda: platform.status(call)["messagesReceived"] >= 1)
    assert end(platform, call)["summary"]["format"] == format


@pytest.mark.slow
def test_a_pause_leaves_a_gap(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call()
    record(platform, recorder, call)
    first, second = noise(4000, 3), noise(4000, 4)
    call.say(first)
    until(call.has_spoken)
    until(lambda: platform.status(call)["msCaptured"] >= 500)
    platform.tell(call, "pause")
    call.say(noise(8000, 5))
    until(call.has_spoken)
    platform.tell(call, "resume")
    call.say(second)
    until(call.has_spoken)
    samples = recording(end(platform, call))[1][:, 0]
    heard = audible(samples)
    assert find(heard, first) == 0 and find(heard, second) >= len(first)
    assert len(heard) < len(first) + len(second) + 400, "a frame or two may be captured before and behind the pause"


@pytest.mark.slow
def test_a_pause_leaves_silence(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call()
    record(platform, recorder, call, "pause-leaves=silence")
    platform.event("stream_started", call)
    until(lambda: platform.status(call)["msCaptured"] >= 100)
    platform.tell(call, "pause")
    before = platform.status(call)["msCaptured"]
    call.say(noise(8000, 5))
    until(call.has_spoken)
    assert platform.status(call)["msCaptured"] >= before + 800
    samples = recording(end(platform, call))[1]
    assert len(audible(samples[:, 0])) <= 320, "a frame may be captured before the pause"


@pytest.mark.slow
def test_a_session_goes_on(platform: Platform, recorder: RestartedRecorder) -> None:
    """One that others have begun, and of which a stream is told the id."""
    call, other = platform.call(), platform.call()
    record(platform, recorder, call)
    until(lambda: platform.status(call)["messagesReceived"] >= 3)
    session, = recorder.sessions()
    record(platform, recorder, other, query=f"/{session['session_id']}?user_id=nobody", stream_id="t")
    assert "another stream or program" in platform.event("stream_error", call)["error"]
    other.say(SPEECH)
    until(other.has_spoken)
    until(lambda: recorder.session(session["session_id"])["duration_seconds"] > 2)
    platform.tell(other, "stop", "t")
    summary = platform.event("stream_stopped", other, "t")["summary"]
    assert summary["session_id"] == session["session_id"]
    assert find(read_recording(summary["file_path"])[1][:, 0].copy(), SPEECH) >= 0


@pytest.mark.slow
def test_a_session_of_another_shape_is_none_of_ours(platform: Platform, recorder: RestartedRecorder) -> None:
    call, other = platform.call(), platform.call()
    record(platform, recorder, call)
    until(lambda: platform.status(call)["messagesReceived"] >= 1)
    session, = recorder.sessions()
    record(platform, recorder, other, query=f"/{session['session_id']}", rate=16000)
    error = platform.event("stream_error", other)
    assert error["kind"] == "protocol" and "8000 Hz and 1 channels" in error["error"]
    assert platform.event("stream_stopped", other)["reason"] == "error"


@pytest.mark.slow
def test_keys_and_tls(platform: Platform, tmp_path: Path) -> None:
    authority = certificates.make(tmp_path, "authority", ca=True, hosts=())
    good = certificates.make(tmp_path, "good", issuer=authority)
    recorder = RestartedRecorder(tmp_path, "--cert-file", str(good.file),
                                 RECORDER_API_KEYS=KEY)
    url = f"{recorder.url.replace('ws:', 'wss:').replace('127.0.0.1', 'localhost')}"
    try:
        for settings in (f"api-key={KEY}", f"api-key={KEY},api-key-header=X-API-Key"):
            call = platform.call(speech=SPEECH, rate=8000)
            platform.start(call, f"{{protocol=recorder,tls-ca-file={authority.file},{settings}}}{url}")
            until(call.has_spoken)
            assert find(recording(end(platform, call))[1][:, 0].copy(), SPEECH[-8000:]) >= 0
        call = platform.call()
        platform.start(call, f"{{protocol=recorder,tls-ca-file={authority.file}}}{url}")
        error = platform.event("stream_error", call)
        assert error["kind"] == "recorder" and "An API key is needed" in error["error"]
        assert platform.event("stream_stopped", call)["reason"] == "error"
    finally:
        recorder.process.kill()


@pytest.mark.parametrize("words, said", [
    ("24000", "8000, 16000, 44100, 48000 Hz"), ("mulaw 8000", "linear samples of 16 bits")])
def test_what_a_recording_cannot_have(platform: Platform, words: str, said: str) -> None:
    call = platform.call(codec=L16)
    answer = platform.run(f"{call.uuid} s start {{protocol=recorder}}ws://127.0.0.1:9/ inbound {words} 0 0")
    assert answer.startswith("-ERR") and said in answer


@pytest.mark.slow
def test_there_are_no_texts(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call()
    record(platform, recorder, call)
    assert "has no text messages" in platform.run(f"{call.uuid} s send_text hello")
