"""AudioSocket frames, on TCP and within a WebSocket; written and read here with struct, as its description has them."""

from __future__ import annotations

import socket
import struct
from typing import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Encoding, mulaw_to_samples
from freeswitch_audio_stream.protocols.audiosocket import RATES
from freeswitch_audio_stream.realtime.records import (ATTEND_DRAINED, ATTEND_PLAYBACK_FULL, ATTEND_PLAYBACK_OVERRUN,
                                                      FRAMING_AUDIOSOCKET)
from freeswitch_audio_stream.realtime.wire.audiosocket import FRAME_OPCODE
from freeswitch_audio_stream.realtime.wire.jitter_buffer import MAX_PACKET
from freeswitch_audio_stream.realtime.wire.outgoing import INTRODUCTION_US
from freeswitch_audio_stream.testing.peers.raw_websocket import frame
from freeswitch_audio_stream.testing.peers.websocket_end import WebSocketEnd

from .. import natives
from ..open_stream import OpenStream
from ..sound import Samples, correlation, noise, smooth

Opening = Callable[..., OpenStream]
Message = tuple[int, bytes]
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT, BINARY = 1, 2
FORM = {"base64": False, "encoding": Encoding.L16, "encapsulation": "audiosocket", "binary_playback": True}
HANGUP, DIGIT, ERROR = b"\0\0\0", b"\3\0\1", b"\xff\0\1"


def tlv(kind: int, payload: bytes) -> bytes:
    return struct.pack("!BH", kind, len(payload)) + payload


def audio(samples: Samples, kind: int = 0x10) -> bytes:
    return tlv(kind, samples.astype("<i2").tobytes())


def take(stream: OpenStream, pieces: Sequence[bytes]) -> list[Message]:
    """Have the parser take the pieces; answers what goes to Python."""
    parts: dict[int, list[bytes]] = {}
    heard: list[Message] = []
    for data in pieces:
        memory = np.frombuffer(data + b"\0", np.uint8).copy()
        natives.parse(stream.path.address, memory.ctypes.data, len(data))
        for piece in stream.path.take_inbox():
            parts.setdefault(piece.opcode, []).append(piece.data)
            if piece.is_last:
                heard.append((piece.opcode, b"".join(parts.pop(piece.opcode))))
    return heard


def cut(wire: bytes, ends: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(end % (len(wire) + 1) for end in ends)})
    return [wire[first:last] for first, last in zip(places, places[1:])]


def play_all(stream: OpenStream) -> Samples:
    heard = [np.zeros(0, np.int16)]
    while stream.path.statistics().play_waiting or int(stream.field["play_flush"]):
        heard.append(stream.leg.play_silence())
    return np.concatenate(heard)


def on_tcp(open_stream: Opening, **form: object) -> OpenStream:
    stream = open_stream(**{**FORM, **form})
    stream.field["framing"] = FRAMING_AUDIOSOCKET
    return stream


# On TCP.


def test_one_cut_at_every_byte(open_stream: Opening) -> None:
    spoken = noise(10)
    wire = audio(spoken[:3]) + tlv(3, b"5") + tlv(0x42, b"what") + tlv(0, b"") + audio(spoken[3:])
    for place in range(len(wire) + 1):
        stream = on_tcp(open_stream)
        heard = take(stream, [wire[:place], wire[place:]])
        assert heard == [(FRAME_OPCODE + 3, b"5"), (FRAME_OPCODE + 0x42, b"what"), (FRAME_OPCODE, b"")]
        assert np.array_equal(play_all(stream)[:10], spoken)
        assert stream.path.statistics().messages_received == 5


@with_fixtures
@given(sizes=st.lists(st.integers(0, 700), max_size=8), cuts=st.lists(st.integers(0, 5000), max_size=20),
       others=st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 0x0F, 0x19, 0x80, 0xFF]), st.binary(max_size=30)),
                       min_size=8, max_size=8))
