"""Genesys' AudioHook through the whole module: nothing before the session is open, pauses, reconnecting, the end."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode
from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.audiohook_server import Hook
from tests.platform_servers import Server

from .harness import Platform, audible, find, noise, until

PCMU, L16 = Encoding.MULAW, Encoding.L16


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def begin(platform: Platform, server: Server, **options: Any) -> tuple[EmbeddedCall, Hook]:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=audiohook}" + server.url, **options)
    until(lambda: server.connections)
    return call, Hook(server.connections[0])


def through(samples: Samples, encoding: Encoding) -> Samples:
    return decode(encode(samples, encoding), encoding)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", [PCMU, L16])
def test_a_conversation(platform: Platform, server: Server, encoding: Encoding) -> None:
    call, hook = begin(platform, server)
    speech, answer = through(noise(8000), encoding), noise(4000, 2)
    call.say(speech)
    until(lambda: platform.status(call)["captureQueueMs"] > 1000)
    assert not len(hook.audio(encoding)), "nothing is sent before the session is open"
    hook.opened([PCMU, L16].index(encoding))
    until(lambda: find(hook.audio(encoding), speech) >= 0)
    hook.play(answer, encoding)
    until(lambda: find(call.heard(), through(answer, encoding)) >= 0)
    hook.play(noise(80_000, 7, 900), encoding)
    until(lambda: len(audible(call.heard())) > 6000)
    hook.say("event", entities=[{"type": "barge_in", "data": {}}])
    hook.play(answer, encoding)
    until(lambda: np.count_nonzero(call.heard()) < 60_000 and find(call.heard()[8000:], through(answer, encoding)) >= 0)
    call.dtmf("5")
    until(lambda: hook.said("dtmf"))
    until(lambda: hook.said("ping"))
    hook.say("pong")
    platform.tell(call, "stop")
    until(lambda: hook.said("close"))
    assert not hook.heard.is_over.is_set(), "the connection stays until the server has answered"
    hook.say("closed", outputVariables={"done": "yes"})
    platform.event("stream_stopped", call)
    server.wait_for_close()
    numbers = [message["seq"] for message in hook.heard.texts]
    assert numbers == list(range(1, len(numbers) + 1))
    assert any(event.subclass.endswith("::json") and "done" in event.body for event in platform.switch.events)
    assert not platform.events("stream_error", call)


def test_pauses_leave_out_what_was_said_meanwhile(platform: Platform, server: Server) -> None:
    call, hook = begin(platform, server)
    first, second, third = noise(4000, 1), noise(4000, 2), noise(4000, 3)
    hook.opened(1, startPaused=True)
    until(lambda: hook.said("paused"))
    call.say(first)
    until(lambda: platform.status(call)["framesSkipped"] > 100)
    hook.say("resume")
    until(lambda: hook.said("resumed"))
    call.say(second)
    until(lambda: find(hook.audio(L16), second) >= 0)
    hook.say("pause")
    until(lambda: len(hook.said("paused")) == 2)
    before = len(hook.audio(L16))
    skipped = platform.status(call)["framesSkipped"]
    call.say(third)
    until(lambda: platform.status(call)["framesSkipped"] > skipped + 100)
    assert len(hook.audio(L16)) == before
    hook.say("resume")
    until(lambda: len(hook.said("resumed")) == 2)
    resumed = hook.said("resumed")[1]
    assert float(resumed["parameters"]["discarded"][2:-1]) > 1.5
    order = ["audio" if isinstance(message, bytes) else message["type"] for message in list(hook.heard.messages)]
    until(lambda: isinstance(hook.heard.messages[-1], bytes))
    assert "audio" not in order[1:order.index("resumed")]
    assert find(hook.audio(L16), first) < 0 and find(hook.audio(L16), third) < 0
    hook.say("disconnect", reason="completed")
    until(lambda: hook.said("close"))
    hook.say("closed")
    assert platform.event("call_control", call)["action"] == "hang_up"
    assert platform.event("stream_stopped", call)["reason"] == "server_closed"


def test_the_beginning_can_be_left_out(platform: Platform, server: Server) -> None:
    call, hook = begin(platform, server)
    until(lambda: platform.status(call)["captureQueueMs"] > 600)
    hook.opened(1, discardTo="PT0.5S")
    until(lambda: len(hook.audio(L16)) > 1600)
    assert hook.said("discarded")[0]["parameters"]["discarded"] == "PT0.500S"
    skipped = platform.status(call)["framesSkipped"]
    assert skipped == 25


def test_it_goes_on_in_another_session(platform: Platform, server: Server) -> None:
    call, hook = begin(platform, server)
    hook.opened(1)
    hook.say("reconnect")
    until(lambda: hook.said("close"))
    assert hook.said("close")[0]["parameters"] == {"reason": "reconnect"}
    speech = noise(4000)
    call.say(speech)
    hook.say("closed")
    until(lambda: len(server.connections) == 2)
    after = Hook(server.connections[1])
    assert after.open["parameters"]["continuedSessions"][0]["id"] == hook.open["id"]
    headers = after.heard.connection.request.headers  # type: ignore[union-attr]
    assert headers["Audiohook-Session-Id"] == after.open["id"] != hook.open["id"]
    after.opened(1)
    until(lambda: find(after.audio(L16), speech) >= 0), "nothing is lost between the sessions"


def test_one_way_streams_listen_to_the_server(platform: Platform, server: Server) -> None:
    call, hook = begin(platform, server, bidirectional=0, track="both")
    assert hook.open["parameters"]["media"][0]["channels"] == ["external", "internal"]
    hook.opened(1)
    speech = noise(4000)
    call.say(speech)
    until(lambda: find(hook.audio(L16)[::2], speech) >= 0)
    call.dtmf("5")
    platform.event("dtmf", call)
    hook.say("event", entities=[{"type": "transcript", "data": {"text": "hello"}}])
    assert platform.event("transcription_received", call)
    assert not hook.said("dtmf"), "a monitor knows of no digits"


def test_a_server_that_sends_too_much_is_told(platform: Platform, server: Server) -> None:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=audiohook,playback-secs=1}" + server.url)
    until(lambda: server.connections)
    hook = Hook(server.connections[0])
    hook.opened(0)
    hook.play(noise(40_000), PCMU)
    until(lambda: hook.said("error"))
    error = hook.said("error")[0]["parameters"]
    assert error["code"] == 429 and error["retryAfter"].startswith("PT")


@pytest.mark.slow
def test_a_server_that_does_not_answer_the_close_is_left(platform: Platform, server: Server) -> None:
    call, hook = begin(platform, server)
    platform.tell(call, "stop")  # before it has opened: what was captured is not sent
    until(lambda: hook.said("close"))
    platform.event("stream_stopped", call)
    assert not len(hook.audio(PCMU))
