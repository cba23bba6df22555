"""A speech agent in a real FreeSWITCH: the caller interrupts it, and hears what the service was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("openai")

from freeswitch_audio_stream.audio import Encoding, decode, encode  # noqa: E402
from freeswitch_audio_stream.services.agent.wav import read_wav, write_wav  # noqa: E402
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn  # noqa: E402
from tests.engine.harness import noise  # noqa: E402

from .conftest import call, likeness, wait_until  # noqa: E402

Samples = NDArray[np.int16]
SPEECH, SILENCE = noise(3200, 5), np.zeros(8000, np.int16)


def _voice(number: int) -> Samples:
    made = noise(8000 * (20 if number == 0 else 1), 300 + number)
    return decode(encode((made + np.sign(made) * 100).astype(np.int16), Encoding.MULAW), Encoding.MULAW)


def _reply(turn: Turn) -> Reply:
    return Reply(f"this is answer {turn.number}", np.repeat(_voice(turn.number), 3))


def test_an_interrupted_answer_ends_where_the_service_was_told(freeswitch: FreeSwitch, events: EventSocket,
                                                               tmp_path: Path) -> None:
    said, heard = tmp_path / "said.wav", tmp_path / "heard.wav"
    write_wav(said, np.concatenate([SILENCE, SPEECH, *[SILENCE] * 4, SPEECH, *[SILENCE] * 30]), 8000)
    with RealtimeServer(Script(_reply), key="") as service:
        pair = call(freeswitch, events, "park", "PCMU", said)
        events.api(f"uuid_record {pair.caller} start {heard}")
        answer = events.api(f"uuid_audio_stream {pair.leg} agent start {{protocol=openai-realtime}}{service.url}"
                            '/realtime?model=m inbound mulaw 8000 5 1 {"instructions":"Be brief."}')
        assert answer == "+OK Success", answer

        def cuts() -> list[dict[str, Any]]:
            return [event for session in service.sessions for event in list(session.received)
                    if event["type"] == "conversation.item.truncate"]
        wait_until(cuts)
        line = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::transcription_received"
                                 and "answer 1" in event["_body"])
        assert '"speaker":"agent"' in line["_body"].replace(" ", "")
        session, = service.sessions
        events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::media_play_complete"
                          and '"played"' in event["_body"])
        events.api(f"uuid_record {pair.caller} stop {heard}")
        events.api(f"uuid_kill {pair.caller}")
        wait_until(lambda: service.live == 0)
        assert session.errors == session.invalid == []
    milliseconds = cuts()[0]["audio_end_ms"]
    track = read_wav(heard)[0]
    assert likeness(track, _voice(0)[:8 * milliseconds], 8000) > 0.97
    # The recording stops while the last packets are on their way, and a busy FreeSWITCH loses one now and then.
    more = np.count_nonzero(np.abs(track) > 50) / 8 - milliseconds - 1000
    assert -500 < more < 60, "not more than it was told"
