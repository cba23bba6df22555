"""rtp, sln and audiosocket: what they carry, and what they have no words for."""

from __future__ import annotations

import uuid

import pytest

from freeswitch_audio_stream.audio import Encoding, Track
from freeswitch_audio_stream.errors import MessageError, SettingError
from freeswitch_audio_stream.protocols import ENCAPSULATIONS, PROTOCOLS
from freeswitch_audio_stream.protocols.audiosocket import AUDIOSOCKET, AUDIOSOCKET_TCP, call_uuid
from freeswitch_audio_stream.protocols.encapsulations import RTP, SLN
from freeswitch_audio_stream.protocols.messages import HangUp, OutMessage, StreamInfo

CALL = "652af662-eb45-11ee-b1a5-6fde165f9226"
INFO = StreamInfo("s", CALL, Track.INBOUND, Encoding.L16, 8000)
BARE = (RTP, SLN, AUDIOSOCKET)


def test_the_names() -> None:
    assert ENCAPSULATIONS == ("rtp", "sln", "audiosocket")
    assert all(PROTOCOLS[name].encapsulation == name for name in ENCAPSULATIONS)
    assert not any(PROTOCOLS[name].encapsulation for name in ("json", "binary", "community"))


def test_nothing_but_audio_goes_out() -> None:
    for one in BARE:
        session = one.open(INFO)
        assert session.opening() == session.closing("bye") == session.text("hello") == ()
        assert session.checkpoint("name", "played") == session.heard("item", 20, True) == ()
        template = one.media(INFO, Track.INBOUND)
        assert template.parts == ()
        with pytest.raises(MessageError, match="has only binary ones") as refused:
            one.open(INFO).receive(b'{"event":"media.clear"}')
        assert refused.value.kind == "text"
    assert RTP.open(INFO).digit("5", 100) == () and SLN.open(INFO).digit("5", 100) == ()


@pytest.mark.parametrize("track, carried", [
    (Track.INBOUND, Track.INBOUND), (Track.OUTBOUND, Track.OUTBOUND), (Track.BOTH, Track.MIXED),
    (Track.STEREO, Track.MIXED), (Track.MIXED, Track.MIXED)])
def test_there_is_one_channel(track: Track, carried: Track) -> None:
    for protocol in BARE:
        assert protocol.carried(track, Encoding.L16, 8000)[0] is carried


def test_rtp_is_mulaw_at_8000_hz() -> None:
    assert RTP.carried(Track.INBOUND, Encoding.L16, 8000)[1] is Encoding.MULAW
    assert RTP.carried(Track.INBOUND, Encoding.MULAW, 8000)[1] is Encoding.MULAW
    assert RTP.media(INFO, Track.INBOUND).encoding is Encoding.MULAW
    with pytest.raises(SettingError, match="carries 8000 Hz, and not 16000 Hz"):
        RTP.carried(Track.INBOUND, Encoding.L16, 16000)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 32000, 44100, 48000])
def test_the_others_are_linear_at_any_rate(rate: int) -> None:
    for protocol in (SLN, AUDIOSOCKET, AUDIOSOCKET_TCP):
        assert protocol.carried(Track.INBOUND, Encoding.L16, rate)[1] is Encoding.L16
        with pytest.raises(SettingError, match="linear samples of 16 bits, and not mulaw"):
            protocol.carried(Track.INBOUND, Encoding.MULAW, rate)


def test_packets_of_20_ms() -> None:
    assert (RTP.packet_ms, AUDIOSOCKET.packet_ms, SLN.packet_ms) == (20, 20, None)


# AudioSocket.


def test_a_connection_begins_with_the_call_s_uuid() -> None:
    assert AUDIOSOCKET_TCP.open(INFO).opening()[0] == OutMessage(uuid.UUID(CALL).bytes, kind=1)


def test_a_call_id_that_is_no_uuid_becomes_one() -> None:
    made = uuid.UUID(bytes=call_uuid("1700000000.42@pbx"))
    assert made.version == 5
    assert call_uuid("1700000000.42@pbx") == made.bytes != call_uuid("1700000000.43@pbx")
    assert len(call_uuid("Zürich 😀")) == len(call_uuid("")) == 16


def test_digits() -> None:
    for protocol in (AUDIOSOCKET, AUDIOSOCKET_TCP):
        assert protocol.open(INFO).digit("#", 100) == [OutMessage(b"#", kind=3)]


def test_frames_of_the_server() -> None:
    assert AUDIOSOCKET_TCP.open(INFO).receive_frame(0x00, b"") == [HangUp()]
    assert AUDIOSOCKET_TCP.open(INFO).receive_frame(0x01, bytes(16)) == []
    assert RTP.open(INFO).receive_frame(0x00, b"") == ()


@pytest.mark.parametrize("payload, meaning", [
    (b"\1", "code 0x01, the calling party hung up"), (b"\2", "code 0x02, a frame could not be forwarded"),
    (b"\4", "code 0x04, out of memory"), (b"\x77", "code 0x77, which has no meaning here"), (b"", "without a code"),
    (b"\2 and more", "code 0x02")])
def test_errors_of_the_server(payload: bytes, meaning: str) -> None:
    with pytest.raises(MessageError) as refused:
        AUDIOSOCKET_TCP.open(INFO).receive_frame(0xFF, payload)
    assert meaning in str(refused.value) and refused.value.kind == "audiosocket_error"


@pytest.mark.parametrize("kind", [0x02, 0x03, 0x0F, 0x19, 0x80, 0xFE])
def test_unknown_kinds(kind: int) -> None:
    with pytest.raises(MessageError, match=f"kind 0x{kind:02x}") as refused:
        AUDIOSOCKET_TCP.open(INFO).receive_frame(kind, b"whatever")
    assert refused.value.kind == "audiosocket_kind"
