"""Streams of calls that are between two states, as after a bridge or a transfer: started at once, attached in time."""

from __future__ import annotations

from typing import Any, Iterator

import orjson
import pytest

from freeswitch_audio_stream.engine.stream import attaching
from freeswitch_audio_stream.errors import SwitchError
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.switch import Session as SwitchSession
from freeswitch_audio_stream.testing.peers.raw_websocket import BINARY, RawServer, frame

from .community.user import User
from .harness import MODULE, PATIENCE, Platform, find, heard_all, noise, until, wait_for_audio

SPEECH = noise(8000)
START = "inbound 8000 5 1"


@pytest.fixture
def moving(platform: Platform) -> EmbeddedCall:
    """A call on its way from one state to the next that has no media: it has been bypassed, and is to be no longer."""
    call = platform.call(app="playback")
    call.bypass()
    call.move()
    return call


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attaching, "MEDIA_SECONDS", 0.1)


def arrive(platform: Platform, call: EmbeddedCall) -> None:
    """The media is back; then the call is where it was going, and the caller speaks."""
    call.bypass(False)
    until(lambda: '"waiting"' not in platform.run("list"))
    call.say(SPEECH)
    call.move(False)


def test_a_call_that_only_moves_is_attached_to_at_once(platform: Platform, agent: Agent) -> None:
    """It keeps its codecs: nothing of what is said from the first moment of the next state on is missed."""
    call = platform.call(app="playback", cng=True)
    call.move()
    session = platform.connect(agent, call, track="both")
    assert call.session.bugs != 0 and session.sample_count() == 0
    call.say(SPEECH)
    call.move(False)
    wait_for_audio(session, SPEECH)


@pytest.mark.parametrize("change", ["transfer", "bridge"])
def test_start_while_a_call_changes(platform: Platform, agent: Agent, change: str) -> None:
    """The start comes while the call's thread is on its way."""
    call, other = platform.call(app="playback"), platform.call(app="playback")
    answers: list[str] = []
    leave = call._leave_bridge if change == "transfer" else call.on_thread

    def start_meanwhile(*arguments: Any) -> Any:
        assert call.session.moving
        platform.start(call, agent.url)
        answers.append("accepted")
        return leave(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call, leave.__name__, start_meanwhile)
        if change == "transfer":
            call.run_app("echo")
        else:
            call.join_bridge(other)
    assert answers == ["accepted"]
    session = agent.wait_for_session()
    session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)


def test_a_call_without_media_is_attached_to_when_it_has_some(platform: Platform, agent: Agent,
                                                              moving: EmbeddedCall) -> None:
    """The start message is first, the caller is heard and hears."""
    platform.start(moving, agent.url, track="both")
    until(lambda: platform.status(moving)["state"] == "waiting")
    assert moving.session.bugs == 0 and agent.sessions == []
    arrive(platform, moving)
    session = agent.wait_for_session()
    wait_for_audio(session, SPEECH)
    assert session.messages[0]["event"] == "start"
    said = noise(4000, seed=2)
    session.send(play_message("s", said, 8000))
    heard_all(session)
    assert find(moving.heard(), said) >= 0
    assert platform.names(moving)[:2] == ["connection_established", "stream_started"]


def test_commands_while_it_waits(platform: Platform, agent: Agent, moving: EmbeddedCall) -> None:
    platform.start(moving, agent.url)
    status = platform.status(moving)
    assert (status["state"], status["msCaptured"], status["lastError"]) == ("waiting", 0, None)
    assert [stream["state"] for stream in orjson.loads(platform.run("list"))] == ["waiting"]
    for words in ("pause", "resume", "pause_play", "resume_play", "clear_play"):
        platform.tell(moving, words)
    platform.tell(moving, 'send_text {"said": "early"}')
    assert "is in use" in platform.run(f"{moving.uuid} s start {agent.url} {START}")
    arrive(platform, moving)
    session = agent.wait_for_session()
    wait_for_audio(session, SPEECH)
    assert [message.get("event", message.get("said")) for message in session.messages[:2]] == ["start", "early"]


