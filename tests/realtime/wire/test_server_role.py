"""Our end of the WebSocket is the server: what comes is masked, what goes is not, whatever the cuts."""

from __future__ import annotations

import os
import socket
from itertools import accumulate
from typing import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from freeswitch_audio_stream.realtime.records import (ATTEND_INBOX, ATTEND_PEER_PROTOCOL, ATTEND_SOCKET_BROKEN,
                                                      FRAMING_SERVER)
from freeswitch_audio_stream.testing.peers.raw_websocket import frame

from .. import natives
from ..open_stream import OpenStream
from ..sound import noise

Opening = Callable[..., OpenStream]
Message = tuple[int, bytes]
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 125, 126, 127, 128, 300, 65535, 65536)


def masked(opcode: int, data: bytes, final: bool = True) -> bytes:
    """A frame as a client sends it."""
    return Frame(Opcode(opcode), data, fin=final).serialize(mask=True)


def heard(stream: OpenStream, pieces: Sequence[bytes]) -> list[Message]:
    """The messages that the parser makes of a connection whose bytes come in these pieces."""
    stream.field["framing"] = FRAMING_SERVER
    parts: dict[bool, list[bytes]] = {False: [], True: []}
    messages = []
    for data in pieces:
        memory = np.frombuffer(data + b"\0", np.uint8).copy()
        natives.parse(stream.path.address, memory.ctypes.data, len(data))
        for piece in stream.path.take_inbox():
            part = parts[piece.opcode >= CLOSE]
            part.append(piece.data)
            if piece.is_last:
                messages.append((piece.opcode, b"".join(part)))
                part.clear()
    return messages


def in_pieces(wire: bytes, ends: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(end % (len(wire) + 1) for end in ends)})
    return [wire[first:last] for first, last in zip(places, places[1:])]


def test_one_cut_at_every_byte(open_stream: Opening) -> None:
    stream = open_stream()
    said = [(TEXT, b"hello"), (BINARY, os.urandom(127)), (PING, b"ping"), (TEXT, b""), (BINARY, os.urandom(3))]
    wire = b"".join(masked(*message) for message in said)
    for cut in range(len(wire) + 1):
        assert heard(stream, [wire[:cut], wire[cut:]]) == said, cut


def test_a_cut_before_every_byte(open_stream: Opening) -> None:
    said = [(BINARY, os.urandom(size)) for size in SIZES if size < 1000]
    wire = b"".join(masked(*message) for message in said)
    assert heard(open_stream(), [wire[at:at + 1] for at in range(len(wire))]) == said


@pytest.mark.parametrize("size", SIZES)
def test_every_length_field(open_stream: Opening, size: int) -> None:
    body = os.urandom(size)
    wire = masked(BINARY, body) + masked(TEXT, b"next")
    assert heard(open_stream(), in_pieces(wire, range(0, len(wire), 20_011))) == [(BINARY, body), (TEXT, b"next")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fragments=st.lists(st.binary(max_size=40), min_size=1, max_size=5), pinged=st.binary(max_size=125),
       cuts=st.lists(st.integers(0, 1000), max_size=20))
def test_fragments_each_with_a_key_of_its_own(open_stream: Opening, fragments: list[bytes], pinged: bytes,
                                              cuts: list[int]) -> None:
    wire = masked(BINARY, b"", final=False) + b"".join(masked(0, part, final=False) for part in fragments)
    wire += masked(PING, pinged) + masked(0, b"")
    assert heard(open_stream(), in_pieces(wire, cuts)) == [(PING, pinged), (BINARY, b"".join(fragments))]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("breach", [
    frame(TEXT, b"bare"), frame(PING, b""), frame(BINARY, bytes(200)), b"\xc1\x80\0\0\0\0"])
def test_a_frame_without_a_mask_breaks_the_protocol(open_stream: Opening, breach: bytes, at_once: bool) -> None:
    stream = open_stream()
    wire = masked(TEXT, b"before") + breach + masked(TEXT, b"after")
    assert heard(stream, [wire] if at_once else [wire[at:at + 1] for at in range(len(wire))]) == [(TEXT, b"before")]
    assert stream.path.protocol_error == 1002
    assert stream.attention() & ATTEND_PEER_PROTOCOL


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 400), max_size=8), cuts=st.lists(st.integers(0, 5000), max_size=20))
def test_binary_playback(open_stream: Opening, sizes: list[int], cuts: list[int]) -> None:
    stream = open_stream(binary_playback=True)
    data = os.urandom(sum(sizes))
    wire = b"".join(masked(BINARY, data[end - size:end]) for size, end in zip(sizes, accumulate(sizes)))
    assert heard(stream, in_pieces(wire, cuts)) == []
    expected = np.frombuffer(data[:len(data) // 2 * 2], "<i2")
    assert np.array_equal(stream.leg.play_silence(len(expected) // 160 + 2)[:len(expected)], expected)


class ClientEnd:
    """The client's end of a connection, on the `websockets` library's protocol: a parser not of our making."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)

    def frames(self, count: int) -> list[Frame]:
        """The next frames; one that a server must not send raises."""
        frames: list[Frame] = []
        while len(frames) < count:
            data = self.connection.recv(4096)
            assert data, "the connection ended before the frames came"
            self._protocol.receive_data(data)
            frames += [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            if self._protocol.parser_exc is not None:
                raise self._protocol.parser_exc
        return frames


@pytest.mark.parametrize("size", SIZES)
def test_messages_leave_without_a_mask(open_stream: Opening, size: int) -> None:
    stream = open_stream()
    client = ClientEnd(stream.connect(role="server"))
    body = os.urandom(size)
    assert stream.path.send(BINARY, body)
    (got,) = client.frames(1)
    assert (got.opcode, bytes(got.data)) == (BINARY, body)


@pytest.mark.parametrize("base64", [True, False])
def test_media_leave_without_a_mask(open_stream: Opening, base64: bool) -> None:
    stream = open_stream(base64=base64)
    client = ClientEnd(stream.connect(role="server"))
    stream.path.open_media()
    spoken = noise(480)
    for start in range(0, 480, 160):
        stream.leg.read(spoken[start:start + 160], 8000)
    frames = client.frames(3)
    if base64:
        assert all(b'"event":"media"' in got.data for got in frames)
    else:
        assert b"".join(bytes(got.data) for got in frames) == spoken.astype("<i2").tobytes()


def test_what_came_with_the_request_comes_first_and_stays_as_it_was(open_stream: Opening) -> None:
    stream = open_stream()
    whole = masked(TEXT, b"first") + masked(TEXT, b"cut in two")
    leftover = whole[:14]
    client = stream.connect(leftover=leftover, role="server")
    client.sendall(whole[14:])
    said = b""
    while not said.endswith(b"two"):
        stream.wait_for(ATTEND_INBOX)
        said += b"".join(piece.data for piece in stream.path.take_inbox())
    assert said == b"firstcut in two"
    assert leftover == whole[:14], "unmasked in memory that is not the loop's"


def test_a_new_connection_may_have_the_other_role(open_stream: Opening) -> None:
    stream = open_stream()
    client = stream.connect(role="server")
    client.sendall(masked(TEXT, b"to the server")[:5])
    client.close()
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    stream.disconnect()
    assert list(stream.path.take_inbox()) == []
    stream.attention()
    stream.connect().sendall(frame(TEXT, b"to the client"))
    stream.wait_for(ATTEND_INBOX)
    assert [piece.data for piece in stream.path.take_inbox()] == [b"to the client"]
