"""A run of audio in text messages: the first is read, the core takes the others, and nobody can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.engine.conversation.message_receiver import MessageReceiver
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.services.agent.session import AgentSession, Message
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.peers.raw_websocket import RawServer

from .harness import Platform, audible, checkpoint, find, heard_all, noise, until

PART = 400
CLEAR = {"event": "media.clear"}
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The text messages that Python has read."""
    messages: list[bytes] = []
    on_text = MessageReceiver._on_text

    def noted(self: MessageReceiver, data: bytes, position: int) -> None:
        messages.append(data)
        on_text(self, data, position)
    monkeypatch.setattr(MessageReceiver, "_on_text", noted)
    return messages


def starts(platform: Platform, call: EmbeddedCall) -> list[dict[str, Any]]:
    return platform.events("media_play_start", call)


def send_run(session: AgentSession, numbers: range) -> None:
    for number in numbers:
        session.send(play_message("s", noise(PART, number), 8000))


@pytest.mark.slow
def test_a_run_is_heard_in_order_and_told_of_once(platform: Platform, agent: Agent, read: list[bytes]) -> None:
    call = platform.call(app="playback", speed=1)
    session = platform.connect(agent, call)
    send_run(session, range(1))
    until(lambda: starts(platform, call))
    platform.tell(call, "pause_play")  # an answer from the dispatcher: what came before has been obeyed
    platform.tell(call, "resume_play")
    send_run(session, range(1, 20))
    heard_all(session)
    assert len(read) < 5
    everything = np.concatenate([noise(PART, number) for number in range(20)])
    assert np.array_equal(audible(call.heard()), audible(everything))
    (start,) = starts(platform, call)
    assert (start["sampleRate"], start["durationMs"], start["queuedMs"]) == (8000, 50, 0)
    assert platform.status(call)["errors"] == 0


def test_a_run_after_silence_is_told_of_when_it_begins_to_play(platform: Platform, agent: Agent,
                                                               read: list[bytes]) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    for number in range(3):
        send_run(session, range(number, number + 1))
        until(lambda: len(platform.events("media_play_complete", call)) == number + 1)
    assert len(read) == 1
    assert [(start["sampleRate"], start["durationMs"]) for start in starts(platform, call)] == [(8000, 50)] * 3
    assert [event["status"] for event in platform.events("media_play_complete", call)] == ["played"] * 3


def test_each_message_has_its_event_where_that_is_wanted(platform: Platform, agent: Agent, read: list[bytes]) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call, prefix="{play-events=each}")
    send_run(session, range(5))
    until(lambda: len(starts(platform, call)) == 5)
    assert len(read) == 5


def test_a_server_whose_messages_are_never_alike_is_read(platform: Platform, agent: Agent, read: list[bytes]) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    for number in range(30):
        session.send({**play_message("s", noise(PART, number), 8000), "number": number})
    heard_all(session)
    assert len(read) == 31
    assert find(call.heard(), noise(PART, 29)) >= 0


@pytest.mark.slow
def test_another_connection_begins_anew(platform: Platform, server: RawServer, read: list[bytes]) -> None:
    call = platform.call(app="playback")
    platform.start(call, server.url)
    for number in range(6):
        if number in (0, 3):
            peer = server.accept()
        peer.say(play_message("s", noise(PART, number), 8000))
        until(lambda: len(platform.events("media_play_complete", call)) == number + 1)
        if number == 2:
            peer.reset()
    assert len(read) == 2
    platform.tell(call, "stop")


RATES = st.sampled_from([8000, 8000, 8000, 16000])
SCRIPTS = st.lists(st.one_of(st.tuples(st.just("play"), RATES), st.tuples(st.just("named"), RATES),
                             st.just(("clear", 0)), st.just(("odd", 0))), max_size=25)


def messages_of(script: list[tuple[str, int]]) -> list[Message]:
    """What a server sends; "odd" is audio that ends within a sample."""
    made: list[Message] = []
    for number, (kind, rate) in enumerate(script):
        samples: Samples = noise(80, number)
        message = play_message("s", samples, rate, f"{number}" if kind == "named" else None)
        if kind == "odd":
            message["payload"]["audioData"] = "AAAA"
        made.append(CLEAR if kind == "clear" else message)
    return [*made, play_message("s", noise(PART, 77), 8000), checkpoint("end")]


@given(script=SCRIPTS)
@with_fixtures
def test_nothing_is_heard_differently(platform: Platform, agent: Agent, script: list[tuple[str, int]]) -> None:
    """Whatever comes between: a stream that reads each message, and one that does not."""
    heard = []
    for events in ("each", "run"):
        call = platform.call(app="playback", speed=20)
        session = platform.connect(agent, call, prefix="{play-events=%s}" % events)
        platform.tell(call, "pause_play")  # or what a clear finds would be chance
        for message in messages_of(script):
            session.send(message)
        session.send({"event": "unknown"})
        platform.event("stream_error", call, kind="event")  # all before it has been obeyed
        errors = platform.status(call)["errors"]
        platform.tell(call, "resume_play")
        heard_all(session)
        names = [message["name"] + message["status"] for message in session.events("checkpoint")[:-1]]
        heard.append((audible(call.heard()).tolist(), names, errors))
        platform.tell(call, "stop")
        call.hangup()
    assert heard[0] == heard[1]