@pytest.mark.parametrize("words, reason", [("stop enough", "requested"), ("graceful-shutdown enough", "graceful")])
def test_a_stop_while_it_waits(platform: Platform, agent: Agent, moving: EmbeddedCall, words: str, reason: str) -> None:
    platform.start(moving, agent.url)
    platform.tell(moving, words)
    stopped = platform.event("stream_stopped", moving)
    assert (stopped["reason"], stopped["detail"]) == (reason, "enough")
    assert platform.names(moving) == ["stream_stopped"] and agent.sessions == []
    arrive(platform, moving)
    platform.connect(agent, moving)


def test_a_hangup_while_it_waits(platform: Platform, agent: Agent, moving: EmbeddedCall) -> None:
    platform.start(moving, agent.url)
    moving.hangup()
    assert moving.join(PATIENCE)
    assert platform.event("stream_stopped", moving)["reason"] == "hangup"
    assert platform.names(moving) == ["stream_stopped"] and agent.sessions == []


def test_a_call_that_never_has_any(platform: Platform, agent: Agent, moving: EmbeddedCall, impatient: None) -> None:
    platform.start(moving, agent.url)
    platform.tell(moving, "send_text {}")
    error = platform.event("stream_error", moving, kind="media")
    platform.event("stream_error", moving, kind="text_not_sent")
    assert "no media within" in error["error"] and "answer" in error["error"]
    stopped = platform.event("stream_stopped", moving)
    assert (stopped["reason"], stopped["detail"]) == ("error", error["error"])
    until(lambda: platform.run("list") == "[]")
    assert agent.sessions == [] and not moving.destroyed.is_set()


def test_the_same_in_the_community_dialect(platform: Platform, agent: Agent, moving: EmbeddedCall,
                                           impatient: None) -> None:
    user = User(platform)
    user.start(moving, agent.url)
    assert "no media within" in user.event("error", moving)["message"]["error"]
    user.ended(moving)


def test_a_bug_that_is_refused_in_the_end(platform: Platform, agent: Agent, moving: EmbeddedCall,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise SwitchError("the switch refused a media bug")
    monkeypatch.setattr(SwitchSession, "add_bug", refuse)
    platform.start(moving, agent.url)
    arrive(platform, moving)
    stopped = platform.event("stream_stopped", moving)
    assert (stopped["reason"], stopped["detail"]) == ("error", "the switch refused a media bug")


@pytest.fixture
def full_platform() -> Iterator[Platform]:
    platform = Platform({"MOD_AUDIO_STREAM_MAX_STREAMS": "1"})
    yield platform
    platform.close()


def test_those_that_wait_count_and_end_with_the_module(full_platform: Platform, agent: Agent) -> None:
    call, other = full_platform.call(), full_platform.call()
    call.bypass()
    call.move()
    full_platform.start(call, agent.url)
    assert "1 streams run already" in full_platform.run(f"{other.uuid} s start {agent.url} {START}")
    assert full_platform.switch.unload(MODULE) == "+OK\n"
    assert full_platform.event("stream_stopped", call)["reason"] == "shutdown"


def test_external_media(platform: Platform, moving: EmbeddedCall) -> None:
    said = noise(4000, seed=3)
    with RawServer() as server:
        line = f"{moving.uuid} s external_media_start {server.url} sln"
        assert platform.run(line) == "+OK Success"
        platform.started[moving.uuid, "s"] += 1
        until(lambda: platform.status(moving)["state"] == "waiting")
        arrive(platform, moving)
        peer = server.accept()
        peer.send(frame(BINARY, said.tobytes()))
        until(lambda: find(moving.heard(), said) >= 0)


@pytest.mark.parametrize("words", [f"start ws://127.0.0.1:9/ {START}", "external_media_start ws://127.0.0.1:9/ sln"])
def test_a_call_that_stays_without_is_refused_at_once(platform: Platform, words: str) -> None:
    call = platform.call()
    call.bypass()
    assert platform.run(f"{call.uuid} s {words}").startswith("-ERR the call has no media: answer or pre_answer")
    assert platform.run("list") == "[]"
