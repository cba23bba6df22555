"""xAI's and Microsoft's services on the embedded switch: OpenAI's Realtime protocol in other words."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import orjson
import pytest

pytest.importorskip("openai")
pytest.importorskip("azure.ai.voicelive")

from freeswitch_audio_stream.protocols.openai_realtime import wire_protocol  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import (AZURE, XAI, RealtimeServer, Reply, Script,  # noqa: E402
                                                             Turn)
from freeswitch_audio_stream.testing.openai_realtime.voice_live import check_voice_live_client  # noqa: E402

from ...pipecat import pipecat_python  # noqa: E402
from ..harness import Platform, audible, find, until  # noqa: E402
from .speech import SPEECH, lines, start, told_nowhere, voice  # noqa: E402

KEY = "key-0123456789"
SERVERS = {"xai-realtime": XAI, "azure-voice-live": AZURE}


@pytest.fixture(params=[pytest.param("xai-realtime", marks=pytest.mark.slow), "azure-voice-live"])  # asks pipecat
def service(request: pytest.FixtureRequest) -> Iterator[RealtimeServer]:
    with RealtimeServer(Script(), KEY, SERVERS[request.param]) as server:
        yield server
        assert [fault for session in server.sessions for fault in session.invalid] == []
        if server.dialect is XAI:
            _hold_against_pipecat([message for session in server.sessions for message in session.wire])


def _hold_against_pipecat(messages: list[tuple[bool, str]]) -> None:
    oracle = Path(__file__).with_name("xai_oracle.py")
    done = subprocess.run([str(pipecat_python()), str(oracle)], input=json.dumps(messages), capture_output=True,
                          text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr[-2000:]


def _start(platform: Platform, service: RealtimeServer, rate: str = "mulaw 8000", **options: Any) -> Any:
    name = next(name for name, dialect in SERVERS.items() if dialect is service.dialect)
    return start(platform, service.url + "/realtime?model=m", name, KEY, rate, orjson.dumps(options).decode())


def _sent(service: RealtimeServer, kind: str) -> list[dict[str, Any]]:
    return [event for session in service.sessions for event in list(session.received) if event["type"] == kind]


def test_a_conversation(platform: Platform, service: RealtimeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer, an interruption told to the millisecond, a function call, and another session that knows of it all."""
    def reply(turn: Turn) -> Reply:
        if turn.number == 2:
            return Reply(call=("stock", '{"article":"tea"}'))
        seconds = 20.0 if turn.number == 1 else 1.0
        return Reply(f"answer {turn.number} is this", np.repeat(voice(100 + turn.number, seconds), 3))
    service.script.reply = reply
    call = _start(platform, service, instructions="Be brief.", tools=[{"name": "stock", "description": "How much."}])
    call.say(SPEECH)
    until(lambda: find(audible(call.heard()), voice(100, 1.0)) >= 0)
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 8000 + 4000)
    call.say(SPEECH)
    until(lambda: _sent(service, "conversation.item.truncate"))
    milliseconds = _sent(service, "conversation.item.truncate")[0]["audio_end_ms"]
    asked = platform.event("agent_tool_call", call)
    platform.tell(call, f'tool_result {asked["toolCallId"]} {{"left":7}}')
    until(lambda: find(audible(call.heard()), voice(103, 1.0)) >= 0)
    assert len(audible(call.heard())) == 8000 + 8 * milliseconds + 8000
    until(lambda: ("agent", "answer 3 is this") in lines(platform, call))
    assert lines(platform, call)[:2] == [("caller", "what the caller said, 0"), ("agent", "answer 0 is this")]
    monkeypatch.setattr(wire_protocol, "RENEW_SECONDS", 0.05)
    service.drop()
    until(lambda: len(service.sessions) > 1 and len(service.sessions[-1].items.all) >= 7)
    monkeypatch.undo()
    assert not platform.events("stream_error", call) and told_nowhere(platform, call, KEY)
    assert service.sessions[0].settings["instructions"] == "Be brief." and service.sessions[0].errors == []


def test_linear_audio_travels_at_24000_hz(platform: Platform, service: RealtimeServer) -> None:
    service.script.reply = lambda turn: Reply("yes", np.repeat(voice(1, 1.0), 3))
    call = _start(platform, service, rate="24000", greeting="Hello!")
    until(lambda: len(audible(call.heard())) > 7000)
    assert service.sessions[0].settings["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_a_final_error_ends_the_stream(platform: Platform, service: RealtimeServer) -> None:
    call = _start(platform, service)
    until(lambda: service.sessions and service.sessions[0].received)
    service.say_error("insufficient_quota", "There is no credit left.")
    assert platform.event("stream_error", call)["error"] == "There is no credit left. (insufficient_quota)"
    platform.event("stream_stopped", call)
    assert len(service.sessions) == 1


@pytest.mark.parametrize("protocol, option, fault", [
    ("xai-realtime", "noise_reduction", "no option noise_reduction"), ("azure-voice-live", "speed", "no option speed"),
    ("xai-realtime", "format", "no option format")])
def test_options_that_a_service_does_not_have(protocol: str, option: str, fault: str, platform: Platform) -> None:
    call = platform.call()
    answer = platform.run(f"{call.uuid} s start {{protocol={protocol}}}ws://127.0.0.1:9/ inbound 24000 0 1 "
                          f'{{"{option}":"1"}}')
    assert answer.startswith("-ERR ") and fault in answer


@pytest.mark.parametrize("message", [
    {"type": "session.update", "session": {"colour": "red"}}, {"type": "session.updated", "session": {}},
    {"type": "session.update", "session": {"input_audio_format": "pcm"}},
    {"type": "session.update", "session": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5}}},
    {"type": "session.update", "session": {"voice": {"type": "azure-standard"}}},
    {"type": "input_audio_buffer.append", "audio": 5}, {"type": "response.cancel", "colour": "red"}])
def test_microsofts_models_refuse_what_they_do_not_know(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check_voice_live_client(json.dumps(message))
