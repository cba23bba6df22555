"""Ten turns with three interruptions between a call and the local Realtime server, without anything in between: what
the caller has heard is, to the sample, what the service was told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn  # noqa: E402

from .harness import Platform, audible, find, noise, until  # noqa: E402

pytestmark = pytest.mark.slow

TURNS = 10
INTERRUPTED = {2, 5, 8}
SPEECH = np.concatenate([noise(3200, 9), np.zeros(4800, np.int16)])


def _voice(number: int) -> Samples:
    """Of 8,000 Hz, as mu-law leaves it, without a zero."""
    made = noise(8000 * (20 if number in INTERRUPTED else 1), 200 + number)
    return decode(encode((made + np.sign(made) * 100).astype(np.int16), Encoding.MULAW), Encoding.MULAW)


def _reply(turn: Turn) -> Reply:
    return Reply(f"this is answer {turn.number}", np.repeat(_voice(turn.number), 3))


def _cuts(service: RealtimeServer) -> list[dict[str, Any]]:
    return [event for event in list(service.sessions[0].received) if event["type"] == "conversation.item.truncate"]


def test_ten_turns(platform: Platform) -> None:
    with RealtimeServer(Script(_reply), key="") as service:
        call = platform.call(app="playback", speed=4)
        platform.start(call, "{protocol=openai-realtime}" + service.url + "/realtime?model=m", rate="mulaw 8000")
        until(lambda: service.sessions and service.sessions[0].received)
        heard = 0
        for turn in range(TURNS):
            call.say(SPEECH)
            if turn - 1 in INTERRUPTED:
                until(lambda: len(_cuts(service)) == sum(number < turn for number in INTERRUPTED))
                heard += 8 * _cuts(service)[-1]["audio_end_ms"]
            wanted = heard + (4000 if turn in INTERRUPTED else 8000)
            until(lambda: len(audible(call.heard())) >= wanted)
            heard += 0 if turn in INTERRUPTED else 8000
        session, = service.sessions
        answers = [item for item in session.items.all if item.role == "assistant"]
        told = [item.truncated_ms or item.audio_ms or 0 for item in answers]
        assert [number for number, item in enumerate(answers) if item.truncated_ms] == sorted(INTERRUPTED)
        track = audible(call.heard())
        assert len(track) == 8 * sum(told) and len(answers) == TURNS
        place = 0
        for number, milliseconds in enumerate(told):
            assert find(track[place:], _voice(number)[:8 * milliseconds]) == 0
            place += 8 * milliseconds
        assert session.errors == session.invalid == [] and not platform.events("stream_error", call)
        platform.tell(call, "stop")
        platform.event("stream_stopped", call)
