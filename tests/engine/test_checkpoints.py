"""What becomes of audio from the server is told, to the server and as events, when it becomes of it."""

from __future__ import annotations

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Samples, samples_to_l16
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.services.agent.session import AgentSession, Message

from .harness import PATIENCE, Platform, audible, checkpoint, closed, find, heard_all, noise, until

PART = 1000
CLEAR = {"event": "media.clear"}


def settled(session: AgentSession, number: int) -> list[tuple[str, str]]:
    """Names and fates of the first `number` checkpoints, in the order in which they came back."""
    session.wait_for(lambda session: len(session.events("checkpoint")) >= number, PATIENCE)
    return [(message["name"], message["status"]) for message in session.events("checkpoint")]


def part(number: int) -> Message:
    return play_message("s", noise(PART, number), 8000, f"part {number}")


@pytest.mark.parametrize("app", ["park", "playback"])
def test_they_come_back_in_order(platform: Platform, agent: Agent, app: str) -> None:
    call = platform.call(app=app)
    session = platform.connect(agent, call)
    for number in range(5):
        session.send(part(number))
        session.send(checkpoint(f"after {number}"))
    expected = [(f"{what} {number}", "played") for number in range(5) for what in ("part", "after")]
    assert settled(session, 10) == expected
    until(lambda: len(platform.events("media_play_complete", call)) == 10)
    assert all(message.keys() == {"event", "streamId", "name", "status"} and message["streamId"] == "s"
               for message in session.events("checkpoint"))
    assert [event["checkpoint"] for event in platform.events("media_play_complete", call)] == \
        [name for name, _ in expected]


def test_played_means_that_the_caller_has_heard_it(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=5)
    heard: dict[str, Samples] = {}
    session = platform.connect(agent, call)
    for number in range(4):
        session.send(part(number))
        session.send(checkpoint(f"after {number}"))

    def look(session: AgentSession) -> bool:
        for message in session.events("checkpoint"):
            heard.setdefault(message["name"], call.heard())
        return "after 3" in heard
    session.wait_for(look, PATIENCE)
    everything = np.concatenate([noise(PART, number) for number in range(4)])
    for number in range(4):
        by_then = heard[f"part {number}"]
        assert find(by_then, everything[:PART * (number + 1)]) >= 0


@pytest.mark.parametrize("app", ["park", "playback"])
def test_without_audio_they_come_back_at_once(platform: Platform, agent: Agent, app: str) -> None:
    call = platform.call(app=app)
    session = platform.connect(agent, call)
    for number in range(3):
        session.send(checkpoint(str(number)))
        assert settled(session, number + 1)[-1] == (str(number), "played")


def test_a_clear_settles_what_was_before_it(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=0.5)
    session = platform.connect(agent, call)
    session.send(part(0))
    session.send(play_message("s", noise(80000, 1), 8000, "never heard whole"))
    session.send(checkpoint("nor this"))
    assert settled(session, 1) == [("part 0", "played")]
    session.send(CLEAR)
    session.send(checkpoint("behind it"))
    session.send(part(2))
    assert settled(session, 5)[1:] == [
        ("never heard whole", "cleared"), ("nor this", "cleared"),
        ("behind it", "played"), ("part 2", "played")]
    heard = audible(call.heard())
    assert np.array_equal(heard[-PART:], noise(PART, 2)) and len(heard) < 80000
    platform.event("media_play_complete", call, checkpoint="never heard whole", status="cleared")


