"""The specification's messages, byte for byte out, and every kind of message in."""

import base64
import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import ALL_RATES, Encoding, Track
from freeswitch_audio_stream.errors import MessageError
from freeswitch_audio_stream.protocols import PROTOCOLS, WireProtocol
from freeswitch_audio_stream.protocols.messages import (ClearAudio, MediaTemplate, OutMessage, PlayAudio, Running,
                                                        SetCheckpoint, StreamInfo, TranscriptionReceived)

INFO = StreamInfo("my_stream_1", "session-uuid-here", Track.INBOUND, Encoding.L16, 16000,
                  metadata='{"custom":"data"}')
JSON, BINARY = PROTOCOLS["json"], PROTOCOLS["binary"]
BOTH = pytest.mark.parametrize("protocol", [JSON, BINARY], ids=lambda protocol: protocol.name)
SAMPLES = b"\x01\x00\xff\x7f"
AUDIO = base64.b64encode(SAMPLES).decode()


def sent(message: OutMessage, sequence: int) -> Any:
    """The message as the server reads it."""
    if message.tail is None:
        return orjson.loads(message.head)
    return orjson.loads(message.head + str(sequence).encode() + message.tail)


def sent_media(template: MediaTemplate, sequence: int, payload: bytes) -> bytes:
    if not template.is_text:
        return payload
    running = {Running.SEQUENCE: str(sequence).encode(), Running.PAYLOAD: base64.b64encode(payload)}
    return b"".join(part if isinstance(part, bytes) else running[part] for part in template.parts)


# Out

def test_protocols_are_found_by_their_own_names() -> None:
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    assert list(PROTOCOLS)[:6] == ["json", "binary", "community", "rtp", "sln", "audiosocket"]


def test_start_is_the_specifications_in_its_order() -> None:
    start = JSON.open(INFO).opening()[0]
    assert start.tail is not None
    assert start.head + b"1" + start.tail == (
        b'{"event":"start","sequence":1,"uuid":"session-uuid-here","streamId":"my_stream_1",'
        b'"track":"inbound","codec":"L16","rate":16000,"metadata":{"custom":"data"}}')


@BOTH
def test_start_carries_the_account_variables_that_are_set(protocol: WireProtocol) -> None:
    start = sent(protocol.open(replace(INFO, account={"stream_auth_id": "user123"})).opening()[0], 1)
    assert start["stream_auth_id"] == "user123"
    assert "stream_account_id" not in start


@BOTH
def test_start_without_metadata_has_an_empty_object(protocol: WireProtocol) -> None:
    assert sent(protocol.open(replace(INFO, metadata=None)).opening()[0], 1)["metadata"] == {}


@BOTH
@pytest.mark.parametrize("metadata", ["[1, 2]", '{"b": 1, "a": 12345678901234567890123}', "null", '"é"'])
def test_metadata_is_sent_on_exactly_as_given(protocol: WireProtocol, metadata: str) -> None:
    tail = protocol.open(replace(INFO, metadata=metadata)).opening()[0].tail
    assert tail is not None and b'"metadata":' + metadata.encode() + b"}" in tail


def test_only_binary_says_how_many_channels() -> None:
    info = replace(INFO, track=Track.BOTH, channels=2, encoding=Encoding.MULAW)
    assert "channels" not in sent(JSON.open(info).opening()[0], 1)
    start = sent(BINARY.open(info).opening()[0], 1)
    assert (start["channels"], start["codec"], start["track"]) == (2, "MULAW", "both")


def test_json_media_is_the_specifications() -> None:
    assert sent_media(JSON.media(INFO, Track.INBOUND), 2, SAMPLES) == (
        b'{"event":"media","sequence":2,"streamId":"my_stream_1","audio":"' + AUDIO.encode() + b'"}')


@pytest.mark.parametrize("track", Track.BOTH.parts)
def test_json_media_names_its_track_when_there_are_two(track: Track) -> None:
    template = JSON.media(replace(INFO, track=Track.BOTH, encoding=Encoding.MULAW), track)
    assert template.encoding is Encoding.MULAW
    assert orjson.loads(sent_media(template, 7, b"\xff")) == {
        "event": "media", "sequence": 7, "streamId": "my_stream_1", "track": track.value, "audio": "/w=="}