def test_frames_of_any_length(open_stream: Opening, sizes: list[int], cuts: list[int], others: list[Message]) -> None:
    # Odd lengths too: what does not end with a sample goes on in the next frame.
    stream = on_tcp(open_stream)
    data = noise(sum(sizes)).tobytes()[:sum(sizes)]
    wire, at = b"", 0
    for size in sizes:
        wire += tlv(0x10, data[at:at + size])
        at += size
    assert take(stream, cut(wire, cuts)) == []
    heard = take(stream, cut(b"".join(tlv(*other) for other in others), cuts))
    assert heard == [(FRAME_OPCODE + kind, payload) for kind, payload in others]
    wanted = np.frombuffer(data[:len(data) // 2 * 2], "<i2")
    assert np.array_equal(play_all(stream)[:len(wanted)], wanted)


@pytest.mark.parametrize("kind", range(0x10, 0x19))
def test_every_kind_has_its_rate(open_stream: Opening, kind: int) -> None:
    stream = on_tcp(open_stream)
    rate = RATES[kind - 0x10]
    spoken = smooth(rate, 0.5)
    size = rate // 50
    take(stream, [audio(spoken[start:start + size], kind) for start in range(0, len(spoken), size)])
    assert correlation(play_all(stream), spoken, rate, 8000) > 0.999


def test_a_length_of_64_kib_of_something_unknown(open_stream: Opening) -> None:
    stream = on_tcp(open_stream)
    body = bytes(range(256)) * 255
    assert take(stream, cut(tlv(0x77, body) + tlv(3, b"1"), range(0, 66_000, 9000))) == [
        (FRAME_OPCODE + 0x77, body), (FRAME_OPCODE + 3, b"1")]


def test_audio_that_is_not_to_be_played_goes_to_python(open_stream: Opening) -> None:
    stream = on_tcp(open_stream, binary_playback=False)
    assert take(stream, [audio(noise(4))]) == [(BINARY, noise(4).astype("<i2").tobytes())]


def test_more_empty_frames_than_the_inbox_holds(open_stream: Opening) -> None:
    stream = on_tcp(open_stream)
    server = stream.connect(role="audiosocket")
    count = 200_000
    server.settimeout(None)
    sent = 0
    heard = 0
    wire = tlv(0x42, b"") * count
    server.setblocking(False)
    while heard < count:
        try:
            sent += server.send(wire[sent:sent + 65536]) if sent < len(wire) else 0
        except BlockingIOError:
            pass
        heard += sum(1 for _ in stream.path.take_inbox())
    assert sent == len(wire)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 32000, 44100, 48000])