def test_a_clear_with_nothing_to_clear(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    for number in range(3):
        session.send(CLEAR)
        session.send(part(number))
        assert settled(session, number + 1)[-1] == (f"part {number}", "played")
    assert platform.status(call)["errors"] == 0


def test_the_form_of_the_original_program(platform: Platform, agent: Agent) -> None:
    """Audio under ``media`` with a MIME type, and a checkpoint's name at the top."""
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    payload = play_message("s", noise(PART), 8000)["payload"]["audioData"]
    session.send({"event": "media.play", "media": {
        "payload": payload, "contentType": "audio/x-l16", "sampleRate": 8000}})
    session.send({"event": "media.checkpoint", "name": "old"})
    assert settled(session, 1) == [("old", "played")]
    assert find(call.heard(), noise(PART)) >= 0


# Events.

def test_events_of_a_play(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    session.send(play_message("s", noise(16000), 16000, "a"))
    complete = platform.event("media_play_complete", call)
    assert complete["checkpoint"] == "a" and complete["status"] == "played"
    start = platform.event("media_play_start", call)
    assert (start["checkpoint"], start["sampleRate"], start["durationMs"]) == ("a", 16000, 1000)
    assert start["queuedMs"] == 0
    assert platform.names(call)[-2:] == ["media_play_start", "media_play_complete"]


def test_audio_without_a_checkpoint_is_complete_when_all_is_heard(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=2)
    session = platform.connect(agent, call)
    for seed in range(3):
        session.send(play_message("s", noise(PART, seed), 8000))
    assert platform.event("media_play_complete", call)["status"] == "played"
    assert platform.names(call).count("media_play_start") == 1
    assert platform.names(call).count("media_play_complete") == 1
    assert find(call.heard(), noise(PART, 2)) >= 0
    assert "checkpoint" not in platform.event("media_play_complete", call)


def test_audio_without_a_checkpoint_that_is_cleared(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=0.5)
    session = platform.connect(agent, call)
    session.send(play_message("s", noise(80000), 8000))
    until(lambda: call.heard().any())
    session.send(CLEAR)
    assert platform.event("media_play_complete", call)["status"] == "cleared"


def test_audio_that_is_cleared_before_its_first_sample(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=0.05)
    session = platform.connect(agent, call)
    session.send(play_message("s", noise(80000), 8000))
    session.send(CLEAR)
    assert platform.event("media_play_complete", call)["status"] == "cleared"
    assert not call.heard().any()


def test_frames_are_told_from_messages(platform: Platform, agent: Agent) -> None:
    """Binary frames announce nothing; what follows them is reported as it is without them."""
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    for number in range(3):
        session.send(samples_to_l16(noise(4000)))
        session.send(checkpoint("frames"))
        until(lambda: platform.names(call).count("media_play_complete") == 4 * number + 2)
        session.send(part(number))
        heard_all(session)
        until(lambda: platform.names(call).count("media_play_complete") == 4 * number + 4)
        assert [event.get("format") for event in platform.events("media_play_start", call)] == \
            ["binary", None] * (number + 1)


def test_audio_of_no_length(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    session.send(play_message("s", noise(0), 8000, "nothing"))
    assert settled(session, 1) == [("nothing", "played")]
    assert platform.event("media_play_start", call)["durationMs"] == 0


# The end of the stream.

@pytest.mark.parametrize("words, status", [("stop", "cleared"), ("graceful-shutdown", "played")])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_stream_that_ends(platform: Platform, agent: Agent, words: str, status: str, rate: int) -> None:
    """Nothing is left open: to the end, or thrown away, but told."""
    call = platform.call(app="playback", speed=1)
    session = platform.connect(agent, call)
    for number in range(4):
        session.send(play_message("s", noise(rate // 10, number), rate, f"part {number}"))
    session.send(play_message("s", noise(rate // 10, 4), rate))
    until(lambda: platform.names(call).count("media_play_start") == 5)
    platform.tell(call, words)
    platform.event("stream_stopped", call)
    closed(session)
    complete = platform.events("media_play_complete", call)
    assert [event.get("checkpoint") for event in complete] == ["part 0", "part 1", "part 2", "part 3", None]
    assert complete[-1]["status"] == status
    if status == "played":
        assert settled(session, 4) == [(f"part {number}", "played") for number in range(4)]
        assert session.messages[-1]["event"] == "stop", "something came after the stop"
        assert len(audible(call.heard())) >= 5 * 800 - 50


def test_too_many_checkpoints(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    platform.tell(call, "pause_play")  # so that all of them wait at once
    for number in range(1100):
        session.send(checkpoint(str(number)))
    error = platform.event("stream_error", call, kind="checkpoints")["error"]
    assert "too many" in error
    until(lambda: platform.status(call)["messagesReceived"] == 1100)
    call.run_app("park")
    platform.tell(call, "graceful-shutdown")
    closed(session)
    names = [message["name"] for message in session.events("checkpoint")]
    assert names == sorted(names, key=int) and 1000 <= len(names) < 1100
