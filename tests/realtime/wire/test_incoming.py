"""Frames from the server, whole and in every cut, from a serializer that shares nothing with our parser."""

from __future__ import annotations

import os
import select
import socket
import threading
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.native.libc import EPOLL_EVENT_BYTES
from freeswitch_audio_stream.realtime.core import Queue
from freeswitch_audio_stream.realtime.records import (ATTEND_INBOX, ATTEND_PEER_PROTOCOL, ATTEND_PLAYBACK_OVERRUN,
                                                      ATTEND_SOCKET_BROKEN, IO_LOOP, SOCKET_ATTACH)
from freeswitch_audio_stream.realtime.wire.incoming import RECEIVE_BYTES
from freeswitch_audio_stream.realtime.wire.io_loop import EVENT_BATCH
from freeswitch_audio_stream.testing.peers.raw_websocket import frame

from .. import natives
from ..open_stream import PATIENCE, OpenStream

Opening = Callable[..., OpenStream]
Message = tuple[int, bytes]
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class Inbox:
    """Whole messages out of a stream's inbox."""

    def __init__(self, stream: OpenStream) -> None:
        self._stream = stream
        self._parts: dict[bool, list[bytes]] = {False: [], True: []}

    def messages(self) -> Iterator[Message]:
        """What is complete now; control frames come between the parts of a message."""
        for piece in self._stream.path.take_inbox():
            parts = self._parts[piece.opcode >= 8]
            parts.append(piece.data)
            if piece.is_last:
                yield piece.opcode, b"".join(parts)
                parts.clear()


def feed(stream: OpenStream, data: bytes) -> None:
    """Have the parser take `data` in one piece."""
    source = np.frombuffer(data + b"\0", np.uint8)
    natives.parse(stream.path.address, source.ctypes.data, len(data))


def parse_in_cuts(stream: OpenStream, wire: bytes, cuts: list[int]) -> list[Message]:
    """What is heard of `wire` when it comes in pieces that end at `cuts` (taken modulo its length)."""
    inbox = Inbox(stream)
    heard: list[Message] = []
    places = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    for first, last in zip(places, places[1:]):
        feed(stream, wire[first:last])
        heard += inbox.messages()
    return heard


@dataclass(frozen=True)
class Said:
    """A message in fragments, with control frames before each of them."""

    opcode: int
    fragments: list[bytes]
    controls: list[list[Message]]

    def wire(self) -> bytes:
        parts = []
        for number, fragment in enumerate(self.fragments):
            parts += [frame(opcode, data) for opcode, data in self.controls[number]]
            final = number == len(self.fragments) - 1
            parts.append(frame(CONTINUATION if number else self.opcode, fragment, final))
        return b"".join(parts)

    def messages(self) -> list[Message]:
        return [control for between in self.controls for control in between] + [
            (self.opcode, b"".join(self.fragments))]


payloads = st.one_of(st.binary(max_size=20), st.sampled_from([124, 125, 126, 127, 128, 300]).map(bytes))
controls = st.lists(st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)), max_size=2)


@st.composite
def said(draw: st.DrawFn) -> Said:
    fragments = draw(st.lists(payloads, min_size=1, max_size=4))
    between = draw(st.lists(controls, min_size=len(fragments), max_size=len(fragments)))
    return Said(draw(st.sampled_from([TEXT, BINARY])), fragments, between)


conversation = [
    Said(TEXT, [b'{"event":"media.play"}'], [[]]),
    Said(TEXT, [b"a", b"", b"bcd" * 50], [[(PING, b"p" * 125)], [(PING, b""), (PONG, b"x")], []]),
    Said(BINARY, [bytes(range(256)) * 3], [[]]),
    Said(TEXT, [b""], [[]]),
    Said(TEXT, [b"last"], [[]]),
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10 ** 6])
def test_every_cut_of_the_same_conversation(open_stream: Opening, step: int) -> None:
    wire = b"".join(one.wire() for one in conversation)
    heard = parse_in_cuts(open_stream(), wire, list(range(0, len(wire), step)))
    assert heard == [message for one in conversation for message in one.messages()]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000, 200000])
