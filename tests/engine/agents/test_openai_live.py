"""OpenAI's Live API on the embedded switch: both sides speak at any time."""

from __future__ import annotations

import json
from typing import Any, Iterator

import numpy as np
import pytest

pytest.importorskip("openai.types.live")

from freeswitch_audio_stream.testing.agents.openai_live import LiveServer, check_client, check_server  # noqa: E402

from ..harness import Platform, audible, find, until  # noqa: E402
from . import conversation  # noqa: E402
from .conversation import Start, spoken, starter  # noqa: E402
from .speech import SPEECH, lines, start, told_nowhere  # noqa: E402


@pytest.fixture
def server() -> Iterator[LiveServer]:
    with LiveServer() as server:
        yield server  # type: ignore[misc]
        conversation.valid(server)


@pytest.fixture
def begin(platform: Platform, server: LiveServer) -> Start:
    return starter(platform, server, "openai-live", "mulaw 8000", speed=1)


@pytest.mark.slow
def test_a_conversation(platform: Platform, server: LiveServer, begin: Start) -> None:
    """Two answers; silence between them is not queued, so that nothing is heard later than it could be."""
    server.script.answer = conversation.answers(0.5)
    call = begin(instructions="Be brief.")
    until(lambda: server.conversations and server.conversations[-1].heard)
    for turn in range(2):
        call.say(SPEECH[:7600])
        until(lambda: find(audible(call.heard()), spoken(turn, 0.5)) >= 0)
    until(lambda: len(lines(platform, call)) == 4)
    assert sorted(lines(platform, call)) == sorted(
        [("caller", f"what the caller said, {turn}") for turn in (0, 1)]
        + [("agent", f"answer {turn} is this") for turn in (0, 1)])
    assert platform.event("agent_turn", call, turn=2)["latencyMs"] >= 0
    assert platform.event("agent_usage", call)["usage"] == {"seconds": 0.5}
    assert platform.status(call)["playbackQueueMs"] <= 200
    assert not platform.events("stream_error", call) and told_nowhere(platform, call, server.key)
    platform.tell(call, "stop")
    until(lambda: server.live == 0)
    assert server.conversations[0].received[-1] == {"type": "session.close"}


@pytest.mark.slow
def test_functions(platform: Platform, server: LiveServer, begin: Start) -> None:
    conversation.with_a_function(platform, server, begin, lambda given: given)


@pytest.mark.slow
def test_a_session_that_expires_is_made_again(platform: Platform, server: LiveServer, begin: Start) -> None:
    server.script.answer = conversation.answers(0.5)
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH[:7600])
    until(lambda: len(lines(platform, call)) == 2)
    server.do(lambda one: one.close("expired"))
    until(lambda: len(server.conversations) == 2 and server.conversations[1].heard)
    said = [item["content"][0]["text"] for item in server.conversations[1].received[0]["session"]["input"]]
    assert sorted(said) == ["answer 0 is this", "what the caller said, 0"]


def test_errors_that_pass_and_one_that_does_not(platform: Platform, server: LiveServer, begin: Start) -> None:
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    error = {"type": "server_error", "code": "server_error", "message": "It is slow."}
    server.do(lambda one: one.emit("error", error=error))
    assert platform.event("stream_error", call)["error"] == "It is slow. (server_error)"
    server.do(lambda one: one.emit("error", error={**error, "code": "insufficient_quota", "message": "No credit."}))
    platform.event("stream_stopped", call)
    assert len(server.conversations) == 1


@pytest.mark.parametrize("rate", ["16000", "24000"])
def test_linear_audio(rate: str, platform: Platform, server: LiveServer) -> None:
    server.script.answer = conversation.answers(0.3)
    call = start(platform, server.url, "openai-live", server.key, rate)
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH)
    until(lambda: np.count_nonzero(call.heard()) > 2000)


def test_a_wrong_key_is_told_nowhere(platform: Platform, server: LiveServer) -> None:
    conversation.wrong_key(platform, server, "openai-live", "24000")


@pytest.mark.parametrize("check, body", [
    (check_client, {"type": "session.start", "session": {"model": "m", "colour": "red"}}),
    (check_client, {"type": "session.input_audio.append"}), (check_client, {"type": "response.cancel"}),
    (check_server, {"type": "session.output_audio.delta", "delta": "", "colour": "red"})])
def test_the_oracle_refuses_what_it_does_not_know(check: Any, body: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check(json.dumps(body))
