"""OpenAI's own transport for Twilio Media Streams (npm ``@openai/agents-extensions``), unchanged, between a call and a
local Realtime server: it takes our messages for Twilio's, also those of marks and of an interruption.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn  # noqa: E402
from tests.node import install  # noqa: E402
from tests.programs import has_said, running  # noqa: E402

from .harness import Platform, audible, find, noise, until  # noqa: E402

KEY = "sk-test-0123456789"
SPEECH = np.concatenate([noise(3200, 9), np.zeros(8000, np.int16)])
SECONDS = (1, 20, 1)


def voice(number: int) -> Samples:
    """The answer of a turn, as mu-law leaves it, without a zero."""
    made = noise(8000 * SECONDS[number], 100 + number)
    return decode(encode((made + np.sign(made) * 100).astype(np.int16), Encoding.MULAW), Encoding.MULAW)


def reply(turn: Turn) -> Reply:
    return Reply(f"answer {turn.number}", np.repeat(voice(turn.number), 3))


def sent(service: RealtimeServer, kind: str) -> list[dict[str, Any]]:
    return [event for session in service.sessions for event in list(session.received) if event["type"] == kind]


@pytest.mark.slow
def test_a_conversation_with_an_interruption(platform: Platform, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("ws", "@openai/agents", "@openai/agents-extensions"):
        install(tmp_path, package)
    script = Script()
    script.reply = reply
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = Path(__file__).parents[1] / "data" / "twilio_agent.mjs"
    with RealtimeServer(script, KEY) as service, \
            running(["node", str(server), f"{service.url}/realtime?model=m"], tmp_path) as lines:
        until(lambda: has_said(lines, "port "), 60)
        port = next(match[1] for line in lines if (match := re.match(r"port (\d+)", line)))
        call = platform.call(app="playback", speed=2)
        platform.start(call, f"{{protocol=twilio}}ws://127.0.0.1:{port}/")
        until(lambda: has_said(lines, "connected"))
        call.say(SPEECH)
        until(lambda: find(audible(call.heard()), voice(0)) >= 0)
        call.say(SPEECH)
        until(lambda: len(audible(call.heard())) > 8000 + 12_000)
        call.say(SPEECH)
        until(lambda: sent(service, "conversation.item.truncate"))
        until(lambda: find(audible(call.heard()), voice(2)) >= 0)
        heard = audible(call.heard())
        rest = len(heard) - 2 * 8000
        assert find(heard, voice(1)[:rest]) == 8000, "the second answer was heard up to the interruption"
        cut = sent(service, "conversation.item.truncate")[0]["audio_end_ms"]
        assert 0 <= rest // 8 - cut < 1000, "its marks tell the transport what was heard, to the piece it sent"
        assert has_said(lines, '"mark"') and not has_said(lines, "error"), lines
        platform.tell(call, "stop")
        until(lambda: has_said(lines, "closed"))
        assert [fault for session in service.sessions for fault in session.invalid] == []
    assert not platform.events("stream_error", call)
