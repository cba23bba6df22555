"""A speech agent spoken to straight from the switch: a call on the embedded switch, and the local Realtime server."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
import orjson
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode  # noqa: E402
from freeswitch_audio_stream.protocols.openai_realtime import wire_protocol  # noqa: E402
from freeswitch_audio_stream.simulator import EmbeddedCall  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn  # noqa: E402

from .harness import Platform, audible, find, noise, until  # noqa: E402

pytestmark = pytest.mark.slow

KEY = "sk-test-0123456789"
SPEECH = np.concatenate([noise(3200, 9), np.zeros(8000, np.int16)])


def _voice(seed: int, seconds: float) -> Samples:
    """Of 8,000 Hz, as mu-law leaves it, without a zero."""
    made = noise(int(8000 * seconds), seed)
    return decode(encode((made + np.sign(made) * 100).astype(np.int16), Encoding.MULAW), Encoding.MULAW)


def _answers(*seconds: float) -> Any:
    def reply(turn: Turn) -> Reply:
        voice = _voice(100 + turn.number, seconds[min(turn.number, len(seconds) - 1)])
        return Reply(f"answer {turn.number} is this", np.repeat(voice, 3))
    return reply


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def service(script: Script) -> Iterator[RealtimeServer]:
    with RealtimeServer(script, KEY) as server:
        yield server
        assert [fault for session in server.sessions for fault in session.invalid] == []


def _start(platform: Platform, service: RealtimeServer, rate: str = "mulaw 8000", key: str = KEY,
           **options: Any) -> EmbeddedCall:
    call = platform.call(app="playback", speed=2, variables={"MOD_AUDIO_STREAM_API_KEY": key})
    platform.start(call, "{protocol=openai-realtime}" + service.url + "/realtime?model=m", rate=rate,
                   metadata=orjson.dumps(options).decode() if options else "")
    return call


def _sent(service: RealtimeServer, kind: str) -> list[dict[str, Any]]:
    return [event for session in service.sessions for event in list(session.received) if event["type"] == kind]


def _lines(platform: Platform, call: EmbeddedCall) -> list[tuple[str, str]]:
    payloads = [event["payload"] for event in platform.events("transcription_received", call)]
    return [(payload["speaker"], payload["text"]) for payload in payloads]


def test_a_conversation_with_an_interruption(platform: Platform, service: RealtimeServer, script: Script) -> None:
    """The service learns to the millisecond how much of its answer the caller has heard."""
    script.reply = _answers(1.0, 20.0, 1.0)
    call = _start(platform, service, instructions="Be brief.")
    call.say(SPEECH)
    until(lambda: find(audible(call.heard()), _voice(100, 1.0)) >= 0)
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 8000 + 4000)
    call.say(SPEECH)
    until(lambda: _sent(service, "conversation.item.truncate"))
    until(lambda: find(audible(call.heard()), _voice(102, 1.0)) >= 0)
    cut, = _sent(service, "conversation.item.truncate")
    heard = audible(call.heard())
    milliseconds = cut["audio_end_ms"]
    assert len(heard) == 8000 + 8 * milliseconds + 8000 and 500 <= milliseconds < 20_000
    assert find(heard, _voice(101, 20.0)[:8 * milliseconds]) == 8000
    until(lambda: ("agent", "answer 2 is this") in _lines(platform, call))
    lines = _lines(platform, call)
    assert lines[:3] == [("caller", "what the caller said, 0"), ("agent", "answer 0 is this"),
                         ("caller", "what the caller said, 1")]
    assert lines[-2:] == [("caller", "what the caller said, 2"), ("agent", "answer 2 is this")]
    interrupted, = [event["payload"] for event in platform.events("transcription_received", call)
                    if event["payload"].get("interrupted")]
    assert interrupted["heardMs"] == milliseconds
    session, = service.sessions
    assert session.errors == [] and session.settings["instructions"] == "Be brief."
    assert not platform.events("stream_error", call)
    platform.tell(call, "stop")
    until(lambda: service.live == 0)


def test_linear_audio_travels_at_24000_hz(platform: Platform, service: RealtimeServer, script: Script) -> None:
    script.reply = _answers(1.0)
    call = _start(platform, service, rate="24000")
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 7000)
    assert service.sessions[0].settings["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_the_application_answers_function_calls(platform: Platform, service: RealtimeServer, script: Script) -> None:
    def reply(turn: Turn) -> Reply:
        if turn.items[-1].role == "function_call_output":
            return Reply(f"There are {turn.items[-1].body['output']}", np.repeat(_voice(1, 0.5), 3))
        return Reply(call=("stock", '{"article":"tea"}'))
    script.reply = reply
    call = _start(platform, service, tools=[{"name": "stock"}])
    call.say(SPEECH)
    asked = platform.event("agent_tool_call", call)
    assert (asked["function"], asked["arguments"]) == ("stock", '{"article":"tea"}')
    platform.tell(call, f'tool_result {asked["toolCallId"]} {{"left":7}}')
    until(lambda: ("agent", 'There are {"left":7}') in _lines(platform, call))
    platform.tell(call, f'tool_result {asked["toolCallId"]} {{"left":7}}')
    assert platform.event("stream_error", call)["error"].startswith("no function call")


def test_a_cough_only_pauses_the_agent(platform: Platform, service: RealtimeServer, script: Script) -> None:
    script.reply = _answers(5.0)
    call = _start(platform, service, confirm_speech_ms=5000,
                  turn_detection={"type": "server_vad", "silence_duration_ms": 200})
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 8000)
    call.say(np.concatenate([noise(800, 3), np.zeros(4000, np.int16)]))
    until(lambda: service.sessions[0].removed)
    until(lambda: len(audible(call.heard())) == 40_000)
    assert find(audible(call.heard()), _voice(100, 5.0)) == 0
    assert _sent(service, "conversation.item.truncate") == _sent(service, "response.cancel") == []


@pytest.mark.parametrize("how", ["lost", "renewed", "expired"])
def test_another_connection_goes_on_with_the_conversation(
        how: str, platform: Platform, service: RealtimeServer, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.reply = _answers(1.0)
    if how == "renewed":
        monkeypatch.setattr(wire_protocol, "RENEW_SECONDS", 0.2)
    call = _start(platform, service, greeting="Hello!")
    until(lambda: len(audible(call.heard())) == 8000)
    if how == "lost":
        service.drop()
    elif how == "expired":
        service.say_error("session_expired", "Your session hit the maximum duration of 60 minutes.")
    until(lambda: len(service.sessions) >= 2 and service.sessions[1].items.all)
    assert platform.event("connection_closed", call)["willReconnect"]
    monkeypatch.undo()
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) == 16_000)
    texts = [(item.role, item.text) for item in service.sessions[-1].items.all]
    assert texts[0] == ("assistant", "answer 0 is this") and len(texts) == 3
    assert len(_sent(service, "response.create")) == 1, "it has greeted once"


def test_an_error_that_is_final_ends_the_stream(platform: Platform, service: RealtimeServer) -> None:
    call = _start(platform, service)
    until(lambda: service.sessions)
    service.say_error("insufficient_quota", "There is no credit left.")
    assert platform.event("stream_error", call)["error"] == "There is no credit left. (insufficient_quota)"
    platform.event("stream_stopped", call)
    assert len(service.sessions) == 1


def test_a_wrong_key_fails_the_stream_and_is_told_nowhere(platform: Platform, service: RealtimeServer) -> None:
    call = _start(platform, service, key="sk-wrong-0123456789")
    assert "401" in platform.event("connection_failed", call)["error"]
    platform.event("stream_stopped", call)
    assert not any("sk-wrong" in line.text for line in platform.switch.log_lines)


@pytest.mark.parametrize("words, fault", [
    ("inbound 16000 0 1", "carries l16 of 24000 Hz or mulaw of 8000 Hz"), ("both 24000 0 1", "use inbound"),
    ('inbound 24000 0 1 {"voise":"x"}', "no option voise")])
def test_what_cannot_be_is_refused_at_the_command(words: str, fault: str, platform: Platform) -> None:
    call = platform.call()
    answer = platform.run(f"{call.uuid} s start {{protocol=openai-realtime}}ws://127.0.0.1:9/ {words}")
    assert answer.startswith("-ERR ") and fault in answer
