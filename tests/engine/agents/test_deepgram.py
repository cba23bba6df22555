"""Deepgram's agent on the embedded switch."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest

pytest.importorskip("deepgram")

from freeswitch_audio_stream.commands.vocabulary import COMMUNITY_ID  # noqa: E402
from freeswitch_audio_stream.protocols.agents import deepgram  # noqa: E402
from freeswitch_audio_stream.testing.agents.deepgram import DeepgramServer, check  # noqa: E402

from ..harness import Platform, audible, until  # noqa: E402
from . import conversation  # noqa: E402
from .conversation import Start, starter  # noqa: E402


@pytest.fixture
def server() -> Iterator[DeepgramServer]:
    with DeepgramServer() as server:
        yield server  # type: ignore[misc]
        conversation.valid(server)


@pytest.fixture
def begin(platform: Platform, server: DeepgramServer) -> Start:
    return starter(platform, server, "deepgram-agent", "8000")


@pytest.mark.slow
def test_a_conversation_with_an_interruption(platform: Platform, server: DeepgramServer, begin: Start) -> None:
    conversation.with_an_interruption(platform, server, begin)
    settings = server.conversations[0].received[0]
    assert settings["agent"]["think"]["prompt"] == "Be brief."
    assert settings["audio"]["input"] == {"encoding": "linear16", "sample_rate": 8000}


def test_functions(platform: Platform, server: DeepgramServer, begin: Start) -> None:
    conversation.with_a_function(platform, server, begin, lambda given: given)


@pytest.mark.parametrize("rate", ["mulaw 8000", "16000", "24000"])
def test_other_rates(rate: str, platform: Platform, server: DeepgramServer) -> None:
    server.script.answer = conversation.answers(1.0)
    call = starter(platform, server, "deepgram-agent", rate)(greeting="Hello!")
    until(lambda: len(audible(call.heard())) > 7000)


def test_without_a_stream_id(platform: Platform, server: DeepgramServer) -> None:
    """Its binary audio is heard, as with one."""
    server.script.answer = conversation.answers(1.0)
    call = platform.call(app="playback", speed=2, variables={"MOD_AUDIO_STREAM_API_KEY": conversation.KEY})
    assert platform.run(f"{call.uuid} start {{protocol=deepgram-agent}}{server.url} mono 8k "
                        '{"greeting":"Hello!"}') == "+OK Success"
    platform.started[call.uuid, COMMUNITY_ID] += 1
    until(lambda: len(audible(call.heard())) > 7000)
    assert platform.run(f"{call.uuid} stop") == "+OK Success"


@pytest.mark.slow
def test_another_session_knows_what_was_said(platform: Platform, server: DeepgramServer, begin: Start) -> None:
    conversation.again(platform, server, begin, server.drop)
    assert server.conversations[1].received[0]["agent"]["context"]["messages"] == [
        {"type": "History", "role": "user", "content": "what the caller said, 0"},
        {"type": "History", "role": "assistant", "content": "answer 0 is this"}]


def test_the_session_is_kept_alive(platform: Platform, server: DeepgramServer, begin: Start,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepgram, "KEEP_ALIVE_SECONDS", 0.05)
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    platform.tell(call, "pause")
    until(lambda: sum(one["type"] == "KeepAlive" for one in list(server.conversations[-1].received)) >= 2)


def test_errors_that_pass_and_one_that_does_not(platform: Platform, server: DeepgramServer, begin: Start) -> None:
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    server.do(lambda one: one.emit("Warning", code="PROMPT_TOO_LONG", description="It was cut."))
    assert platform.event("stream_error", call, error="It was cut. (PROMPT_TOO_LONG)")
    server.do(lambda one: one.emit("Error", code="INVALID_SETTINGS", description="No such voice."))
    platform.event("stream_stopped", call)
    assert platform.events("stream_error", call)[-1]["error"] == "No such voice. (INVALID_SETTINGS)"
    assert len(server.conversations) == 1


def test_a_wrong_key_is_told_nowhere(platform: Platform, server: DeepgramServer) -> None:
    conversation.wrong_key(platform, server, "deepgram-agent", "8000")


@pytest.mark.parametrize("body, is_client", [
    ({"type": "KeepAlive", "colour": "red"}, True), ({"type": "Welcome"}, False), ({"type": "Nothing"}, False),
    ({"type": "Settings", "audio": {"input": {"encoding": "mulaw"}}, "agent": {}}, True),
    ({"type": "FunctionCallResponse", "id": "1"}, True), ({"type": "SettingsApplied"}, True)])
def test_the_oracle_refuses_what_it_does_not_know(body: dict[str, Any], is_client: bool) -> None:
    with pytest.raises(ValueError):
        check(json.dumps(body), is_client)
