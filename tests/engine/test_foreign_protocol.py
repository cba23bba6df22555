"""A wire format of another kind, written in this file alone, runs through the whole module: two opening messages,
counters as text, chunk and timestamp in each media message, marks that come back, and how much of an answer was heard.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

import orjson
import pytest

from freeswitch_audio_stream.audio import Encoding, Samples, Track, decode, encode
from freeswitch_audio_stream.errors import MessageError
from freeswitch_audio_stream.protocols import PROTOCOLS, ProtocolSession, WireProtocol
from freeswitch_audio_stream.protocols.messages import (CallAction, ClearAudio, ControlCall, Incoming, MediaTemplate,
                                                        OutMessage, PlayAudio, Running, SetCheckpoint, StreamInfo)
from freeswitch_audio_stream.testing.peers.recording_server import Server

from .harness import Platform, audible, find, noise, until


@dataclass(frozen=True)
class Phone(WireProtocol):
    """mu-law at 8 kHz; all counters are texts."""

    counts_anew: bool = True

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        return track, Encoding.MULAW

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((
            b'{"event":"media","sequenceNumber":"', Running.SEQUENCE, b'","media":{"track":"%s","chunk":"'
            % track.value.encode(), Running.CHUNK, b'","timestamp":"', Running.TIMESTAMP, b'","payload":"',
            Running.PAYLOAD, b'"}}'), info.encoding)

    def open(self, info: StreamInfo) -> PhoneSession:
        return PhoneSession(info)


class PhoneSession(ProtocolSession):
    """Speaks it."""

    def opening(self) -> Sequence[OutMessage]:
        start = orjson.dumps({"start": {"callSid": self.info.uuid}})
        return [OutMessage(b'{"event":"connected"}'), numbered("start", start)]

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [numbered("stop", orjson.dumps({"reason": reason}))]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [numbered("dtmf", orjson.dumps({"digit": digit}))]

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        return [numbered("mark", orjson.dumps({"name": name, "status": status}))]

    def heard(self, item: str, milliseconds: int, complete: bool) -> Sequence[OutMessage]:
        return [numbered("heard", orjson.dumps({"item": item, "ms": milliseconds, "complete": complete}))]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = orjson.loads(message)
        if body["event"] == "media":
            return [PlayAudio(base64.b64decode(body["payload"]), Encoding.MULAW, 8000, item=body.get("item"))]
        if body["event"] == "mark":
            return [SetCheckpoint(body["name"])]
        if body["event"] == "clear":
            return [ClearAudio()]
        if body["event"] == "transfer":
            return [ControlCall(CallAction.TRANSFER, body["to"])]
        raise MessageError("phone", f"there is no event {body['event']}")


def numbered(event: str, body: bytes) -> OutMessage:
    """A message with its sequence number as text."""
    return OutMessage(b'{"event":"%s","sequenceNumber":"' % event.encode(), b'",' + body[1:])


class PhoneServer(Server):
    """Reads what such a stream says, and answers; any thread."""

    def messages(self, number: int = 0) -> list[dict[str, Any]]:
        """What the connection of that number has said so far."""
        return [orjson.loads(text) for text in self.peers[number].texts] if len(self.peers) > number else []

    def send(self, **message: Any) -> None:
        self.peers[-1].send(message)

    def audio(self, number: int = 0) -> Samples:
        """What it has heard."""
        media = [message["media"]["payload"] for message in self.messages(number) if message["event"] == "media"]
        return decode(b"".join(map(base64.b64decode, media)), Encoding.MULAW)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhoneServer]:
    """A server of that kind, and the protocol among the others."""
    monkeypatch.setitem(PROTOCOLS, "phone", Phone("phone"))
    with PhoneServer() as server:
        yield server


SPEECH = decode(encode(noise(8000), Encoding.MULAW), Encoding.MULAW)


def test_a_conversation(platform: Platform, server: PhoneServer) -> None:
    call = platform.call()
    platform.start(call, "{protocol=phone}" + server.url)
    call.say(SPEECH)
    until(lambda: find(server.audio(), SPEECH) >= 0)
    opening, media = server.messages()[:2], [body for body in server.messages() if body["event"] == "media"]
    assert opening == [{"event": "connected"},
                       {"event": "start", "sequenceNumber": "1", "start": {"callSid": call.uuid}}]
    assert [body["sequenceNumber"] for body in media] == [str(number + 2) for number in range(len(media))]
    assert [body["media"]["chunk"] for body in media] == [str(number + 1) for number in range(len(media))]
    assert [body["media"]["timestamp"] for body in media] == [str(20 * number) for number in range(len(media))]
    assert {body["media"]["track"] for body in media} == {"inbound"}

    answer = noise(4000, 2)
    server.send(event="media", payload=base64.b64encode(encode(answer, Encoding.MULAW)).decode())
    server.send(event="mark", name="end")
    until(lambda: any(body["event"] == "mark" for body in server.messages()))
    assert find(call.heard(), decode(encode(answer, Encoding.MULAW), Encoding.MULAW)) >= 0

    platform.tell(call, "pause_play")
    server.send(event="media", payload=base64.b64encode(bytes(8000)).decode())
    server.send(event="mark", name="cut off")
    server.send(event="clear")
    platform.event("media_play_start", call)
    platform.tell(call, "resume_play")
    until(lambda: [body["name"] for body in server.messages() if body["event"] == "mark"] == ["end", "cut off"])
    marks = [body["status"] for body in server.messages() if body["event"] == "mark"]
    assert marks == ["played", "cleared"]

    server.send(event="unheard of")
    assert platform.event("stream_error", call)["error"] == "there is no event unheard of"
    platform.tell(call, "stop done")
    until(lambda: server.messages()[-1]["event"] == "stop")
    assert server.messages()[-1]["reason"] == "done"
    numbers = [int(body["sequenceNumber"]) for body in server.messages()[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_new_connection_is_a_new_conversation(platform: Platform, server: PhoneServer) -> None:
    call = platform.call()
    platform.start(call, "{protocol=phone}" + server.url)
    until(lambda: len(server.messages()) > 20)
    server.peers[0].drop()
    until(lambda: len(server.messages(1)) > 20)
    again = server.messages(1)
    assert [body["event"] for body in again[:3]] == ["connected", "start", "media"]
    assert [body["sequenceNumber"] for body in again[1:4]] == ["1", "2", "3"]
    assert (again[2]["media"]["chunk"], again[2]["media"]["timestamp"]) == ("1", "0")


def answer(server: PhoneServer, item: str, samples: int) -> None:
    """An item in messages of 20 ms, as fast as they can be sent."""
    audio = base64.b64encode(encode(noise(160), Encoding.MULAW)).decode()
    for _ in range(samples // 160):
        server.send(event="media", payload=audio, item=item)


def heard(server: PhoneServer, number: int = 0) -> list[tuple[str, int, bool]]:
    """What the stream has reported of items."""
    return [(body["item"], body["ms"], body["complete"])
            for body in server.messages(number) if body["event"] == "heard"]


def test_the_server_learns_what_the_caller_has_heard(platform: Platform, server: PhoneServer) -> None:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=phone}" + server.url)
    until(server.messages)
    answer(server, "first", 16_000)
    until(lambda: heard(server)[-1:] == [("first", 2000, True)])
    answer(server, "second", 160 * 100)
    answer(server, "third", 160 * 1000)
    until(lambda: len(audible(call.heard())) > 40_000)
    server.send(event="clear")
    until(lambda: ("third", False) in [(item, complete) for item, _, complete in heard(server)])
    assert [report for report in heard(server) if report[0] == "second"][-1] == ("second", 2000, True)
    milliseconds = heard(server)[-1][1]
    platform.tell(call, "stop")
    until(lambda: server.messages()[-1]["event"] == "stop")
    assert len(audible(call.heard())) == 32_000 + 8 * milliseconds, "to the sample"
    assert not platform.events("stream_error", call)


def test_what_is_left_at_the_end_was_not_heard(platform: Platform, server: PhoneServer) -> None:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=phone}" + server.url)
    until(server.messages)
    answer(server, "last", 160 * 1000)
    until(lambda: call.heard().any() and platform.status(call)["playbackQueueMs"] > 5000)
    platform.tell(call, "stop")
    until(lambda: server.messages()[-1]["event"] == "stop")
    item, milliseconds, complete = heard(server)[-1]
    assert (item, complete) == ("last", False)
    assert len(audible(call.heard())) - 8 * milliseconds in (0, 160), "but for a frame that was just being written"


def test_another_connection_is_told_nothing_of_the_items_of_the_last(platform: Platform, server: PhoneServer) -> None:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=phone}" + server.url)
    until(server.messages)
    answer(server, "old", 160 * 50)
    until(lambda: call.heard().any())
    server.peers[0].drop()
    until(lambda: server.messages(1))
    answer(server, "new", 160 * 50)
    until(lambda: heard(server, 1)[-1:] == [("new", 1000, True)])
    assert {item for item, _, _ in heard(server, 1)} == {"new"}


def test_what_the_server_wants_done_with_the_call_is_an_event(platform: Platform, server: PhoneServer) -> None:
    call = platform.call()
    platform.start(call, "{protocol=phone}" + server.url)
    until(server.messages)
    server.send(event="transfer", to="1000")
    body = platform.event("call_control", call)
    assert (body["action"], body["argument"]) == ("transfer", "1000")
    assert platform.status(call)["state"] == "streaming"
