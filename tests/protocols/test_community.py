"""The community module's wire: nothing unasked for goes out, streamAudio and any text come in."""

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Encoding, Track
from freeswitch_audio_stream.errors import MessageError
from freeswitch_audio_stream.protocols import PROTOCOLS
from freeswitch_audio_stream.protocols.community import KINDS, RAW_RATES
from freeswitch_audio_stream.protocols.messages import (MediaTemplate, OutMessage, PlayAudio, Running, StreamAudio,
                                                        StreamInfo, TextReceived)

PROTOCOL = PROTOCOLS["community"]
INFO = StreamInfo("mod_audio_stream", "u", Track.STEREO, Encoding.L16, 16000, channels=2)
SAMPLES = b"\x01\x00\xff\x7f"
AUDIO = base64.b64encode(SAMPLES).decode()


# Out

@pytest.mark.parametrize("text", ['{"a": 1}', "any text", "{broken", "ü 😀", '"', " "])
def test_text_goes_out_verbatim(text: str) -> None:
    verbatim = OutMessage(text.encode())
    assert PROTOCOL.open(replace(INFO, metadata=text)).opening()[0] == verbatim
    assert PROTOCOL.open(INFO).closing(text)[0] == verbatim
    assert PROTOCOL.open(INFO).text(text)[0] == verbatim


def test_nothing_goes_out_unasked() -> None:
    assert PROTOCOL.open(INFO).opening() == ()
    assert PROTOCOL.open(replace(INFO, metadata="", account={"stream_auth_id": "x"})).opening() == ()
    assert PROTOCOL.open(INFO).closing("") == ()
    assert PROTOCOL.open(INFO).checkpoint("a", "played") == ()


def test_digits() -> None:
    assert PROTOCOL.open(INFO).digit("#", 160)[0] == OutMessage(b'{"event":"dtmf","digit":"#","duration":160}')


@pytest.mark.parametrize("track", [Track.INBOUND, Track.MIXED, Track.STEREO])
def test_audio_is_bare(track: Track) -> None:
    template = PROTOCOL.media(replace(INFO, track=track), track)
    assert template == MediaTemplate((), Encoding.L16)


@pytest.mark.parametrize("track", [Track.INBOUND, Track.MIXED, Track.STEREO])
def test_audio_as_text_has_no_number(track: Track) -> None:
    template = PROTOCOL.media(replace(INFO, track=track, base64=True), track)
    assert template.parts == (b'{"type":"audio","data":"', Running.PAYLOAD, b'"}')


# In

def stream_audio(**data: Any) -> bytes:
    return orjson.dumps({"type": "streamAudio", "data": {
        "audioDataType": "raw", "sampleRate": 8000, "audioData": AUDIO, **data}})


@pytest.mark.parametrize("rate", RAW_RATES)
def test_raw_audio(rate: int) -> None:
    fields = {"audioDataType": "raw", "sampleRate": rate}
    assert PROTOCOL.open(INFO).receive(stream_audio(sampleRate=rate)) == [StreamAudio(SAMPLES, "raw", rate, fields)]


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("rate", [None, 44100, "any"])
def test_other_kinds_have_a_rate_of_their_own(kind: str, rate: object) -> None:
    (incoming,) = PROTOCOL.open(INFO).receive(stream_audio(audioDataType=kind, sampleRate=rate))
    assert incoming == StreamAudio(SAMPLES, kind, 8000 if kind in ("pcmu", "pcma") else None,
                                   {"audioDataType": kind, "sampleRate": rate})


@pytest.mark.parametrize("data, audio, fields", [
    ({"id": 7, "nested": {"a": [1]}, "text": "ü"}, SAMPLES, {"id": 7, "nested": {"a": [1]}, "text": "ü"}),
    ({"sampleRate": 16000.0}, SAMPLES, {"sampleRate": 16000.0}),
    ({"audioData": ""}, b"", {}),
    ({"audioData": base64.b64encode(SAMPLES + b"x").decode()}, SAMPLES, {}),
])
def test_all_but_the_audio_is_kept(data: dict[str, Any], audio: bytes, fields: dict[str, Any]) -> None:
    (incoming,) = PROTOCOL.open(INFO).receive(stream_audio(**data))
    expected = {"audioDataType": "raw", "sampleRate": 8000, **fields}
    assert incoming == StreamAudio(audio, "raw", int(expected["sampleRate"]), expected)
    assert isinstance(incoming, StreamAudio) and type(incoming.rate) is int