def test_every_length_field(open_stream: Opening, size: int) -> None:
    stream = open_stream()
    body = np.random.default_rng(size).integers(0, 256, size).astype(np.uint8).tobytes()
    for _ in range(3):
        assert parse_in_cuts(stream, frame(TEXT, body), list(range(0, size, 30000))) == [(TEXT, body)]
    assert stream.path.statistics().messages_received == 3


@with_fixtures
@given(talk=st.lists(said(), max_size=6), cuts=st.lists(st.integers(0, 5000), max_size=30))
def test_random_conversations_in_random_cuts(open_stream: Opening, talk: list[Said], cuts: list[int]) -> None:
    stream = open_stream()
    heard = parse_in_cuts(stream, b"".join(one.wire() for one in talk), cuts)
    assert heard == [message for one in talk for message in one.messages()]
    assert stream.attention() in (0, ATTEND_INBOX)


BREACHES = {
    "masked": b"\x81\x80\0\0\0\0",
    "RSV1": b"\xc1\x00", "RSV2": b"\xa1\x00", "RSV3": b"\x91\x00",
    **{f"opcode {opcode}": bytes([0x80 | opcode, 0]) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "fragmented ping": b"\x09\x00",
    "long ping": b"\x89\x7e\x00\x7e" + bytes(126),
    "very long close": b"\x88\x7f" + (200).to_bytes(8, "big") + bytes(200),
    "continuation of nothing": b"\x80\x01x",
    "negative length": b"\x82\x7f\x80" + bytes(7),
    "absurd length": b"\x82\x7f" + (1 << 41).to_bytes(8, "big"),
    "a message within a message": b"\x01\x01a\x81\x01b",
    "continuation after the end": b"\x01\x01a\x80\x01b\x80\x01c",
}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_rules_is_reported_once(open_stream: Opening, breach: str, at_once: bool) -> None:
    stream = open_stream()
    wire = frame(TEXT, b"before") + BREACHES[breach] + frame(TEXT, b"after")
    heard = parse_in_cuts(stream, wire, [] if at_once else list(range(len(wire))))
    assert heard[0] == (TEXT, b"before") and (TEXT, b"after") not in heard
    assert stream.path.protocol_error == 1002
    assert stream.attention() & ATTEND_PEER_PROTOCOL
    assert parse_in_cuts(stream, frame(TEXT, b"later"), []) == []
    assert stream.attention() == 0


@with_fixtures
@given(wire=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_rubbish_never_hurts(open_stream: Opening, wire: bytes, cuts: list[int]) -> None:
    parse_in_cuts(open_stream(binary_playback=True), wire, cuts)


def test_what_came_with_the_handshake_comes_first(open_stream: Opening) -> None:
    stream = open_stream()
    whole = frame(TEXT, b"first") + frame(TEXT, b"cut in two") + frame(TEXT, b"third")
    server = stream.connect(leftover=whole[:12])
    server.sendall(whole[12:])
    inbox = Inbox(stream)
    heard: list[Message] = []
    while len(heard) < 3:
        stream.wait_for(ATTEND_INBOX)
        heard += inbox.messages()
    assert heard == [(TEXT, b"first"), (TEXT, b"cut in two"), (TEXT, b"third")]


def test_a_server_that_breaks_the_rules_is_heard_no_more(open_stream: Opening) -> None:
    stream = open_stream()
    server = stream.connect()
    server.sendall(BREACHES["masked"] + frame(TEXT, b"after"))
    stream.wait_for(ATTEND_PEER_PROTOCOL)
    server.sendall(frame(TEXT, b"more"))
    assert stream.path.send(TEXT, b"we can still answer")
    assert server.recv(100)
    assert list(stream.path.take_inbox()) == []


@pytest.mark.parametrize("size", [0, 5, 3000, 300_000])
def test_back_pressure_loses_nothing(open_stream: Opening, size: int) -> None:
    # More than fits, again and again: the loop stops reading, and goes on when Python has emptied the inbox.
    stream = open_stream()
    server = stream.connect()
    count = {0: 80_000, 5: 60_000, 3000: 1500, 300_000: 15}[size]
    bodies = [number.to_bytes(8, "big") * (size // 8 + 1) for number in range(count)]
    wire = b"".join(frame(BINARY, body[:size]) for body in bodies)
    sender = threading.Thread(target=server.sendall, args=(wire,))
    sender.start()
    inbox, heard = Inbox(stream), 0
    stream.wait_until(lambda: bool(stream.field["waiting_inbox"]))
    while heard < count:
        for message in inbox.messages():
            assert message == (BINARY, bodies[heard][:size])
            heard += 1
        if heard < count:
            stream.wait_for(ATTEND_INBOX)
    sender.join(PATIENCE)
    assert stream.path.statistics().bytes_received == len(wire)


def test_what_a_server_said_before_it_went_is_heard(open_stream: Opening) -> None:
    stream = open_stream()
    server = stream.connect()
    server.sendall(frame(TEXT, b"the last word"))
    server.close()
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    assert [piece.data for piece in stream.path.take_inbox()] == [b"the last word"]


class HandLoop:
    """An I/O loop without a thread: the test turns it."""

    def __init__(self, stream: OpenStream) -> None:
        self.epoll = select.epoll()
        self._queue = Queue()
        self._memory = np.zeros(RECEIVE_BYTES + (EVENT_BATCH + 1) * EPOLL_EVENT_BYTES, np.uint8)
        self._record = np.zeros(1, IO_LOOP)
        self._record["epoll_fd"] = self.epoll.fileno()
        self._record["received"] = self._memory.ctypes.data
        self._record["events"] = self._memory.ctypes.data + RECEIVE_BYTES
        self._address = int(self._record.ctypes.data)
        self._stream = stream
        stream.field["io_queue"] = self._queue.address

    def attach(self, connection: socket.socket) -> None:
        self._stream.field["socket_fd"] = connection.fileno()
        self._stream.field["socket_request"] = SOCKET_ATTACH
        natives.on_queued(self._address, self._stream.path.address)

    def turn(self) -> int:
        """Serve what is ready; answers how many events there were."""
        if list(self._queue.take()):
            natives.on_queued(self._address, self._stream.path.address)
        events = self.epoll.poll(0)
        for _, bits in events:
            natives.on_event(self._address, self._stream.path.address, bits)
        return len(events)


@pytest.fixture
def hand_loop(open_stream: Opening) -> Iterator[tuple[OpenStream, HandLoop, socket.socket]]:
    stream = open_stream()
    loop = HandLoop(stream)
    ours, server = socket.socketpair()
    ours.setblocking(False)
    server.setblocking(False)
    loop.attach(ours)
    yield stream, loop, server
    loop.epoll.close()
    ours.close()
    server.close()


def test_a_hang_up_behind_a_full_inbox_does_not_spin(
        hand_loop: tuple[OpenStream, HandLoop, socket.socket]) -> None:
    stream, loop, server = hand_loop
    wire = frame(TEXT, bytes(60000)) * 40
    sent = 0
    while not stream.field["waiting_inbox"]:
        try:
            sent += server.send(wire[sent:])
        except BlockingIOError:
            pass
        loop.turn()
    server.close()
    loop.turn()
    assert loop.turn() == 0, "the hang-up was told again: the loop would run hot until Python has time"
    heard = 0
    while not stream.attention() & ATTEND_SOCKET_BROKEN:
        heard += sum(len(piece.data) for piece in stream.path.take_inbox())
        loop.turn()
    heard += sum(len(piece.data) for piece in stream.path.take_inbox())
    assert heard == sent - 4 * -(-sent // 60004)


def test_a_hang_up_behind_a_breach_does_not_spin(
        hand_loop: tuple[OpenStream, HandLoop, socket.socket]) -> None:
    stream, loop, server = hand_loop
    server.send(BREACHES["masked"])
    loop.turn()
    assert stream.attention() == ATTEND_PEER_PROTOCOL
    server.send(frame(TEXT, b"more"))
    server.close()
    loop.turn()
    loop.turn()
    assert loop.turn() == 0


# Binary playback.


def heard_after(stream: OpenStream, samples: int) -> Any:
    return stream.leg.play_silence(-(-samples // stream.leg.frame_samples))[:samples]


@with_fixtures
@given(sizes=st.lists(st.integers(0, 400), max_size=8), cuts=st.lists(st.integers(0, 5000), max_size=20))
def test_binary_playback(open_stream: Opening, sizes: list[int], cuts: list[int]) -> None:
    # Odd sizes too: bytes are a stream, and half a sample waits for its other half.
    stream = open_stream(binary_playback=True)
    data = os.urandom(sum(sizes))
    ends = list(accumulate(sizes))
    wire = b"".join(frame(BINARY, data[end - size:end]) for size, end in zip(sizes, ends))
    assert parse_in_cuts(stream, wire, cuts) == []
    expected = np.frombuffer(data[:len(data) // 2 * 2], "<i2")
    assert stream.path.statistics().play_waiting == len(expected)
    assert np.array_equal(heard_after(stream, len(expected) + 160)[:len(expected)], expected)
    assert stream.path.statistics().messages_received == len(sizes)


def test_binary_playback_over_a_socket_with_text_between(open_stream: Opening) -> None:
    stream = open_stream(binary_playback=True)
    server = stream.connect()
    audio = np.random.default_rng(5).integers(-3000, 3000, 3200).astype("<i2")
    for start in range(0, 3200, 320):
        server.sendall(frame(BINARY, audio[start:start + 320].tobytes()) + frame(TEXT, b"t")
                       + frame(PING, b""))
    stream.wait_until(lambda: stream.path.statistics().messages_received == 30)
    assert [piece.data for piece in stream.path.take_inbox()] == [b"t", b""] * 10
    assert np.array_equal(heard_after(stream, 3200), audio)


def test_binary_on_a_stream_that_does_not_play_it_goes_to_python(open_stream: Opening) -> None:
    stream = open_stream()
    assert parse_in_cuts(stream, frame(BINARY, b"\1\2"), []) == [(BINARY, b"\1\2")]
    assert stream.path.statistics().play_waiting == 0


def test_more_binary_audio_than_the_queue_takes(open_stream: Opening) -> None:
    stream = open_stream(binary_playback=True, playback_secs=1)
    parse_in_cuts(stream, frame(BINARY, bytes(2 * 9000)), list(range(0, 18000, 5000)))
    assert stream.path.statistics().play_waiting == 8000
    assert stream.path.statistics().play_dropped == 1000
    assert stream.attention() & ATTEND_PLAYBACK_OVERRUN


@pytest.mark.parametrize("step", [1, 3, 10 ** 6])
@pytest.mark.parametrize("binary_playback", [True, False])
def test_nothing_counts_after_a_close(open_stream: Opening, binary_playback: bool, step: int) -> None:
    """RFC 6455 section 1.4: neither messages nor audio, not even another close, nor what breaks the rules."""
    stream = open_stream(binary_playback=binary_playback)
    close = (CLOSE, b"\x03\xe8bye")
    wire = frame(TEXT, b"{") + frame(*close) + frame(*close) + frame(TEXT, b"}") + frame(BINARY, b"\1\1" * 160)
    wire += frame(PING, b"") + b"\xff" * 100
    assert parse_in_cuts(stream, wire, list(range(0, len(wire), step))) == [(TEXT, b"{"), close]
    assert stream.path.protocol_error == 0 and stream.path.statistics().messages_received == 2
    assert not stream.leg.play_silence(2).any()


def test_a_close_between_the_fragments_of_a_message(open_stream: Opening) -> None:
    wire = frame(TEXT, b"{", final=False) + frame(CLOSE, b"\x03\xe9") + frame(CONTINUATION, b"}")
    assert parse_in_cuts(open_stream(), wire, []) == [(CLOSE, b"\x03\xe9")]


def test_a_new_connection_is_heard_though_the_last_one_was_closed(open_stream: Opening) -> None:
    stream = open_stream()
    inbox = Inbox(stream)
    for _ in range(2):
        stream.connect().sendall(frame(TEXT, b"hello") + frame(CLOSE, b"") + frame(TEXT, b"?"))
        heard: list[Message] = []
        while len(heard) < 2:
            stream.wait_for(ATTEND_INBOX)
            heard += inbox.messages()
        assert heard == [(TEXT, b"hello"), (CLOSE, b"")]
        stream.disconnect()
        stream.attention()