def test_binary_media_is_nothing_but_audio() -> None:
    assert BINARY.media(INFO, Track.INBOUND) == MediaTemplate((), Encoding.L16)


def test_a_template_has_one_payload_and_no_field_twice() -> None:
    for parts in ((b"{}",), (Running.PAYLOAD, Running.PAYLOAD), (Running.CHUNK, Running.PAYLOAD, Running.CHUNK)):
        with pytest.raises(ValueError, match="one payload"):
            MediaTemplate(parts, Encoding.L16)


@BOTH
def test_the_rarer_messages(protocol: WireProtocol) -> None:
    assert sent(protocol.open(INFO).closing("normal_termination")[0], 999) == {
        "event": "stop", "sequence": 999, "streamId": "my_stream_1", "reason": "normal_termination"}
    assert sent(protocol.open(INFO).digit("5", 160)[0], 3) == {
        "event": "dtmf", "sequence": 3, "streamId": "my_stream_1", "digit": "5", "duration": 160}
    assert protocol.open(INFO).checkpoint("c1", "played")[0] == OutMessage(
        b'{"event":"checkpoint","streamId":"my_stream_1","name":"c1","status":"played"}')
    assert protocol.open(INFO).text('any "text" ü')[0] == OutMessage('any "text" ü'.encode())


@given(st.text(), st.text(), st.text())
def test_any_names_and_reasons_survive(stream_id: str, uuid: str, reason: str) -> None:
    info = StreamInfo(stream_id, uuid, Track.BOTH, Encoding.L16, 8000)
    start, stop = sent(JSON.open(info).opening()[0], 1), sent(JSON.open(info).closing(reason)[0], 2)
    media = orjson.loads(sent_media(JSON.media(info, Track.INBOUND), 3, b""))
    assert (start["streamId"], start["uuid"], stop["reason"]) == (stream_id, uuid, reason)
    assert media == {"event": "media", "sequence": 3, "streamId": stream_id, "track": "inbound", "audio": ""}


# In

def play(**payload: Any) -> dict[str, Any]:
    return {"event": "media.play", "payload": {"audioData": AUDIO, "sampleRate": 16000, **payload}}


@BOTH
@pytest.mark.parametrize("message, expected", [
    ({"event": "media.play", "streamId": "my_stream_1",
      "payload": {"audioData": AUDIO, "sampleRate": 16000, "format": "LINEAR16", "checkpoint": "end"}},
     PlayAudio(SAMPLES, Encoding.L16, 16000, "end")),
    (play(), PlayAudio(SAMPLES, Encoding.L16, 16000)),
    (play(checkpoint=None, format=None), PlayAudio(SAMPLES, Encoding.L16, 16000)),
    (play(format="linear16"), PlayAudio(SAMPLES, Encoding.L16, 16000)),
    (play(format="L16"), PlayAudio(SAMPLES, Encoding.L16, 16000)),
    (play(format="mulaw", sampleRate=8000, audioData="/w=="), PlayAudio(b"\xff", Encoding.MULAW, 8000)),
    (play(format="PCMU"), PlayAudio(SAMPLES, Encoding.MULAW, 16000)),
    (play(sampleRate=8000.0), PlayAudio(SAMPLES, Encoding.L16, 8000)),
    (play(sampleRate=None), PlayAudio(SAMPLES, Encoding.L16, INFO.rate)),
    (play(audioData=""), PlayAudio(b"", Encoding.L16, 16000)),
    ({"event": "media.play", "media": {"payload": AUDIO, "contentType": "audio/x-l16", "sampleRate": 24000}},
     PlayAudio(SAMPLES, Encoding.L16, 24000)),
    ({"event": "media.play", "media": {"payload": AUDIO, "contentType": "raw", "sampleRate": 8000}},
     PlayAudio(SAMPLES, Encoding.L16, 8000)),
    ({"event": "media.play", "media": {"payload": AUDIO, "contentType": "audio/x-mulaw", "sampleRate": 8000}},
     PlayAudio(SAMPLES, Encoding.MULAW, 8000)),
    ({"event": "media.clear", "streamId": "my_stream_1"}, ClearAudio()),
    ({"event": "media.clear", "streamId": None}, ClearAudio()),
    ({"event": "media.checkpoint", "payload": {"name": "checkpoint_1"}}, SetCheckpoint("checkpoint_1")),
    ({"event": "media.checkpoint", "name": "checkpoint_1"}, SetCheckpoint("checkpoint_1")),
    ({"event": "transcription.send", "payload": {"text": "hi", "is_final": True, "timestamp": 1694712000000}},
     TranscriptionReceived({"text": "hi", "is_final": True, "isFinal": True, "timestamp": 1694712000000})),
    ({"event": "transcription.send", "payload": {"isFinal": False}},
     TranscriptionReceived({"is_final": False, "isFinal": False})),
    ({"event": "transcription.send", "payload": {"isFinal": True, "is_final": False}},
     TranscriptionReceived({"is_final": False, "isFinal": True})),
    ({"event": "transcription.send", "payload": {}}, TranscriptionReceived({})),
])
def test_messages(protocol: WireProtocol, message: dict[str, Any], expected: object) -> None:
    assert protocol.open(INFO).receive(orjson.dumps(message)) == [expected]


