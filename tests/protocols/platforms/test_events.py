"""Twilio, Telnyx, Plivo, Exotel and SignalWire: messages out, byte for byte as their documents have them, and in."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Encoding, Track
from freeswitch_audio_stream.errors import MessageError, SettingError
from freeswitch_audio_stream.protocols import PROTOCOLS
from freeswitch_audio_stream.protocols.messages import (CallAction, ClearAudio, ControlCall, PlayAudio, Reply,
                                                        SetCheckpoint)

from .wire import HEX, NONCE, UUID, info, media, read, session

EVENT_PLATFORMS = ("twilio", "telnyx", "plivo", "exotel", "signalwire")
STREAM_KEYS = {"twilio": "streamSid", "signalwire": "streamSid", "telnyx": "stream_id", "plivo": "streamId",
               "exotel": "stream_sid"}
AUDIO = b"\xff\x7f\x00\x01"
PAYLOAD = base64.b64encode(AUDIO).decode()
DASHED = f"{NONCE[:8]}-{NONCE[8:12]}-{NONCE[12:16]}-{NONCE[16:20]}-{NONCE[20:]}"


def test_twilio_out() -> None:
    talk = session("twilio")
    connected, start = talk.opening()
    call, stream = "CA" + HEX, "MZ" + NONCE
    assert read(connected) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert read(start, 1) == {
        "event": "start", "sequenceNumber": "1", "streamSid": stream, "start": {
            "accountSid": "AC" + 32 * "0", "streamSid": stream, "callSid": call, "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"customer": "Ann", "vip": "true"}}}
    template = PROTOCOLS["twilio"].media(info("twilio"), Track.INBOUND)
    assert template.encoding is Encoding.MULAW
    assert media(template, AUDIO) == {
        "event": "media", "sequenceNumber": "3", "streamSid": stream,
        "media": {"track": "inbound", "chunk": "2", "timestamp": "20", "payload": PAYLOAD}}
    assert read(*talk.digit("5", 100)) == {"event": "dtmf", "sequenceNumber": "7", "streamSid": stream,
                                           "dtmf": {"track": "inbound_track", "digit": "5"}}
    for status in ("played", "cleared"):
        assert read(*talk.checkpoint("m", status)) == {"event": "mark", "sequenceNumber": "7", "streamSid": stream,
                                                       "mark": {"name": "m"}}
    assert read(*talk.closing("hangup")) == {"event": "stop", "sequenceNumber": "7", "streamSid": stream,
                                             "stop": {"accountSid": "AC" + 32 * "0", "callSid": call}}


def test_telnyx_out() -> None:
    talk = session("telnyx", metadata='{"a":1,"client_state":"Zm9v","tags":["T"]}')
    connected, start = talk.opening()
    assert read(connected) == {"event": "connected", "version": "1.0.0"}
    assert read(start, 1) == {
        "event": "start", "sequence_number": "1", "stream_id": DASHED, "start": {
            "user_id": 32 * "0", "call_control_id": UUID, "call_session_id": UUID, "from": "+4930123456", "to": "1000",
            "client_state": "Zm9v", "tags": ["T"], "custom_parameters": {"a": 1},
            "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}}}
    assert media(PROTOCOLS["telnyx"].media(info("telnyx", track=Track.BOTH), Track.OUTBOUND), AUDIO) == {
        "event": "media", "sequence_number": "3", "stream_id": DASHED,
        "media": {"track": "outbound", "chunk": "2", "timestamp": "20", "payload": PAYLOAD}}
    assert read(*talk.digit("#", 100)) == {"event": "dtmf", "sequence_number": "7", "stream_id": DASHED,
                                           "dtmf": {"digit": "#"}}
    assert read(*talk.closing("")) == {"event": "stop", "sequence_number": "7", "stream_id": DASHED,
                                       "stop": {"user_id": 32 * "0", "call_control_id": UUID}}
    (error,) = talk.refused(MessageError("media", "why"))
    assert read(error)["payload"] == {"code": 100004, "title": "invalid_media", "detail": "why"}
    wide = read(session("telnyx", rate=16000).opening()[1])
    assert wide["start"]["media_format"] == {"encoding": "L16", "sample_rate": 16000, "channels": 1}


def test_plivo_out() -> None:
    talk = session("plivo")
    headers = {"extra_headers": "customer=Ann;vip=true"}
    (start,) = talk.opening()
    assert read(start, 1) == {
        "event": "start", "sequenceNumber": 1, "streamId": DASHED, **headers, "start": {
            "callId": UUID, "streamId": DASHED, "accountId": 32 * "0", "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000}}}
    assert media(PROTOCOLS["plivo"].media(info("plivo"), Track.INBOUND), AUDIO) == {
        "event": "media", "sequenceNumber": 3, "streamId": DASHED, **headers,
        "media": {"track": "inbound", "chunk": 2, "timestamp": "20", "payload": PAYLOAD}}
    assert read(*talk.checkpoint("c", "played")) == {"event": "playedStream", "sequenceNumber": 7, "streamId": DASHED,
                                                     "name": "c"}
    assert not talk.checkpoint("c", "cleared")
    assert read(*talk.digit("1", 90)) == {"event": "dtmf", "sequenceNumber": 7, "streamId": DASHED, **headers,
                                          "dtmf": {"track": "inbound", "digit": "1"}}
    mulaw = info("plivo", encoding=Encoding.MULAW)
    assert read(*PROTOCOLS["plivo"].open(mulaw).opening())["start"]["mediaFormat"]["encoding"] == "audio/x-mulaw"


def test_exotel_out() -> None:
    talk = session("exotel", rate=16000)
    connected, start = talk.opening()
    assert read(connected) == {"event": "connected"}
    assert read(start, 1) == {
        "event": "start", "sequence_number": 1, "stream_sid": NONCE, "start": {
            "stream_sid": NONCE, "call_sid": HEX, "account_sid": 32 * "0", "from": "+4930123456", "to": "1000",
            "custom_parameters": {"customer": "Ann", "vip": "true"},
            "media_format": {"encoding": "raw/slin", "sample_rate": "16000", "bit_rate": "256kbps"}}}
    assert media(PROTOCOLS["exotel"].media(info("exotel"), Track.INBOUND), AUDIO) == {
        "event": "media", "sequence_number": 3, "stream_sid": NONCE,
        "media": {"track": "inbound", "chunk": 2, "timestamp": "20", "payload": PAYLOAD}}
    assert read(*talk.digit("1", 90))["dtmf"] == {"digit": "1", "duration": "90"}
    assert read(*talk.closing("bye"))["stop"] == {"call_sid": HEX, "account_sid": 32 * "0", "reason": "bye"}
    assert PROTOCOLS["exotel"].packet_ms == 100


def test_signalwire_is_twilio_with_other_ids_and_linear_audio() -> None:
    start = read(session("signalwire", rate=24000).opening()[1], 1)
    assert start["streamSid"] == start["start"]["streamSid"] == DASHED
    assert start["start"]["callSid"] == UUID
    assert start["start"]["mediaFormat"] == {"encoding": "audio/x-l16", "sampleRate": 24000, "channels": 1}
    assert set(start["start"]) == set(read(session("twilio").opening()[1])["start"])


@pytest.mark.parametrize("name", EVENT_PLATFORMS)
def test_ids_can_be_set(name: str) -> None:
    text = orjson.dumps([read(message) for message in
                         session(name, account="my-account", call="my-call", stream="my-stream").opening()]).decode()
    assert all(f'"my-{what}"' in text for what in ("account", "call", "stream"))
    assert HEX not in text and NONCE not in text


def test_a_call_whose_uuid_is_any_text_has_ids_of_the_same_form() -> None:
    given = info("twilio")
    odd = type(given)(**{**{name: getattr(given, name) for name in given.__dataclass_fields__}, "uuid": "call 7"})
    call = read(PROTOCOLS["twilio"].open(odd).opening()[1])["start"]["callSid"]
    assert call.startswith("CA") and len(call) == 34 and int(call[2:], 16)


@pytest.mark.parametrize("name", EVENT_PLATFORMS)
@pytest.mark.parametrize("metadata", [None, "bare words", '["list"]', "17"])
def test_metadata_of_any_kind(name: str, metadata: str | None) -> None:
    text = orjson.dumps([read(message) for message in session(name, metadata=metadata).opening()]).decode()
    assert ("metadata" in text) == (metadata is not None)


@pytest.mark.parametrize("name", EVENT_PLATFORMS)
def test_what_it_does_not_carry(name: str) -> None:
    with pytest.raises(SettingError, match="does not carry 44100 Hz: start the stream with .*8000"):
        info(name, rate=44100)
    for track in (Track.MIXED, Track.STEREO):
        with pytest.raises(SettingError, match="use inbound, outbound or both"):
            info(name, track=track)


def incoming(name: str, event: str, /, **fields: Any) -> Any:
    return session(name).receive(orjson.dumps({"event": event, **fields}))


@pytest.mark.parametrize("name", ["twilio", "telnyx", "exotel", "signalwire"])
def test_in(name: str) -> None:
    talk = session(name)
    media = {"event": "media", "media": {"payload": PAYLOAD}}
    own = {STREAM_KEYS[name]: read(talk.opening()[1])[STREAM_KEYS[name]]}
    for ids in ({}, own):  # Telnyx' servers send none
        encoding = Encoding.L16 if name == "exotel" else Encoding.MULAW
        assert talk.receive(orjson.dumps({**media, **ids})) == [PlayAudio(AUDIO, encoding, 8000)]
    assert talk.receive(b'{"event":"mark","mark":{"name":"m"}}') == [SetCheckpoint("m")]
    assert talk.receive(b'{"event":"clear"}') == [ClearAudio()]


def test_plivo_in() -> None:
    def play(kind: Any, rate: Any, payload: Any = PAYLOAD) -> Any:
        return incoming("plivo", "playAudio", media={"contentType": kind, "sampleRate": rate, "payload": payload})

    assert play("audio/x-mulaw", 8000) == [PlayAudio(AUDIO, Encoding.MULAW, 8000)]
    assert play("audio/x-l16", "16000") == [PlayAudio(AUDIO, Encoding.L16, 16000)]
    for kind, rate in (("audio/x-mulaw", 16000), ("audio/x-l16", 44100), ("audio/wav", 8000), (None, 8000), ([], 1)):
        with pytest.raises(MessageError, match="use"):
            play(kind, rate)
    assert incoming("plivo", "checkpoint", name="c") == [SetCheckpoint("c")]
    clear, reply = incoming("plivo", "clearAudio")
    assert clear == ClearAudio() and isinstance(reply, Reply)
    assert read(reply.message) == {"event": "clearedAudio", "sequenceNumber": 7, "streamId": DASHED}
    assert incoming("plivo", "sendDTMF", dtmf="12#") == [ControlCall(CallAction.SEND_DIGITS, "12#")]
    with pytest.raises(MessageError, match="no text named dtmf"):
        incoming("plivo", "sendDTMF")


@pytest.mark.parametrize("name", EVENT_PLATFORMS)
@pytest.mark.parametrize("message", [
    b"", b"no JSON", b"[]", b"{}", b'{"event":7}', b'{"event":"start"}', b'{"event":"media.play"}'])
def test_what_the_platform_would_not_take(name: str, message: bytes) -> None:
    with pytest.raises(MessageError):
        session(name).receive(message)


@pytest.mark.parametrize("name", EVENT_PLATFORMS)
def test_the_remedy_is_named(name: str) -> None:
    play, mark = ("playAudio", "checkpoint") if name == "plivo" else ("media", "mark")
    with pytest.raises(MessageError, match=f"{name} takes {play}, {mark}"):
        incoming(name, "hello")
    with pytest.raises(MessageError, match="is for the .* 'other': use"):
        incoming(name, mark, **{STREAM_KEYS[name]: "other", "name": "m", "mark": {"name": "m"}})
    with pytest.raises(MessageError, match="no object named media"):
        incoming(name, play)
    kind = {"contentType": "audio/x-l16", "sampleRate": 8000}
    with pytest.raises(MessageError, match="put the audio there in base64"):
        incoming(name, play, media={**kind, "payload": 5})
    with pytest.raises(MessageError, match="is not base64"):
        incoming(name, play, media={**kind, "payload": "§"})
    with pytest.raises(MessageError, match="names the checkpoint"):
        incoming(name, mark, **{"name": "", "mark": {"name": "x" * 1025}})


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(MessageError, match="3 bytes of audio: use 2 for each sample"):
        incoming("exotel", "media", media={"payload": base64.b64encode(b"123").decode()})


JSON = st.recursive(st.none() | st.booleans() | st.integers(-2**63, 2**64 - 1) | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@pytest.mark.slow
@given(name=st.sampled_from([*EVENT_PLATFORMS, "vonage", "jambonz", "asterisk", "asterisk-json"]),
       event=st.sampled_from(["media", "mark", "clear", "playAudio", "checkpoint", "sendDTMF", "notify", "killAudio",
                              "clearMarks", "transfer", "dtmf", "transcription", "MARK_MEDIA", "STOP_MEDIA_BUFFERING"]),
       members=st.dictionaries(st.sampled_from(["media", "mark", "payload", "name", "data", "dtmf", "streamSid",
                                                "correlation_id"]), JSON))
def test_any_message_is_taken_or_refused(name: str, event: str, members: dict[str, Any]) -> None:
    message = orjson.dumps({"event": event, "action": event, "type": event, "command": event, **members})
    for data in (message, event.encode()):
        try:
            session(name).receive(data)
        except MessageError as error:
            assert str(error) and "\n" not in str(error)
