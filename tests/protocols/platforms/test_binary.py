"""Vonage, jambonz and Asterisk: text beside audio in binary messages."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from freeswitch_audio_stream.audio import Encoding, Track
from freeswitch_audio_stream.errors import MessageError, SettingError
from freeswitch_audio_stream.protocols import PROTOCOLS
from freeswitch_audio_stream.protocols.messages import (AllowAudio, AskPlayback, CallAction, ClearAudio, ControlCall,
                                                        DiscardAudio, HangUp, IgnoreBinary, PausePlayback, Reply,
                                                        SetCheckpoint, StreamAudio, TextReceived,
                                                        TranscriptionReceived)

from .wire import UUID, info, read, session, text


def test_vonage() -> None:
    talk = session("vonage", rate=16000)
    assert read(*talk.opening()) == {"event": "websocket:connected", "content-type": "audio/l16;rate=16000",
                                     "customer": "Ann", "vip": True}
    assert not PROTOCOLS["vonage"].media(info("vonage"), Track.INBOUND).is_text
    assert read(*talk.digit("5", 260)) == {"event": "websocket:dtmf", "digit": "5", "duration": 260}
    clear, reply = talk.receive(b'{"action":"clear"}')
    assert clear == ClearAudio() and isinstance(reply, Reply)
    assert read(reply.message) == {"event": "websocket:cleared"}
    (mark,) = talk.receive(b'{"action":"notify","payload":{"customKey":"customValue"}}')
    assert isinstance(mark, SetCheckpoint)
    assert read(*talk.checkpoint(mark.name, "played")) == {"event": "websocket:notify",
                                                           "payload": {"customKey": "customValue"}}
    assert not talk.checkpoint(mark.name, "cleared")
    assert not talk.closing("hangup")
    for message, words in ((b'{"action":"stop"}', "takes clear and notify"), (b'{"action":"notify"}', "no object"),
                           (orjson.dumps({"action": "notify", "payload": {"a": "x" * 2000}}), "at most")):
        with pytest.raises(MessageError, match=words):
            talk.receive(message)


@pytest.mark.parametrize("name", ["vonage", "asterisk", "asterisk-json"])
def test_one_channel_of_linear_audio(name: str) -> None:
    for track in Track:
        carried = track if track in (Track.INBOUND, Track.OUTBOUND) else Track.MIXED
        assert PROTOCOLS[name].carried(track, Encoding.MULAW, 8000) == (carried, Encoding.L16)
    with pytest.raises(SettingError, match="does not carry 11025 Hz: start the stream with 8000"):
        PROTOCOLS[name].carried(Track.INBOUND, Encoding.L16, 11025)


def test_jambonz_out() -> None:
    talk = session("jambonz", rate=16000, track=Track.BOTH)
    assert read(*talk.opening()) == {
        "callSid": UUID, "callId": UUID, "accountSid": "", "from": "+4930123456", "to": "1000", "sampleRate": 16000,
        "mixType": "stereo", "customer": "Ann", "vip": True}
    assert text(*session("jambonz", metadata="as it is").opening()) == "as it is"
    assert read(*session("jambonz", metadata='{"metadata":"x"}').opening())["metadata"] == "x"
    assert read(*talk.digit("2", 200)) == {"event": "dtmf", "dtmf": "2", "duration": "1600"}
    assert text(*talk.text("{}")) == "{}"


def jambonz(message: dict[str, Any]) -> Any:
    return session("jambonz").receive(orjson.dumps(message))


def test_jambonz_in() -> None:
    audio = base64.b64encode(b"\x01\x02").decode()
    data = {"audioContentType": "raw", "sampleRate": 8000}
    sound = StreamAudio(b"\x01\x02", "raw", 8000, data)
    assert jambonz({"type": "playAudio", "data": {**data, "audioContent": audio}}) == [sound]
    with_id = StreamAudio(b"\x01\x02", "raw", 8000, {**data, "id": "p1"})
    assert jambonz({"type": "playAudio", "data": {**data, "id": "p1", "audioContent": audio}}) == [
        with_id, SetCheckpoint("playAudio p1")]
    assert read(*session("jambonz").checkpoint("playAudio p1", "played")) == {"type": "playDone", "data": {"id": "p1"}}
    (wave,) = jambonz({"type": "playAudio", "data": {"audioContentType": "wave", "audioContent": audio}})
    assert (wave.kind, wave.rate) == ("wav", None)
    assert jambonz({"type": "killAudio"}) == [ClearAudio()]
    assert jambonz({"type": "disconnect"}) == [ControlCall(CallAction.HANG_UP), HangUp()]
    assert jambonz({"type": "transfer", "data": {"to": "2000"}}) == [ControlCall(CallAction.TRANSFER, "2000")]
    assert jambonz({"type": "dtmf", "data": {"digit": "5"}}) == [ControlCall(CallAction.SEND_DIGITS, "5")]
    assert jambonz({"type": "transcription", "data": {"text": "hi"}}) == [TranscriptionReceived({"text": "hi"})]
    assert jambonz({"type": "json", "x": 1}) == [TextReceived('{"type":"json","x":1}')]
    for message, words in (
            ({"type": "error", "data": {"message": "quota"}}, "the server reports an error: quota"),
            ({"type": "other"}, "jambonz takes playAudio, killAudio"), ({"type": ["mark"]}, "has the type a list"),
            ({"type": "mark"}, "names the checkpoint None"),
            ({"type": "playAudio", "data": {"audioContentType": "raw", "sampleRate": 8001}}, "sampleRate 8001"),
            ({"type": "playAudio", "data": {"audioContentType": "opus"}}, "use one of raw, wav"),
            ({"type": "playAudio", "data": data}, "no text named audioContent"),
            ({"type": "playAudio", "data": {**data, "audioContent": "AAAA"}}, "3 bytes of audio")):
        with pytest.raises(MessageError, match=words):
            jambonz(message)


def test_jambonz_marks() -> None:
    talk = session("jambonz")
    for name in (b"a", b"b", b"c"):
        talk.receive(b'{"type":"mark","data":{"name":"%s"}}' % name)
    assert read(*talk.checkpoint("a", "played")) == {"type": "mark", "data": {"name": "a", "event": "playout"}}
    taken_back = [message.message for message in talk.receive(b'{"type":"clearMarks"}') if isinstance(message, Reply)]
    answers = [read(message)["data"] for message in taken_back]
    assert answers == [{"name": "b", "event": "cleared"}, {"name": "c", "event": "cleared"}]
    assert not talk.checkpoint("b", "played"), "it has been answered"


def test_asterisk_plain() -> None:
    talk = session("asterisk", rate=16000, stream="conn")
    assert text(*talk.opening()) == (f"MEDIA_START connection_id:conn channel:WebSocket/s1 channel_id:{UUID} "
                                     "format:slin16 optimal_frame_size:640 ptime:20")
    assert text(*talk.digit("5", 100)) == f"DTMF_END digit:5 channel_id:{UUID}"
    assert text(*talk.playback(400, True)) == (f"STATUS channel_id:{UUID} queue_length:20 xon_level:800 xoff_level:900 "
                                               "queue_full:false bulk_media:false media_paused:true")
    for command, mark, event in ((b"MARK_MEDIA m 1", "m 1", "MEDIA_MARK_PROCESSED m 1"),
                                 (b"MARK_MEDIA", "", "MEDIA_MARK_PROCESSED"),
                                 (b"STOP_MEDIA_BUFFERING b", "b", "MEDIA_BUFFERING_COMPLETED b"),
                                 (b"REPORT_QUEUE_DRAINED", "", "QUEUE_DRAINED")):
        (checkpoint,) = talk.receive(command)
        assert isinstance(checkpoint, SetCheckpoint)
        assert text(*talk.checkpoint(checkpoint.name, "played")) == event
        assert not talk.checkpoint(checkpoint.name, "cleared")
    assert text(*talk.refused(MessageError("command", "why"))) == f"ERROR channel_id:{UUID} error_text:why"


def test_asterisk_json() -> None:
    talk = session("asterisk-json")
    assert read(*talk.opening()) == {
        "event": "MEDIA_START", "connection_id": "00112233-4455-6677-8899-aabbccddeeff", "channel": "WebSocket/s1",
        "channel_id": UUID, "format": "slin", "optimal_frame_size": 320, "ptime": 20,
        "channel_variables": {"customer": "Ann", "vip": "true"}}
    (checkpoint,) = talk.receive(b'{"command":"MARK_MEDIA","correlation_id":"m"}')
    assert isinstance(checkpoint, SetCheckpoint)
    assert read(*talk.checkpoint(checkpoint.name, "played")) == {
        "event": "MEDIA_MARK_PROCESSED", "channel_id": UUID, "correlation_id": "m"}
    assert read(*talk.checkpoint("QUEUE_DRAINED", "played")) == {"event": "QUEUE_DRAINED", "channel_id": UUID}
    assert not talk.receive(b'{"command":"START_MEDIA_BUFFERING"}')
    assert read(*talk.playback(20_000, False)) == {
        "event": "STATUS", "channel_id": UUID, "queue_length": 1000, "xon_level": 800, "xoff_level": 900,
        "queue_full": False, "bulk_media": True, "media_paused": False}
    assert [read(*talk.playback_level(is_high))["event"] for is_high in (True, False)] == ["MEDIA_XOFF", "MEDIA_XON"]
    assert text(*session("asterisk").playback_level(True)) == "MEDIA_XOFF"


def test_directions_of_asterisk() -> None:
    talk = session("asterisk-json")
    for direction, messages in (("in", [AllowAudio(), IgnoreBinary(True)]),
                                ("out", [DiscardAudio(), IgnoreBinary(False)]),
                                ("both", [AllowAudio(), IgnoreBinary(False)])):
        assert talk.receive(b'{"command":"SET_MEDIA_DIRECTION","direction":"%s"}' % direction.encode()) == messages
    talk.receive(b'{"command":"SET_MEDIA_DIRECTION","direction":"in"}')
    for message, words in ((b'{"command":"MARK_MEDIA"}', "not supported while media direction is 'in'"),
                           (b'{"command":"SET_MEDIA_DIRECTION"}', "use in, out or both")):
        with pytest.raises(MessageError, match=words):
            talk.receive(message)
    with pytest.raises(MessageError, match="only supports JSON"):
        session("asterisk").receive(b"SET_MEDIA_DIRECTION both")


@pytest.mark.parametrize("command, message", [
    ("ANSWER", ControlCall(CallAction.ANSWER)), ("HANGUP", ControlCall(CallAction.HANG_UP)),
    ("FLUSH_MEDIA", ClearAudio()), ("GET_STATUS", AskPlayback()), ("PAUSE_MEDIA", PausePlayback(True)),
    ("CONTINUE_MEDIA", PausePlayback(False))])
def test_commands_of_asterisk(command: str, message: object) -> None:
    assert session("asterisk").receive(command.encode()) == [message]
    assert session("asterisk-json").receive(orjson.dumps({"command": command})) == [message]


@pytest.mark.parametrize("name, message", [
    ("asterisk", b"JUMP"), ("asterisk", b""), ("asterisk", b"MARK_MEDIA " + b"x" * 1100),
    ("asterisk-json", b"MARK_MEDIA"), ("asterisk-json", b'{"command":5}'), ("asterisk-json", b"[]")])
def test_what_asterisk_would_not_take(name: str, message: bytes) -> None:
    with pytest.raises(MessageError):
        session(name).receive(message)