@pytest.mark.parametrize("rate", ALL_RATES)
def test_every_rate_can_be_played(rate: int) -> None:
    assert JSON.open(INFO).receive(orjson.dumps(play(sampleRate=rate))) == [PlayAudio(SAMPLES, Encoding.L16, rate)]


def nested(depth: int) -> bytes:
    return b'{"event":"transcription.send","payload":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


@BOTH
@pytest.mark.parametrize("message, kind, words", [
    (b"", "json", "not JSON"), (b"hello", "json", "not JSON"), (b"\xff\xfe", "json", "not JSON"),
    (b'{"event":"media.clear"} trailing', "json", "not JSON"), (b'{"event":NaN}', "json", "not JSON"),
    (b'{"event":"\\ud800"}', "json", "not JSON"), (b"[" * 100000, "json", "not JSON"),
    (b'{"event":1e999}', "json", "not JSON"),
    (b"[]", "json", "not a JSON object"), (b"null", "json", "not a JSON object"),
    (b'"x"', "json", "not a JSON object"),
    (b"[" * 1000 + b"]" * 1000, "json", "not a JSON object but a list"),
    (b"{}", "event", "use media.play"), (b'{"event":"media.stop"}', "event", "'media.stop'"),
    (b'{"event":["media.play"]}', "event", "a list"), (b'{"event":null}', "event", "None"),
    (b'{"event":"' + b"x" * 100000 + b'"}', "event", "use media.play"),
    (b'{"event":"media.clear","streamId":"other"}', "stream_id", "'my_stream_1'"),
    (b'{"event":"media.clear","streamId":7}', "stream_id", "7"),
    (b'{"event":"media.clear","streamId":[]}', "stream_id", "a list"),
    (b'{"event":"media.play"}', "media.play", "no object named payload"),
    (b'{"event":"media.play","payload":[]}', "media.play", "no object named payload"),
    (b'{"event":"media.play","payload":{}}', "media.play", "no text named audioData"),
    (b'{"event":"media.play","media":{}}', "media.play", "no text named payload"),
    (play(audioData=7), "media.play", "no text named audioData"),
    (play(audioData="AAAAA"), "media.play", "not base64"), (play(audioData="A*=="), "media.play", "not base64"),
    (play(audioData="AAA==="), "media.play", "not base64"), (play(audioData="AA=AA=="), "media.play", "not base64"),
    (play(audioData="AAA\nAAA="), "media.play", "not base64"), (play(audioData="="), "media.play", "not base64"),
    (play(audioData="=AAA"), "media.play", "not base64"), (play(audioData="AAA=="), "media.play", "not base64"),
    (play(audioData="é"), "media.play", "not base64"),
    (play(audioData="AA=="), "media.play", "1 bytes of audio: use 2 for each sample"),
    (play(sampleRate=11000), "media.play", "11000: use one of 8000"),
    (play(sampleRate="16000"), "media.play", "use one"),
    (play(sampleRate=True), "media.play", "use one"), (play(sampleRate=[8000]), "media.play", "a list"),
    (play(sampleRate=-8000), "media.play", "use one"), (play(sampleRate=8000.5), "media.play", "use one"),
    (play(format="MP3"), "media.play", "'MP3': use LINEAR16 or MULAW"),
    (play(format=1), "media.play", "use LINEAR16"),
    (play(format=""), "media.play", "use LINEAR16"), (play(format={}), "media.play", "an object"),
    (play(checkpoint=1), "media.play", "1 to 1024"), (play(checkpoint=""), "media.play", "1 to 1024"),
    (play(checkpoint="x" * 1025), "media.play", "1 to 1024"),
    (b'{"event":"media.checkpoint"}', "media.checkpoint", "1 to 1024"),
    (b'{"event":"media.checkpoint","payload":{"name":""}}', "media.checkpoint", "1 to 1024"),
    (b'{"event":"media.checkpoint","payload":{},"name":"x"}', "media.checkpoint", "None"),
    (b'{"event":"transcription.send"}', "transcription.send", "no object named payload"),
    (b'{"event":"transcription.send","payload":"x"}', "transcription.send", "no object named payload"),
    (nested(500), "transcription.send", "cannot be passed on"), (nested(5000), "json", "not JSON"),
])
def test_messages_that_cannot_be_used(protocol: WireProtocol, message: Any, kind: str, words: str) -> None:
    with pytest.raises(MessageError) as refused:
        protocol.open(INFO).receive(message if isinstance(message, bytes) else orjson.dumps(message))
    assert refused.value.kind == kind
    assert words in str(refused.value) and len(str(refused.value)) < 300 and str(refused.value).isprintable()


