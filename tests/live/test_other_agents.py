"""Speech agents of other services in a real FreeSWITCH: the caller speaks, and hears the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

for package in ("openai", "deepgram", "google.genai"):
    pytest.importorskip(package)

from freeswitch_audio_stream.services.agent.wav import read_wav, write_wav  # noqa: E402
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch  # noqa: E402
from freeswitch_audio_stream.testing.agents.deepgram import DeepgramServer  # noqa: E402
from freeswitch_audio_stream.testing.agents.elevenlabs import ElevenLabsServer  # noqa: E402
from freeswitch_audio_stream.testing.agents.gemini import GeminiServer  # noqa: E402
from freeswitch_audio_stream.testing.agents.openai_live import LiveServer  # noqa: E402
from freeswitch_audio_stream.testing.agents.server import AgentServer, Answer, Script  # noqa: E402
from tests.engine.harness import noise  # noqa: E402

from .conftest import call, likeness, wait_until  # noqa: E402

SILENCE = np.zeros(8000, np.int16)
# Rises from 400 to 1,200 Hz, which every conversion keeps.
_TIMES = np.arange(4 * 8000) / 8000
VOICE = (6000 * np.sin(2 * np.pi * (400 + 100 * _TIMES) * _TIMES)).astype(np.int16)


@pytest.mark.parametrize("protocol, kind, rate", [
    ("deepgram-agent", DeepgramServer, "16000"), ("elevenlabs", ElevenLabsServer, "8000"),
    ("gemini-live", GeminiServer, "16000"), ("openai-live", LiveServer, "mulaw 8000")])
def test_a_turn(protocol: str, kind: type[AgentServer], rate: str, freeswitch: FreeSwitch, events: EventSocket,
                tmp_path: Path) -> None:
    said, heard = tmp_path / "said.wav", tmp_path / "heard.wav"
    write_wav(said, np.concatenate([SILENCE, noise(3200, 5), *[SILENCE] * 30]), 8000)
    with kind(Script(lambda number, result: Answer("this is the answer", VOICE)), key="") as server:
        pair = call(freeswitch, events, "park", "PCMU", said)
        events.api(f"uuid_record {pair.caller} start {heard}")
        answer = events.api(f"uuid_audio_stream {pair.leg} agent start {{protocol={protocol}}}{server.url} inbound "
                            f"{rate} 5 1")
        assert answer == "+OK Success", answer
        turn = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::agent_turn")
        assert '"latencyMs"' in turn["_body"]
        line = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::transcription_received"
                                 and "this is the answer" in event["_body"])
        assert '"speaker":"agent"' in line["_body"].replace(" ", "")
        events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::media_play_complete"
                          and '"played"' in event["_body"])
        events.api(f"uuid_record {pair.caller} stop {heard}")
        events.api(f"uuid_kill {pair.caller}")
        wait_until(lambda: server.live == 0)
        assert [fault for one in server.conversations for fault in one.invalid] == []
    assert likeness(read_wav(heard)[0], VOICE, 8000) > 0.9
