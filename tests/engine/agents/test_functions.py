"""Functions that we carry out for a speech agent, where call-control allows them."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import numpy as np
import orjson
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.simulator import EmbeddedCall  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn  # noqa: E402

from ..harness import Platform, audible, until  # noqa: E402
from .speech import SPEECH, lines, voice  # noqa: E402

ALL = "'hangup,transfer,dtmf'"


@pytest.fixture
def service() -> Iterator[RealtimeServer]:
    with RealtimeServer(Script(), key="") as server:
        yield server
        assert [fault for session in server.sessions for fault in session.invalid] == []


def _calls(name: str, arguments: str) -> Callable[[Turn], Reply]:
    """What a model says that greets, then calls a function, and then says what came of it."""
    def reply(turn: Turn) -> Reply:
        if turn.items and turn.items[-1].role == "function_call_output":
            return Reply(f"It says {turn.items[-1].body['output']}", np.repeat(voice(3, 0.3), 3))
        return Reply(call=(name, arguments)) if turn.number else Reply("Hello", np.repeat(voice(2, 0.5), 3))
    return reply


def _start(platform: Platform, service: RealtimeServer, allowed: str = ALL, **options: Any) -> EmbeddedCall:
    call = platform.call(app="playback", speed=2)
    prefix = f"{{protocol=openai-realtime,call-control={allowed},transfer-destinations='1000,sales@internal'}}"
    platform.start(call, prefix + service.url + "/realtime?model=m", rate="mulaw 8000",
                   metadata=orjson.dumps({"greeting": "Hello!", **options}).decode())
    until(lambda: len(audible(call.heard())) == 4000)
    call.say(SPEECH)
    return call


def test_the_model_is_told_of_what_is_allowed(platform: Platform, service: RealtimeServer) -> None:
    service.script.reply = lambda turn: Reply("Hello", np.repeat(voice(2, 0.5), 3))
    _start(platform, service, "'transfer,dtmf'", tools=[{"name": "stock"}])
    tools = service.sessions[0].settings["tools"]
    assert [tool["name"] for tool in tools] == ["stock", "transfer_call", "send_digits"]
    assert tools[1]["parameters"]["properties"]["destination"]["enum"] == ["1000", "sales"]


def test_a_setting_makes_interruptions_reversible(platform: Platform, service: RealtimeServer) -> None:
    """A cough only pauses the agent; the metadata may say otherwise."""
    for number, (options, create) in enumerate([("", False), ('{"confirm_speech_ms":0}', True)]):
        call = platform.call(app="playback", speed=2)
        platform.start(call, f"{{protocol=openai-realtime,confirm-speech-ms=400}}{service.url}/realtime?model=m",
                       rate="mulaw 8000", metadata=options)
        until(lambda: len(service.sessions) > number and service.sessions[number].audio)
        detection = service.sessions[number].settings["audio"]["input"]["turn_detection"]
        assert detection["interrupt_response"] is detection["create_response"] is create
        platform.tell(call, "stop")
        platform.event("stream_stopped", call)


def test_hanging_up(platform: Platform, service: RealtimeServer) -> None:
    service.script.reply = _calls("hang_up", '{"reason":"done"}')
    call = _start(platform, service)
    told = platform.event("call_control", call)
    assert (told["action"], told["argument"], told["done"]) == ("hang_up", "done", True)
    platform.event("stream_stopped", call)
    assert not platform.events("agent_tool_call", call)


@pytest.mark.parametrize("name, arguments, done", [
    ("transfer_call", '{"destination":"1000"}', "uuid_transfer {} 1000"),
    ("transfer_call", '{"destination":"sales"}', "uuid_transfer {} sales XML internal"),
    ("send_digits", '{"digits":"12#w"}', "uuid_send_dtmf {} 12#w")])
def test_transfers_and_digits(name: str, arguments: str, done: str, platform: Platform, service: RealtimeServer,
                              ran: list[str]) -> None:
    service.script.reply = _calls(name, arguments)
    call = _start(platform, service)
    until(lambda: ran == [done.format(call.uuid)])
    told = platform.event("call_control", call)
    assert told["done"] is True and told["argument"] in arguments
    until(lambda: any('"done":true' in text for _, text in lines(platform, call)))
    assert not platform.events("agent_tool_call", call) and not platform.events("stream_error", call)


@pytest.mark.parametrize("name, arguments, outcome", [
    ("transfer_call", '{"destination":"2000"}', '"done":false,"reason":"transfer-destinations does not name'),
    ("send_digits", '{"digits":"12x"}', '"done":false,"reason":"these are not 1 to 64 digits'),
    ("send_digits", '{"digits":5}', '"done":false,"reason":"digits is to be a text"'),
    ("send_digits", '{', '"done":false,"reason":"the arguments are not JSON')])
def test_what_is_not_done_is_told_to_the_model(name: str, arguments: str, outcome: str, platform: Platform,
                                               service: RealtimeServer) -> None:
    service.script.reply = _calls(name, arguments)
    call = _start(platform, service)
    until(lambda: any(outcome in text for _, text in lines(platform, call)))


def test_by_default_the_application_does_it_or_not(platform: Platform, service: RealtimeServer) -> None:
    service.script.reply = _calls("hang_up", "{}")
    call = _start(platform, service, "")
    assert platform.event("agent_tool_call", call)["function"] == "hang_up"
    assert "tools" not in service.sessions[0].settings and not platform.events("call_control", call)