@pytest.mark.parametrize("depth", range(245, 260))
def test_a_transcription_that_is_taken_can_be_written_into_an_event(depth: int) -> None:
    try:
        (incoming,) = JSON.open(INFO).receive(nested(depth))
    except MessageError:
        return
    assert isinstance(incoming, TranscriptionReceived)
    orjson.dumps({"streamId": INFO.stream_id, "payload": incoming.payload})


SCALARS = (st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
           | st.sampled_from(["my_stream_1", AUDIO, "LINEAR16", "MULAW", 8000, 16000]))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["audioData", "sampleRate", "format", "checkpoint", "name", "payload", "contentType",
                     "isFinal"]) | st.text(max_size=4), inner, max_size=4))
EVENTS = st.sampled_from(["media.play", "media.clear", "media.checkpoint", "transcription.send"])
MESSAGES = st.fixed_dictionaries({"event": EVENTS | VALUES}, optional={
    "streamId": st.just("my_stream_1") | VALUES, "payload": VALUES, "media": VALUES, "name": VALUES})


def written(value: object) -> bytes:
    """JSON as a careless server writes it: NaN, infinities and numbers of any length included."""
    return json.dumps(value, ensure_ascii=False).encode()


@given(st.binary() | MESSAGES.map(written))
@example(b'{"event":' + b"1" * 5000 + b"}")
@example(b'{"event":"media.play","payload":{"sampleRate":' + b"1" * 300 + b"}}")
def test_every_message_is_understood_or_a_message_error(message: bytes) -> None:
    for protocol in (JSON, BINARY):
        try:
            incoming = protocol.open(INFO).receive(message)
        except MessageError as error:
            assert error.kind and len(str(error)) < 500
            continue
        for item in incoming:
            if isinstance(item, PlayAudio):
                assert len(item.audio) % item.encoding.sample_bytes == 0
                assert type(item.rate) is int and item.rate in ALL_RATES
            elif isinstance(item, TranscriptionReceived):
                orjson.dumps(item.payload)
