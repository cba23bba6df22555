"""What every speech agent has to show, whatever its words are: a conversation on the embedded switch."""

from __future__ import annotations

import json
from typing import Any, Callable

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.agents.server import AgentServer, Answer

from ..harness import Platform, align, audible, find, until
from .speech import SPEECH, lines, start, told_nowhere, voice

KEY = "key-0123456789"
Start = Callable[..., EmbeddedCall]


def starter(platform: Platform, server: AgentServer, protocol: str, rate: str, speed: float = 2) -> Start:
    """Return what starts a stream to the server; its arguments are the agent's options."""
    def begin(**options: Any) -> EmbeddedCall:
        return start(platform, server.url, protocol, server.key, rate, json.dumps(options) if options else "", speed)
    return begin


def answers(*seconds: float) -> Callable[[int, "str | None"], Answer]:
    """Return a script: an answer of so many seconds in each turn, the last of them in all others."""
    def answer(number: int, result: str | None) -> Answer:
        return Answer(f"answer {number} is this", spoken(number, seconds[min(number, len(seconds) - 1)]))
    return answer


def spoken(number: int, seconds: float) -> Samples:
    """The audio of an answer."""
    return voice(100 + number, seconds)


def valid(server: AgentServer) -> None:
    """Hold what was said by both sides against the oracle, which every message went through."""
    assert [fault for conversation in server.conversations for fault in conversation.invalid] == []


def with_an_interruption(platform: Platform, server: AgentServer, begin: Start, exact: bool = True) -> None:
    """An answer, one that is interrupted, and one to what was said meanwhile; lines, latency, and the key unseen. Not
    `exact` is audio that was converted to another rate and back.
    """
    server.script.answer = answers(1.0, 20.0, 1.0)
    call = begin(instructions="Be brief.")
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH)
    until(lambda: hears(call, spoken(0, 1.0), exact))
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) > 8000 + 4000)
    call.say(SPEECH)
    until(lambda: hears(call, spoken(2, 1.0), exact))
    heard = len(audible(call.heard()))
    assert 8000 + 4000 < heard < 8000 + 8000 * 20, "the rest of what was interrupted is not heard"
    if exact:
        assert find(audible(call.heard()), spoken(1, 20.0)[:heard - 16_000]) == 8000
    until(lambda: ("agent", "answer 2 is this") in lines(platform, call))
    said = lines(platform, call)
    assert said[:2] == [("caller", "what the caller said, 0"), ("agent", "answer 0 is this")]
    assert ("caller", "what the caller said, 2") in said
    turn = platform.event("agent_turn", call)
    assert turn["turn"] == 1 and turn["latencyMs"] >= 0
    assert platform.status(call)["agentTurns"] >= 2
    assert not platform.events("stream_error", call) and told_nowhere(platform, call, server.key)
    platform.tell(call, "stop")
    until(lambda: server.live == 0)


def with_a_function(platform: Platform, server: AgentServer, begin: Start, result: Callable[[str], str]) -> None:
    """A function call, which the application answers; `result` is what the agent makes of the answer."""
    def answer(number: int, given: str | None) -> Answer:
        if given is None:
            return Answer(call=("stock", '{"article":"tea"}'))
        return Answer(f"There are {result(given)}", voice(1, 0.5))
    server.script.answer = answer
    call = begin(tools=[{"name": "stock", "description": "How much there is."}])
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH)
    asked = platform.event("agent_tool_call", call)
    assert (asked["function"], json.loads(asked["arguments"])) == ("stock", {"article": "tea"})
    platform.tell(call, f'tool_result {asked["toolCallId"]} {{"left":7}}')
    until(lambda: ("agent", 'There are {"left":7}') in lines(platform, call))
    platform.tell(call, f'tool_result {asked["toolCallId"]} {{"left":7}}')
    assert platform.event("stream_error", call)["error"].startswith("no function call")


def hears(call: EmbeddedCall, part: Samples, exact: bool) -> bool:
    """Whether the caller has heard an answer to its end."""
    if exact:
        return find(audible(call.heard()), part) >= 0
    track = call.heard()
    return len(track) >= len(part) and track.any() and align(track, part)[1] > 0.5


def again(platform: Platform, server: AgentServer, begin: Start, lose: Callable[[], None],
          exact: bool = True) -> EmbeddedCall:
    """A turn, a connection that ends, and a turn of another; return the call."""
    server.script.answer = answers(1.0)
    call = begin()
    until(lambda: server.conversations and server.conversations[-1].heard)
    call.say(SPEECH)
    until(lambda: hears(call, spoken(0, 1.0), exact))
    lose()
    until(lambda: len(server.conversations) == 2 and server.conversations[1].heard)
    call.say(SPEECH)
    until(lambda: hears(call, spoken(1, 1.0), exact))
    return call


def wrong_key(platform: Platform, server: AgentServer, protocol: str, rate: str) -> None:
    """A key that the service refuses: the stream fails, and the key is nowhere."""
    call = start(platform, server.url, protocol, "wrong-0123456789", rate)
    assert "401" in platform.event("connection_failed", call)["error"]
    platform.event("stream_stopped", call)
    assert not any("wrong-0123" in line.text for line in platform.switch.log_lines)