def test_frames_to_the_server(open_stream: Opening, rate: int) -> None:
    stream = open_stream(**FORM, rate=rate)
    server = stream.connect(role="audiosocket")
    uuid = bytes(range(16))
    assert stream.path.send(0x01, uuid) and stream.path.send(0x03, b"7")
    stream.path.open_media()
    read_by_now(stream)
    spoken, size = noise(rate // 50 * 3), rate // 50
    for start in range(0, len(spoken), size):
        stream.leg.read(spoken[start:start + size], rate)
    wire = tlv(1, uuid) + tlv(3, b"7") + b"".join(
        audio(spoken[start:start + size], 0x10 + RATES.index(rate)) for start in range(0, len(spoken), size))
    stream.wait_until(lambda: stream.path.statistics().messages_sent == 5)
    stream.path.hold_media()
    assert stream.path.send(0x00, b"")
    received = b""
    while len(received) < len(wire) + 3:
        received += server.recv(65536)
    assert received == wire + HANGUP


def read_by_now(stream: OpenStream) -> None:
    """The introduction has left so long ago that audio may follow it."""
    stream.wait_until(lambda: int(stream.field["introduced_at"]) > 0)
    stream.field["introduced_at"] -= INTRODUCTION_US


def test_audio_waits_until_the_introduction_has_been_read(open_stream: Opening) -> None:
    """A server that reads once has the UUID and nothing else, and none of the audio is older than the connection."""
    stream = open_stream(**FORM)
    for connection in range(1, 3):
        before = stream.path.statistics()
        for _ in range(50):
            stream.leg.read(noise(160, 1), 8000)
        assert stream.path.send(0x01, bytes(16))
        stream.path.open_media()
        server = stream.connect(role="audiosocket")
        stream.wait_until(lambda: int(stream.field["introduced_at"]) > 0)
        stream.field["introduced_at"] += 3600 * 1_000_000
        for _ in range(5):
            stream.leg.read(noise(160, 2), 8000)
        stream.wait_until(lambda: stream.path.statistics().skipped == 55 * 160 * connection)
        assert server.recv(65536) == tlv(1, bytes(16))
        stream.field["introduced_at"] -= 3600 * 1_000_000 + INTRODUCTION_US
        stream.leg.read(noise(160, 3), 8000)
        assert server.recv(65536) == audio(noise(160, 3))
        counters = stream.path.statistics()
        assert (counters.waiting, counters.dropped) == (0, 0)
        assert counters.messages_sent == before.messages_sent + 2
        stream.path.hold_media()
        stream.disconnect()


def test_an_end_before_that_has_no_audio(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    stream.leg.read(noise(160), 8000)
    assert stream.path.send(0x01, bytes(16))
    stream.path.open_media()
    server = stream.connect(role="audiosocket")
    stream.wait_until(lambda: int(stream.field["introduced_at"]) > 0)
    stream.field["introduced_at"] += 3600 * 1_000_000
    stream.leg.read(noise(80), 8000)
    stream.path.drain_media()
    stream.wait_for(ATTEND_DRAINED)
    assert stream.path.send(0x00, b"")
    assert server.recv(19) == tlv(1, bytes(16)) and server.recv(65536) == HANGUP
    assert stream.path.statistics().skipped == 240


# Within a WebSocket.


def messages(*bodies: bytes) -> bytes:
    return b"".join(frame(BINARY, body) for body in bodies)


SPOKEN = noise(480)
BARE = SPOKEN.astype("<i2").tobytes()


@pytest.mark.parametrize("bodies", [
    [audio(SPOKEN[:160]), audio(SPOKEN[160:320]), audio(SPOKEN[320:])],
    [tlv(1, bytes(16)), audio(SPOKEN)],
    [tlv(1, bytes(16)) + audio(SPOKEN[:160]), audio(SPOKEN[160:])],
    [audio(SPOKEN) + HANGUP],
    [b"", audio(SPOKEN)],
    # Once the peer is known to send frames, they may be cut as they like.
    [audio(SPOKEN[:160]), (audio(SPOKEN[160:]))[:100], audio(SPOKEN[160:])[100:]],
])
@pytest.mark.parametrize("step", [1, 7, 10 ** 6])
def test_a_peer_that_sends_frames(open_stream: Opening, bodies: list[bytes], step: int) -> None:
    stream = open_stream(**FORM)
    wire = messages(*bodies)
    take(stream, cut(wire, range(0, len(wire), step)))
    assert stream.path.peer_sends_frames
    assert np.array_equal(play_all(stream)[:480], SPOKEN)


@pytest.mark.parametrize("bodies", [
    [BARE[:320], BARE[320:640], BARE[640:]],
    [BARE],
    [BARE[:333], BARE[333:334], BARE[334:]],
    [b"", BARE],
])
@pytest.mark.parametrize("step", [1, 7, 10 ** 6])
def test_a_peer_that_sends_bare_samples(open_stream: Opening, bodies: list[bytes], step: int) -> None:
    stream = open_stream(**FORM)
    wire = messages(*bodies)
    assert take(stream, cut(wire, range(0, len(wire), step))) == []
    assert not stream.path.peer_sends_frames
    assert np.array_equal(play_all(stream)[:480], SPOKEN)


@pytest.mark.parametrize("size", [2, 4, 6, 320, 322, 324, 960, MAX_PACKET, MAX_PACKET + 2, 100_000])
def test_silence_is_not_a_row_of_hangups(open_stream: Opening, size: int) -> None:
    stream = open_stream(**FORM)
    wire = messages(bytes(size), BARE)
    assert take(stream, cut(wire, range(0, len(wire), 5000))) == []
    assert np.array_equal(play_all(stream)[size // 2:size // 2 + 480], SPOKEN)


@pytest.mark.parametrize("rubbish", [b"\x10", b"\x10\0", b"\x10\0\4ab", b"\x10\0\3abc", b"\x10\0\0", b"\1\0\4abcd",
                                     b"\3\0\1x",
                                     HANGUP + b"\x10\0\2ab", b"\xff\0\5abcde", b"\x42\0\0"])
def test_what_only_looks_like_frames_is_samples(open_stream: Opening, rubbish: bytes) -> None:
    stream = open_stream(**FORM)
    assert take(stream, [messages(rubbish)]) == []
    assert not stream.path.peer_sends_frames
    assert stream.path.statistics().play_waiting == len(rubbish) // 2


@with_fixtures
@given(bodies=st.lists(st.binary(max_size=200), max_size=6), cuts=st.lists(st.integers(0, 1200), max_size=10))
def test_rubbish_never_hurts(open_stream: Opening, bodies: list[bytes], cuts: list[int]) -> None:
    stream = open_stream(**FORM)
    take(stream, cut(messages(*bodies), cuts))
    play_all(stream)


def test_a_long_first_message_is_samples(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    long = noise(40_000)
    wire = messages(long.astype("<i2").tobytes(), audio(SPOKEN))
    take(stream, cut(wire, range(0, len(wire), 9000)))
    assert np.array_equal(play_all(stream)[:40_000], long)


def test_the_first_message_of_a_new_connection_decides_anew(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    stream.connect().sendall(messages(audio(SPOKEN)))
    stream.wait_until(lambda: stream.path.peer_sends_frames)
    stream.disconnect()
    stream.connect().sendall(messages(BARE))
    stream.wait_until(lambda: stream.path.statistics().play_waiting == 960)
    assert not stream.path.peer_sends_frames


def test_digits_hangup_and_errors_go_to_python(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    heard = take(stream, [messages(tlv(1, bytes(16)), tlv(3, b"5"), tlv(0xFF, b"\2"), tlv(0x55, b""), HANGUP)])
    assert heard == [(FRAME_OPCODE + 1, bytes(16)), (FRAME_OPCODE + 3, b"5"), (FRAME_OPCODE + 0xFF, b"\2"),
                     (FRAME_OPCODE + 0x55, b""), (FRAME_OPCODE, b"")]


def test_bare_samples_to_a_websocket(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    for start in range(0, 480, 160):
        stream.leg.read(SPOKEN[start:start + 160], 8000)
    assert server.messages(3) == [BARE[start:start + 320] for start in range(0, 960, 320)]


def test_other_rates_of_bare_samples(open_stream: Opening) -> None:
    stream = open_stream(**FORM, rate=16000)
    spoken = smooth(16000, 0.5)
    take(stream, [messages(spoken.astype("<i2").tobytes())])
    assert correlation(play_all(stream), spoken, 16000, 8000) > 0.999


# Sent faster than it is heard.


@pytest.fixture(params=["sln", "audiosocket", "rtp"])
def flood(request: pytest.FixtureRequest, open_stream: Opening) -> tuple[OpenStream, bytes, Samples]:
    """A stream, bytes of 8 s in one go, and what is heard of them."""
    stream = open_stream(**{**FORM, "encapsulation": request.param}, playback_secs=1)
    codes = np.random.default_rng(7).integers(0, 256, 64_000).astype(np.uint8)
    if request.param != "rtp":
        sound = noise(64_000)
        data = sound.astype("<i2").tobytes()
        return stream, messages(*(data[start:start + 3000] for start in range(0, len(data), 3000))), sound
    packets = [struct.pack("!BBHII", 0x80, 0, number, 160 * number, 1)
               + codes[160 * number:160 * number + 160].tobytes() for number in range(400)]
    return stream, messages(*packets), np.concatenate([np.zeros(480, np.int16), mulaw_to_samples(codes)])


def push(server: socket.socket, data: bytes) -> bytes:
    """What the socket does not take."""
    try:
        return data[server.send(data):]
    except BlockingIOError:
        return data


def test_who_sends_too_fast_is_slowed_and_loses_nothing(flood: tuple[OpenStream, bytes, Samples]) -> None:
    stream, data, sound = flood
    server = stream.connect(send_buffer=4096)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    server.setblocking(False)
    while not stream.path.is_held_back:
        data = push(server, data)
    bits = stream.attention()
    assert bits & ATTEND_PLAYBACK_FULL and not bits & ATTEND_PLAYBACK_OVERRUN
    held = stream.path.statistics().play_waiting
    assert 8000 <= held < 8000 + 16384 + 480
    heard = [stream.leg.play_silence()]
    assert stream.path.is_held_back, "read on before there is room worth it"
    while sum(map(len, heard)) < len(sound):
        data = push(server, data)
        counters = stream.path.statistics()
        if counters.play_waiting >= 320 or counters.played + counters.play_waiting == len(sound):
            heard.append(stream.leg.play_silence())
        assert stream.path.statistics().play_waiting < 8000 + 16384 + 480
    assert np.array_equal(np.concatenate(heard)[:len(sound)], sound)
    assert stream.path.statistics().play_dropped == 0
    assert not stream.attention() & ATTEND_PLAYBACK_FULL, "told twice in one episode"


def test_a_clear_lets_it_read_on(flood: tuple[OpenStream, bytes, Samples]) -> None:
    stream, data, _ = flood
    server = stream.connect(send_buffer=4096)
    server.setblocking(False)
    while not stream.path.is_held_back:
        data = push(server, data)
    stream.path.clear()
    stream.leg.play_silence()
    stream.wait_until(lambda: not stream.path.is_held_back or stream.path.statistics().play_waiting > 0)


def test_what_is_discarded_holds_nobody_back(flood: tuple[OpenStream, bytes, Samples]) -> None:
    stream, data, _ = flood
    server = stream.connect(send_buffer=4096)
    server.setblocking(False)
    while not stream.path.is_held_back:
        data = push(server, data)
    stream.path.discard_audio()
    server.settimeout(20)
    server.sendall(data + frame(TEXT, b"the end"))
    heard: list[bytes] = []
    while not heard:
        heard += [piece.data for piece in stream.path.take_inbox()]
    assert heard == [b"the end"]
