"""A connection that breaks is made again, with all that the call has said meanwhile; one that was closed is not."""

from __future__ import annotations

import base64
from typing import Iterator

import numpy as np
import orjson
import pytest

from freeswitch_audio_stream.audio import l16_to_samples
from freeswitch_audio_stream.engine.connection import reconnecting
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.peers.frame_server import FrameServer
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Server, stream_audio

from ..harness import PATIENCE, Platform, audible, find, noise, until
from .user import User

pytestmark = pytest.mark.slow

STREAMS = 20


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The longest time that each try could have waited; none of them waits."""
    ceilings: list[float] = []

    def uniform(low: float, high: float) -> float:
        assert low == 0, "full jitter"
        ceilings.append(high)
        return 0.0
    monkeypatch.setattr(reconnecting.random, "uniform", uniform)
    yield ceilings


def disconnected(user: User, call: EmbeddedCall, number: int = 1) -> dict[str, object]:
    message: dict[str, object] = user.event("disconnect", call, number)["message"]
    return message


def speaking(user: User, seed: int, **variables: str) -> EmbeddedCall:
    """A call whose caller speaks without end."""
    return user.call(speech=noise(400000, seed), speed=2, **variables)


def check_whole(call: EmbeddedCall, first: Peer, second: Peer, spoken_before: int) -> int:
    """Each connection carries one piece of what was said, and the second all that was said after the first one's
    end was told, `spoken_before` samples into the call; answers the samples that were on their way then.
    """
    pieces = [peer.audio() for peer in (first, second)]
    spoken = call.spoken()  # not before: the caller speaks on
    places = [find(spoken, piece) for piece in pieces]
    assert min(places) >= 0, "there is a hole"
    end = places[0] + len(pieces[0])
    assert end <= places[1] <= spoken_before
    return places[1] - end


def test_twenty_streams_at_once(user: User, server: Server) -> None:
    calls = [speaking(user, seed) for seed in range(STREAMS)]
    for call in calls:
        user.start(call, server.url, f"mono 8k of {call.uuid}")
    server.wait_for_peer(STREAMS)
    first = {peer.texts[0]: peer for peer in listening(server.peers)}
    server.kill()
    said = {}
    for call in calls:
        assert disconnected(user, call)["code"] == 1006
        said[call] = len(call.spoken())
    for call in calls:
        until(lambda: len(call.spoken()) > said[call] + 16000)
    server.restart()
    server.wait_for_peer(2 * STREAMS)
    second = {peer.texts[0]: peer for peer in listening(server.peers[STREAMS:])}
    assert first.keys() == second.keys() == {f"of {call.uuid}" for call in calls}
    for call in calls:
        peer = second[f"of {call.uuid}"]
        peer.wait_for_bytes(2 * (len(call.spoken()) - said[call]))
        status = user.status(call)
        assert status["framesDropped"] == 0
        assert 1 <= status["reconnects"] < 20, "a storm"
        assert user.names(call) == ["connect", "error", "disconnect", "connect"]
        assert isinstance(peer.messages[0], str) and len(peer.texts) == 1, "the metadata come first, once"
        check_whole(call, first[f"of {call.uuid}"], peer, said[call])


def listening(peers: list[Peer]) -> list[Peer]:
    """The peers, when each has metadata and some audio."""
    for peer in peers:
        peer.wait_for(lambda peer: peer.texts and len(peer.chunks) >= 10)
    return peers


@pytest.mark.parametrize("mix, words", [("stereo", "16k"), ("mixed", "8k")])
def test_every_mix_survives(user: User, server: Server, mix: str, words: str) -> None:
    call = user.call(speech=noise(400000), app="playback")
    first = user.connect(server, call, f"{mix} {words} hello")
    first.wait_for(lambda peer: len(peer.chunks) >= 10)
    first.drop()
    second = server.wait_for_peer(2)
    second.wait_for(lambda peer: len(peer.chunks) >= 50)
    assert second.messages[0] == "hello"
    assert {len(chunk) for chunk in second.chunks} == {1280 if mix == "stereo" else 320}


def test_without_metadata_the_audio_goes_on_at_once(user: User, server: Server) -> None:
    call = speaking(user, 1)
    first = user.connect(server, call)
    first.wait_for(lambda peer: len(peer.chunks) >= 10)
    first.drop()
    disconnected(user, call)
    said = len(call.spoken())
    second = server.wait_for_peer(2)
    second.wait_for_bytes(32000)
    assert second.texts == []
    check_whole(call, first, second, said)


def test_again_and_again(user: User, server: Server) -> None:
    call = speaking(user, 1)
    user.start(call, server.url, "mono 8k hello")
    for number in range(1, 5):
        peer = server.wait_for_peer(number)
        peer.wait_for(lambda peer: len(peer.chunks) >= 5)
        assert peer.messages[0] == "hello"
        peer.drop()
        disconnected(user, call, number)
    server.wait_for_peer(5)
    assert user.status(call)["reconnects"] == 4


def test_a_loss_is_an_error_that_names_the_server(user: User, server: Server) -> None:
    """Code 1, input and output; a close that the server means is none."""
    call = user.call()
    user.connect(server, call).drop()
    error = user.event("error", call)["message"]
    assert error["code"] == 1 and server.url in error["error"] and "lost" in error["error"]
    server.wait_for_peer(2).close(1011)
    server.wait_for_peer(3).close(1000)
    user.ended(call)
    assert user.names(call) == ["connect", "error", "disconnect", "connect", "disconnect", "connect", "disconnect"]


def test_a_server_that_drops_whoever_comes_is_not_asked_for_ever(user: User, server: Server,
                                                                 waits: list[float]) -> None:
    """To accept and then to break is no success: the waits go on growing, and the tries are used up."""
    call = user.call(STREAM_RECONNECT_MAX="3")
    user.start(call, server.url)
    for number in range(1, 5):
        server.wait_for_peer(number).drop()
    user.ended(call)
    assert len(server.peers) == 4 and waits == [0.5, 1.0, 1.5]


def test_the_ring_holds_what_it_can(user: User, server: Server) -> None:
    """Beyond its length the newest is dropped, and that is counted."""
    call = user.call(speech=noise(400000), MOD_AUDIO_STREAM_BUFFER_SECS="1")
    first = user.connect(server, call)
    first.wait_for(lambda peer: len(peer.chunks) >= 10)
    server.kill()
    disconnected(user, call)
    until(lambda: user.status(call)["framesDropped"] > 0)
    server.restart()
    second = server.wait_for_peer(2)
    second.wait_for_bytes(16000)
    assert find(call.spoken(), second.audio()[:8000]) >= 0


# When not.

@pytest.mark.parametrize("code, reason", [(1000, "done"), (1001, "going away"), (1000, ""), (1008, "not you"),
                                          (4000, "no more credit"), (4401, ""), (4999, "")])
def test_never_after_a_clean_close(user: User, server: Server, waits: list[float], code: int, reason: str) -> None:
    call = user.call()
    peer = user.connect(server, call)
    peer.close(code, reason)
    message = disconnected(user, call)
    assert message["code"] == code and reason in str(message["reason"])
    user.ended(call)
    assert waits == [] and len(server.peers) == 1
    assert user.names(call) == ["connect", "disconnect"]
    second = user.connect(server, call, "mono 8k again")
    second.wait_for(lambda peer: len(peer.chunks) >= 5)
    assert second.messages[0] == "again"


@pytest.mark.parametrize("code", [1011, 1012, 1013, 1003, 3000])
def test_after_a_close_that_is_a_failure(user: User, server: Server, code: int) -> None:
    call = user.call()
    user.connect(server, call, "mono 8k hello").close(code, "trouble")
    second = server.wait_for_peer(2)
    second.wait_for(lambda peer: peer.chunks)
    assert second.messages[0] == "hello"
    assert disconnected(user, call) == {"code": code, "reason": "trouble"}


def test_not_where_it_is_switched_off(user: User, server: Server, waits: list[float]) -> None:
    call = user.call(STREAM_NO_RECONNECT="true")
    user.connect(server, call).drop()
    assert disconnected(user, call)["code"] == 1006
    user.ended(call)
    assert waits == [] and len(server.peers) == 1
    user.connect(server, call)


def test_a_first_connection_that_fails_is_not_tried_again(user: User, server: Server, waits: list[float]) -> None:
    server.kill()
    call = user.call()
    user.start(call, server.url)
    user.event("error", call)
    user.ended(call)
    assert waits == [] and user.names(call) == ["error"]
    server.restart()
    user.connect(server, call)


@pytest.mark.parametrize("most", [1, 3])
def test_until_the_tries_are_used_up(user: User, server: Server, waits: list[float], most: int) -> None:
    call = user.call(STREAM_RECONNECT_MAX=str(most))
    user.connect(server, call)
    server.kill()
    disconnected(user, call)
    error = user.event("error", call, 2)["message"]
    assert error["code"] == 6 and f"127.0.0.1:{server.port}" in error["error"]
    user.ended(call)
    assert len(waits) == most
    assert user.names(call) == ["connect", "error", "disconnect", "error"]
    server.restart()
    user.connect(server, call, "mono 8k new")


def test_the_waits_grow(user: User, server: Server, waits: list[float]) -> None:
    call = user.call(STREAM_RECONNECT_MAX="14")
    user.connect(server, call)
    server.kill()
    user.event("error", call, 2)
    assert waits[0] == 0.5 and waits == sorted(waits) and waits[-3:] == [30.0] * 3
    assert len(waits) == 14


def test_tries_are_no_events(user: User, server: Server, waits: list[float]) -> None:
    """A server that stays away would flood the application otherwise."""
    call = user.call()
    user.connect(server, call)
    server.kill()
    until(lambda: user.status(call)["reconnects"] > 10)
    assert user.names(call) == ["connect", "error", "disconnect"]
    assert "refuse" in user.status(call)["lastError"]
    server.restart()
    server.wait_for_peer(2)
    user.event("connect", call, 2)


@pytest.mark.parametrize("words", ["stop", "stop bye", "graceful-shutdown"])
def test_a_stop_after_the_server_has_closed_succeeds_once(user: User, server: Server, words: str) -> None:
    """That module knows a stream until it is stopped, and scripts take anything else for a failure."""
    call, other = user.call(), user.call()
    user.connect(server, call).close(1000)
    user.ended(call)
    for again in ("pause", "resume", "pause", words):
        user.tell(call, again)
    assert "no stream" in user.run(call, "stop") and "no stream" in user.run(call, "pause")
    assert "no stream" in user.run(other, "stop")
    user.connect(server, call).close(1000)
    user.ended(call)
    user.connect(server, call)
    user.tell(call, "stop")
    user.ended(call)
    assert "no stream" in user.run(call, "stop"), "a new stream is what a stop is for"


def test_a_stop_after_a_first_connection_that_failed_does_not(user: User, server: Server) -> None:
    server.kill()
    call = user.call()
    user.start(call, server.url)
    user.event("error", call)
    user.ended(call)
    assert "no stream" in user.run(call, "stop")
    server.restart()


def test_a_stop_after_a_lost_connection_succeeds(user: User, server: Server) -> None:
    call = user.call(STREAM_NO_RECONNECT="true")
    user.connect(server, call).drop()
    disconnected(user, call)
    user.ended(call)
    user.tell(call, "stop")
    assert "no stream" in user.run(call, "stop")


def test_what_a_call_has_not_stopped_is_forgotten_with_it(user: User, server: Server) -> None:
    call = user.call()
    user.connect(server, call).close(1000)
    user.ended(call)
    call.hangup()
    assert call.join(PATIENCE)
    until(lambda: not user.run(call, "pause").startswith("+OK"))


# In between.

def lost(user: User, server: Server, **variables: str) -> tuple[EmbeddedCall, Peer]:
    call = user.call(**variables)
    peer = user.connect(server, call, "mono 8k hello")
    peer.wait_for(lambda peer: peer.texts)
    server.kill()
    disconnected(user, call)
    assert user.status(call)["state"] == "reconnecting"
    return call, peer


@pytest.mark.parametrize("command", ["stop", "stop with words", "graceful-shutdown"])
def test_a_stop_in_between(user: User, server: Server, command: str) -> None:
    call, _ = lost(user, server)
    user.tell(call, command)
    user.ended(call)
    server.restart()
    second = user.connect(server, call, "mono 8k new")
    second.wait_for(lambda peer: len(peer.chunks) > 10)
    assert len(server.peers) == 2 and second.messages[0] == "new"


def test_a_hangup_in_between(user: User, server: Server) -> None:
    call, _ = lost(user, server)
    call.hangup()
    assert call.join(PATIENCE)
    user.ended(call)


def test_a_hangup_while_a_try_is_under_way(user: User, server: Server, waits: list[float]) -> None:
    call = user.call()
    with FrameServer() as other:
        user.start(call, other.url)
        other.next().drop()
        for _ in range(3):
            other.next().drop()
        call.hangup()
        assert call.join(PATIENCE)
        user.ended(call)


def test_text_in_between_is_refused_with_the_reason(user: User, server: Server) -> None:
    call, _ = lost(user, server)
    answer = user.run(call, "send_text hello")
    assert answer.startswith("-ERR") and "reconnecting" in answer


def test_a_second_start_in_between_is_refused(user: User, server: Server) -> None:
    """The first stream is still there; whoever wants another one stops it."""
    call, _ = lost(user, server)
    assert "runs on this call already" in user.run(call, f"start {server.url} mono")
    user.tell(call, "stop")
    server.restart()
    user.connect(server, call)


def test_the_caller_goes_on_hearing_what_was_sent(user: User, server: Server) -> None:
    call = user.call(app="playback", speed=1, STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    said = noise(8000)
    peer.send(stream_audio("raw", said.astype("<i2").tobytes(), sampleRate=8000))
    until(lambda: call.heard().any())
    server.kill()
    disconnected(user, call)
    user.completed(call)
    assert np.array_equal(audible(call.heard()), said)


def test_digits_in_between_are_events(user: User, server: Server) -> None:
    call, _ = lost(user, server, STREAM_DTMF="true")
    call.dtmf("7")
    assert user.event("dtmf", call)["digit"] == "7"


def test_a_shutdown_of_the_module_in_between() -> None:
    platform = Platform()
    user = User(platform)
    with Server() as server:
        call, _ = lost(user, server)
        assert platform.switch.unload("mod_audio_stream") == "+OK\n"
        call.hangup()
        assert call.join(PATIENCE)
    platform.close()


# The other grammar does the same, and says so.

def test_a_stream_of_the_stream_api(platform: Platform, server: Server) -> None:
    call = platform.call(speech=noise(400000), speed=2)
    platform.start(call, server.url, track="inbound", metadata='{"a": 1}')
    first = server.wait_for_peer()
    first.wait_for(lambda peer: len(peer.texts) >= 10)
    first.drop()
    assert platform.event("connection_closed", call, code=1006)["willReconnect"] is True
    said = len(call.spoken())
    second = server.wait_for_peer(2)
    assert platform.event("connection_established", call, attempt=1)["attempt"] == 1
    second.wait_for(lambda peer: len(peer.texts) >= 50)
    start, *media = map(orjson.loads, second.texts)
    assert start["event"] == "start" and start["metadata"] == {"a": 1}
    assert [message["sequence"] for message in media] == \
        list(range(start["sequence"] + 1, start["sequence"] + 1 + len(media)))
    audio = l16_to_samples(b"".join(base64.b64decode(message["audio"]) for message in media))
    assert 0 <= find(call.spoken(), audio) <= said
    platform.tell(call, "stop")
    assert platform.event("stream_stopped", call)["reason"] == "requested"
    assert platform.names(call).count("stream_started") == 1


@pytest.mark.parametrize("code", [1008, 4001])
def test_a_stream_of_the_stream_api_that_is_refused_ends(platform: Platform, server: Server, code: int) -> None:
    call = platform.call()
    platform.start(call, server.url)
    server.wait_for_peer().close(code, "not you")
    assert platform.event("connection_closed", call, code=code)["willReconnect"] is False
    body = platform.event("stream_stopped", call)
    assert (body["reason"], body["detail"]) == ("server_closed", "not you")
    assert len(server.peers) == 1


def test_a_stream_of_the_stream_api_ends_where_it_is_switched_off(platform: Platform, server: Server) -> None:
    call = platform.call(variables={"MOD_AUDIO_STREAM_RECONNECT": "false"})
    platform.start(call, server.url)
    server.wait_for_peer().drop()
    assert platform.event("connection_closed", call)["willReconnect"] is False
    assert platform.event("stream_stopped", call)["reason"] == "error"


def test_the_metadata_are_the_same_again(user: User, server: Server) -> None:
    metadata = orjson.dumps({"long": "words again " * 50}).decode()
    call = user.call()
    user.connect(server, call, f"mono 8k {metadata}").drop()
    second = server.wait_for_peer(2)
    second.wait_for(lambda peer: peer.messages)
    assert second.messages[0] == metadata
