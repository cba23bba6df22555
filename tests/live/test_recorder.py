"""A call recorded by the recorder, which is killed and started again while it goes on, in a real FreeSWITCH."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

for _needed in ("fastapi", "fastapi_offline", "uvicorn"):
    pytest.importorskip(_needed)

from freeswitch_audio_stream.services.agent.wav import write_wav  # noqa: E402
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch  # noqa: E402
from tests.engine.recorder.service import RestartedRecorder, read_recording  # noqa: E402

from .conftest import DATA, call, likeness, wait_until  # noqa: E402

_KILLS = 3


def test_killed_three_times(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path,
                            caller_speech: NDArray[np.int16], agent_speech: NDArray[np.int16]) -> None:
    """One file, both sides, and as long as the call."""
    recorder = RestartedRecorder(tmp_path)
    speech = tmp_path / "speech.wav"
    write_wav(speech, np.tile(caller_speech, 6), 8000)
    pair = call(freeswitch, events, "park", "L16", speech)
    answer = events.api(f"uuid_audio_stream {pair.leg} rec start {{protocol=recorder}}{recorder.url} both 8000 10 0")
    assert answer == "+OK Success", answer

    def status() -> Any:
        return json.loads(events.api(f"uuid_audio_stream {pair.leg} rec status"))
    for kill in range(_KILLS):
        answered = status()["messagesReceived"]
        wait_until(lambda: status()["messagesReceived"] > answered + 5)
        events.api(f"uuid_broadcast {pair.leg} {DATA / 'agent_16k.wav'} aleg")
        recorder.kill()
        wait_until(lambda: status()["state"] == "reconnecting")
        recorder.start()
        wait_until(lambda: status()["state"] == "streaming")
    wait_until(lambda: status()["captureQueueMs"] < 1000)
    captured = status()["msCaptured"]
    wait_until(lambda: status()["msCaptured"] > captured + 5000)
    events.api(f"uuid_kill {pair.caller}")
    stopped = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::stream_stopped"
                                and event["Unique-ID"] == pair.leg)
    body = json.loads(stopped["_body"])
    summary, counters = body["summary"], body["statistics"]
    assert (body["reason"], summary["status"], counters["framesDropped"]) == ("hangup", "completed", 0)
    assert "earlier_sessions" not in summary and counters["reconnects"] >= _KILLS
    assert len(recorder.sessions()) == 1
    rate, samples = read_recording(summary["file_path"])
    assert (rate, samples.shape[1]) == (8000, 2)
    assert len(samples) == 160 * counters["framesCaptured"], "every frame of the call, once"
    inbound, outbound = samples[:, 0].copy(), samples[:, 1].copy()
    assert likeness(inbound, np.tile(caller_speech, 6)[:len(inbound)], 8000) > 0.95
    said = soxr.resample(agent_speech, 16000, 8000, quality="VHQ")
    assert likeness(outbound, said, 8000) > 0.9
    recorder.stop()
