"""The recorder is killed, is away or is cut off while calls are recorded: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.peers.fault_proxy import FaultProxy

from ..harness import PATIENCE, Platform, audible, noise, until
from .service import RestartedRecorder, read_recording
from .test_recording import end, record, recording

pytestmark = pytest.mark.slow

_KILLS = int(os.environ.get("RECORDED_KILLS", "4"))


def speak(call: EmbeddedCall, seconds: float, seed: int) -> Samples:
    """Have the caller say something, without waiting for it."""
    said = noise(round(8000 * seconds), seed)
    call.say(said)
    return said


@pytest.mark.slow
def test_killed_at_random_instants(platform: Platform, recorder: RestartedRecorder) -> None:
    """Several calls, of one side and both; each recording has every sample that was captured, once."""
    chance = random.Random()
    calls = [platform.call(speed=1) for _ in range(4)]
    for number, call in enumerate(calls):
        record(platform, recorder, call, track="both" if number % 2 else "inbound")
    for call in calls:
        platform.event("stream_started", call)
    said = [noise(0) for _ in calls]
    for kill in range(_KILLS):
        until(lambda: all(call.has_spoken() for call in calls))
        for number, call in enumerate(calls):
            said[number] = np.concatenate((said[number], speak(call, 1.0, 100 * kill + number)))
        behind = [platform.status(call)["messagesReceived"] + chance.randrange(1, 4) for call in calls]
        until(lambda: all(platform.status(call)["messagesReceived"] >= least for call, least in zip(calls, behind)))
        recorder.kill()
        recorder.start()
    until(lambda: all(call.has_spoken() for call in calls))
    for number, call in enumerate(calls):
        stopped = end(platform, call)
        rate, samples = recording(stopped)
        assert "earlier_sessions" not in stopped["summary"] and stopped["statistics"]["framesDropped"] == 0
        heard = audible(samples[:, 0])
        assert len(heard) <= len(said[number]) and np.array_equal(heard, said[number][:len(heard)])
        assert len(said[number]) - len(heard) < 400, "what the caller has said just before the stop"
        assert stopped["statistics"]["reconnects"] >= _KILLS
    assert len(recorder.sessions()) == len(calls)


def test_connections_are_cut_while_the_service_runs(platform: Platform, recorder: RestartedRecorder) -> None:
    """What the old connection had under way is not counted twice: it is taken over."""
    call = platform.call(speed=4)
    with FaultProxy(recorder.address) as proxy:
        platform.start(call, f"{{protocol=recorder}}ws://{proxy.place}/api/ws/audio", track="both")
        platform.event("stream_started", call)
        said = noise(0)
        for cut in range(6):
            said = np.concatenate((said, speak(call, 1.5, cut)))
            until(call.has_spoken)
            until(lambda: platform.status(call)["reconnects"] >= cut)
            count = len(platform.events("connection_established", call))
            proxy.cut()
            until(lambda: len(platform.events("connection_established", call)) > count)
        samples = recording(end(platform, call))[1]
    heard = audible(samples[:, 0])
    assert np.array_equal(heard, said[:len(heard)]) and len(said) - len(heard) < 400


def test_hung_up_while_the_recorder_is_away(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call(speed=2)
    record(platform, recorder, call)
    said = speak(call, 1.0, 1)
    until(call.has_spoken)
    until(lambda: platform.status(call)["messagesReceived"] >= 2)
    recorder.kill()
    platform.event("connection_closed", call, willReconnect=True)
    said = np.concatenate((said, speak(call, 1.0, 2)))
    until(call.has_spoken)
    call.hangup()
    until(lambda: platform.status(call)["state"] == "delivering")
    recorder.start()
    stopped = platform.event("stream_stopped", call)
    samples = recording(stopped)[1]
    assert stopped["reason"] == "hangup" and stopped["statistics"]["errors"] == 0
    assert np.array_equal(audible(samples[:, 0])[:len(said) - 400], said[:len(said) - 400])


def test_killed_at_the_end(platform: Platform, recorder: RestartedRecorder) -> None:
    """Whether it had completed the session or not."""
    for wait in (False, True):
        call = platform.call(speed=2)
        record(platform, recorder, call)
        speak(call, 1.0, 1)
        until(call.has_spoken)
        platform.tell(call, "stop")
        if wait:
            until(lambda: recorder.sessions()[0]["status"] == "completed")
        recorder.kill()
        recorder.start()
        assert platform.event("stream_stopped", call)["reason"] == "requested"
        until(lambda: all(session["status"] == "completed" for session in recorder.sessions()))
        assert len(recorder.sessions()) == 1 + wait


def test_a_recorder_that_does_not_come_back(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call(speed=2)
    record(platform, recorder, call, "deliver-secs=1")
    until(lambda: platform.status(call)["messagesReceived"] >= 2)
    recorder.kill()
    platform.event("connection_closed", call, willReconnect=True)
    waiting = platform.status(call)["captureQueueMs"]
    until(lambda: platform.status(call)["captureQueueMs"] > waiting + 500)
    platform.tell(call, "stop")
    stopped = platform.event("stream_stopped", call)
    error, = [body for body in platform.events("stream_error", call) if body["kind"] == "not_recorded"]
    assert f"{stopped['statistics']['captureQueueMs']} ms" in error["error"]
    assert stopped["summary"]["status"] == "active" and stopped["summary"]["session_id"] in error["error"]
    recorder.start()


def test_stopped_while_the_first_connection_is_made(platform: Platform, recorder: RestartedRecorder) -> None:
    """What was captured by then is recorded."""
    os.kill(recorder.process.process.pid, 19)  # SIGSTOP: connections are made, and nobody answers
    call = platform.call(speed=2)
    record(platform, recorder, call)
    said = speak(call, 1.0, 1)
    until(call.has_spoken)
    platform.tell(call, "stop")
    assert not platform.events("stream_stopped", call)
    os.kill(recorder.process.process.pid, 18)
    samples = recording(platform.event("stream_stopped", call))[1]
    assert len(said) - len(audible(samples[:, 0])) < 400


def test_a_session_that_is_gone(platform: Platform, recorder: RestartedRecorder, tmp_path: Path) -> None:
    """The rest of the call is recorded in a new one."""
    call = platform.call(speed=2)
    record(platform, recorder, call)
    speak(call, 1.0, 1)
    until(lambda: platform.status(call)["messagesReceived"] >= 3)
    lost, = recorder.sessions()
    recorder.kill()
    for file in sorted(tmp_path.rglob("*"), reverse=True):
        if file.is_file():
            file.unlink()
    recorder.start()
    error = platform.event("stream_error", call, kind="recorder")
    assert "Session not found" in error["error"] and "new session" in error["error"]
    assert lost["session_id"] in error["error"]
    said = speak(call, 1.0, 2)
    until(call.has_spoken)
    until(lambda: recorder.sessions())
    stopped = end(platform, call)
    samples = read_recording(stopped["summary"]["file_path"])[1]
    assert stopped["summary"]["earlier_sessions"] == [lost["session_id"]]
    heard = audible(samples[:, 0])
    assert len(heard) >= len(said) - 400


def test_a_session_that_others_close(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call(speed=2)
    record(platform, recorder, call)
    until(lambda: platform.status(call)["messagesReceived"] >= 2)
    session, = recorder.sessions()
    recorder.process.json(f"/api/audio/sessions/{session['session_id']}/close", "POST")
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "server_closed"
    assert stopped["summary"]["file_path"].endswith(f"{session['session_id']}.wav")


def test_a_service_that_is_stopped_and_started_again(platform: Platform, recorder: RestartedRecorder) -> None:
    call = platform.call(speed=2)
    record(platform, recorder, call)
    until(lambda: platform.status(call)["messagesReceived"] >= 2)
    recorder.stop()
    recorder.start()
    until(lambda: len(platform.events("connection_established", call)) == 2, PATIENCE)
    recording(end(platform, call))
