"""Google's Gemini Live on the embedded switch."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest

pytest.importorskip("google.genai")

from freeswitch_audio_stream.testing.agents.gemini import GeminiServer, check_client, check_server  # noqa: E402

from ..harness import Platform, audible, until  # noqa: E402
from . import conversation  # noqa: E402
from .conversation import Start, starter  # noqa: E402
from .speech import SPEECH, start  # noqa: E402


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        yield server  # type: ignore[misc]
        conversation.valid(server)


@pytest.fixture
def begin(platform: Platform, server: GeminiServer) -> Start:
    return starter(platform, server, "gemini-live", "16000")


@pytest.mark.slow
def test_a_conversation_with_an_interruption(platform: Platform, server: GeminiServer, begin: Start) -> None:
    conversation.with_an_interruption(platform, server, begin, exact=False)
    setup = server.conversations[0].received[0]["setup"]
    assert setup["systemInstruction"] == {"parts": [{"text": "Be brief."}]} and setup["sessionResumption"] == {}


def test_functions(platform: Platform, server: GeminiServer, begin: Start) -> None:
    conversation.with_a_function(platform, server, begin, lambda given: given)


def test_a_greeting_and_what_the_service_counts(platform: Platform, server: GeminiServer, begin: Start) -> None:
    server.script.answer = conversation.answers(1.0)
    call = begin(greeting="Good morning!")
    until(lambda: len(audible(call.heard())) > 7000)
    assert platform.event("agent_usage", call)["usage"] == {"totalTokenCount": 12}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["lost", "goAway"])
def test_another_session_takes_over_by_its_handle(how: str, platform: Platform, server: GeminiServer,
                                                  begin: Start) -> None:
    def go_away() -> None:
        server.do(lambda one: one.emit(goAway={"timeLeft": "9.5s"}))
    conversation.again(platform, server, begin, go_away if how == "goAway" else server.drop, exact=False)
    assert server.conversations[1].received[0]["setup"]["sessionResumption"] == {"handle": "handle-0"}


@pytest.mark.slow
def test_a_session_that_answers_is_left_when_it_has_ended(platform: Platform, server: GeminiServer,
                                                          begin: Start) -> None:
    """Nothing of an answer is lost: it comes to its end before the next session takes over."""
    server.script.answer = conversation.answers(2.0)
    server.script.pause_seconds = 0.05
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 1600)
    server.do(lambda one: one.emit(goAway={"timeLeft": "50s"}))
    until(lambda: len(server.conversations) == 2 and server.conversations[1].received)
    until(lambda: len(audible(call.heard())) > 15_500)
    assert server.live == 1


def test_a_setup_that_is_refused_ends_the_stream(platform: Platform, server: GeminiServer, begin: Start) -> None:
    """Close code 1007 is an invalid argument, such as a model that does not exist: it would come again."""
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    server.do(lambda one: one.connection.close(1007, "There is no such model."))
    assert not platform.event("connection_closed", call)["willReconnect"]
    platform.event("stream_stopped", call)


def test_a_wrong_key_is_told_nowhere(platform: Platform, server: GeminiServer) -> None:
    conversation.wrong_key(platform, server, "gemini-live", "16000")


def test_what_cannot_be_read_is_an_error_and_no_end(platform: Platform, server: GeminiServer) -> None:
    call = start(platform, server.url, "gemini-live", server.key, "16000")
    until(lambda: server.conversations and server.conversations[-1].heard)
    server.do(lambda one: one.connection.send(b"\xff\xfe"))
    assert platform.event("stream_error", call)["kind"] == "json"
    assert platform.status(call)["state"] == "streaming"


@pytest.mark.parametrize("check, body", [
    (check_client, {"setup": {"colour": "red"}}), (check_client, {"realtime_input": {}}),
    (check_client, {"setup": {"generationConfig": {"responseModalities": "AUDIO"}}}), (check_client, {"colour": 1}),
    (check_server, {"serverContent": {"interrupted": "perhaps"}}), (check_server, {"goAway": {"time": "1s"}})])
def test_the_oracle_refuses_what_it_does_not_know(check: Any, body: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check(json.dumps(body))
