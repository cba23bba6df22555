"""ElevenLabs' agents on the embedded switch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

pytest.importorskip("websockets")

from freeswitch_audio_stream.testing.agents.elevenlabs import ElevenLabsServer  # noqa: E402

from ..harness import Platform, audible, until  # noqa: E402
from . import conversation, elevenlabs_oracle  # noqa: E402
from .conversation import Start, starter  # noqa: E402
from .speech import SPEECH  # noqa: E402

WIRE: list[tuple[bool, str]] = []
"""What was said by both sides in all tests of this file."""


@pytest.fixture
def server() -> Iterator[ElevenLabsServer]:
    with ElevenLabsServer() as server:
        yield server  # type: ignore[misc]
        WIRE.extend(message for one in server.conversations for message in one.wire)


@pytest.fixture
def begin(platform: Platform, server: ElevenLabsServer) -> Start:
    return starter(platform, server, "elevenlabs", "8000")


@pytest.mark.slow
def test_a_conversation_with_an_interruption(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    conversation.with_an_interruption(platform, server, begin)
    override = server.conversations[0].received[0]["conversation_config_override"]
    assert override == {"agent": {"prompt": {"prompt": "Be brief."}}}


def test_what_was_heard_of_an_interrupted_answer(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    server.script.answer = conversation.answers(10.0)
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 4000)
    call.say(SPEECH)
    until(lambda: any(event["payload"].get("interrupted") and event["payload"]["text"] == "answer"
                      for event in platform.events("transcription_received", call)))


def test_functions(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    conversation.with_a_function(platform, server, lambda **options: begin(), lambda given: given)


@pytest.mark.slow
def test_another_session_knows_what_was_said(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    conversation.again(platform, server, begin, server.drop)
    told = server.conversations[1].received[1]
    assert told["text"].endswith("caller: what the caller said, 0\nagent: answer 0 is this")


def test_other_rates_of_what_the_agent_says(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    server.output_format = "pcm_24000"
    server.script.answer = conversation.answers(1.0)
    call = begin(greeting="Hello!")
    until(lambda: len(audible(call.heard())) > 7000)


def test_pings_are_answered(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    begin(voice="v", language="en", user_id="u", dynamic_variables={"name": "Ada"}, greeting="Hello!")
    until(lambda: server.conversations and server.conversations[-1].heard)
    server.do(lambda one: one.emit("ping", ping_event={"event_id": 7, "ping_ms": 50}))
    until(lambda: {"type": "pong", "event_id": 7} in server.conversations[-1].received)


@pytest.mark.slow
def test_a_cough_only_pauses_the_agent(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    server.script.answer = conversation.answers(2.0)
    server.interrupts = False
    call = begin(confirm_speech_ms=50)
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 4000)
    server.script.answer = conversation.answers(0.0)
    call.say(SPEECH[:800])
    until(lambda: len(audible(call.heard())) >= 15_900)


def test_errors_that_pass_and_one_that_does_not(platform: Platform, server: ElevenLabsServer, begin: Start) -> None:
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    error = {"code": 1011, "message": "It takes long.", "error_type": "llm_timeout"}
    server.do(lambda one: one.emit("error", error_event=error))
    assert platform.event("stream_error", call)["error"] == "It takes long. (llm_timeout)"
    server.do(lambda one: one.emit("error", error_event={**error, "code": 1008, "error_type": "override_error"}))
    platform.event("stream_stopped", call)
    assert len(server.conversations) == 1


def test_an_agent_that_hears_something_else_is_refused(platform: Platform, server: ElevenLabsServer,
                                                       begin: Start) -> None:
    server.input_format = "pcm_16000"
    call = begin()
    assert "the agent hears pcm_16000, and the stream sends pcm_8000" in platform.event("stream_error", call)["error"]
    platform.event("stream_stopped", call)


def test_a_wrong_key_is_told_nowhere(platform: Platform, server: ElevenLabsServer) -> None:
    conversation.wrong_key(platform, server, "elevenlabs", "8000")


@pytest.mark.slow
def test_the_types_of_elevenlabs_know_every_message(tmp_path: Path, platform: Platform) -> None:
    """Those of all tests above. What is wrong is found: members that nobody knows, and those that are missing."""
    if not WIRE:
        with ElevenLabsServer() as server:
            starter(platform, server, "elevenlabs", "8000")()
            until(lambda: server.conversations and server.conversations[-1].wire)
            WIRE.extend(server.conversations[0].wire)
    wrong: list[tuple[bool, Any]] = [(True, {"type": "pong", "event_id": 1, "colour": "red"}), (True, {"type": "pong"}),
                                     (False, {"type": "ping", "ping_event": {"event_id": "1"}})]
    right = elevenlabs_oracle.different(WIRE)
    told = elevenlabs_oracle.faults(tmp_path, [*right, *((side, json.dumps(body)) for side, body in wrong)])
    lines = {int(line.split("(")[1].split(",")[0]) for line in told.splitlines() if line.startswith("messages.ts(")}
    assert lines == {len(right) + 2, len(right) + 3, len(right) + 4}, told