@pytest.mark.parametrize("text, audio", [
    ("AQD_fw==", SAMPLES), ("AQD/fw", SAMPLES), ("AQD_fw", SAMPLES), ("AQD_fw..", SAMPLES), ("AQD/fw=", SAMPLES),
    ("-_-_", b"\xfb\xff\xbf"), ("AAA", b"\0\0"), ("AQA=_38=", SAMPLES), ("AQA=/38", SAMPLES), ("", b""),
])
def test_base64_in_every_form(text: str, audio: bytes) -> None:
    """Padded or not, with either alphabet, and pieces that were encoded each for itself."""
    (incoming,) = PROTOCOL.open(INFO).receive(stream_audio(audioDataType="wav", audioData=text))
    assert isinstance(incoming, StreamAudio) and incoming.audio == audio
    for protocol in (PROTOCOLS["json"], PROTOCOLS["binary"]):
        message = orjson.dumps({"event": "media.play", "payload": {"audioData": text, "format": "MULAW"}})
        (play,) = protocol.open(INFO).receive(message)
        assert isinstance(play, PlayAudio) and play.audio == audio


@pytest.mark.parametrize("message", [
    b"", b"hello", "ü 😀".encode(), b"{}", b"[]", b"null", b'{"type":"transcription","text":"hi"}',
    b' {"type": "other"} ', b'{"type":["streamAudio"]}', b'{"type":"streamaudio"}', b'["streamAudio"]',
    b'{"type":"streamAudio"', b'{"a":NaN}', b"[" * 100000, b'{"a":"\\ud800"}',
    b'{"event":"media.clear","streamId":"other"}',
])
def test_all_other_text_is_the_applications(message: bytes) -> None:
    assert PROTOCOL.open(INFO).receive(message) == [TextReceived(message.decode())]


def nested(depth: int) -> bytes:
    return stream_audio()[:-2] + b',"x":' + b"[" * depth + b"]" * depth + b"}}"


@pytest.mark.parametrize("message, kind, words", [
    (b"\xff\xfe", "text", "not UTF-8: invalid start byte at byte 0"), (b'{"a":"\xc3"}', "text", "not UTF-8"),
    (b'{"type":"streamAudio"}', "streamAudio", "no object named data"),
    (b'{"type":"streamAudio","data":"x"}', "streamAudio", "no object named data"),
    (b'{"type":"streamAudio","data":{}}', "streamAudio", "audioDataType None: use one of raw, wav"),
    (stream_audio(audioDataType="flac"), "streamAudio", "'flac': use one of"),
    (stream_audio(audioDataType=["raw"]), "streamAudio", "a list"),
    (stream_audio(audioDataType="x" * 10000), "streamAudio", "use one of"),
    (stream_audio(sampleRate=None), "streamAudio", "sampleRate None for raw audio: use one of 8000"),
    (stream_audio(sampleRate=44100), "streamAudio", "44100"),
    (stream_audio(sampleRate="8000"), "streamAudio", "'8000'"),
    (stream_audio(sampleRate=True), "streamAudio", "True"), (stream_audio(sampleRate={}), "streamAudio", "an object"),
    (stream_audio(audioData=None), "streamAudio", "no text named audioData"),
    (stream_audio(audioData=[AUDIO]), "streamAudio", "no text named audioData"),
    (stream_audio(audioData="AAAAA"), "streamAudio", "not base64"),
    (stream_audio(audioData="A*=="), "streamAudio", "not base64"),
    (stream_audio(audioData="é", audioDataType="wav"), "streamAudio", "not base64"),
    (nested(400), "streamAudio", "cannot be passed on"),
])
def test_messages_that_cannot_be_used(message: bytes, kind: str, words: str) -> None:
    with pytest.raises(MessageError) as refused:
        PROTOCOL.open(INFO).receive(message)
    assert refused.value.kind == kind
    assert words in str(refused.value) and len(str(refused.value)) < 300 and str(refused.value).isprintable()


SCALARS = (st.none() | st.booleans() | st.integers(-2 ** 63, 2 ** 64 - 1) | st.text(max_size=8)
           | st.sampled_from([*KINDS, *RAW_RATES, AUDIO]))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.text(max_size=4), inner, max_size=3))
DATA = st.fixed_dictionaries({}, optional={
    "audioDataType": st.sampled_from(KINDS) | VALUES, "sampleRate": st.sampled_from(RAW_RATES) | VALUES,
    "audioData": st.binary().map(lambda data: base64.b64encode(data).decode()) | VALUES, "extra": VALUES})
MESSAGES = st.fixed_dictionaries({"type": st.just("streamAudio") | VALUES, "data": DATA | VALUES})


@given(st.binary() | st.text().map(str.encode) | MESSAGES.map(orjson.dumps))
@example(nested(252))
@example(nested(253))
@example(nested(254))
def test_every_message_is_understood_or_a_message_error(message: bytes) -> None:
    try:
        (incoming,) = PROTOCOL.open(INFO).receive(message)
    except MessageError as error:
        assert error.kind and len(str(error)) < 500
        return
    if isinstance(incoming, StreamAudio):
        orjson.dumps({**incoming.fields, "file": "f"})
        assert "audioData" not in incoming.fields
        if incoming.kind == "raw":
            assert incoming.rate in RAW_RATES and len(incoming.audio) % 2 == 0
    else:
        assert incoming == TextReceived(message.decode())
