"""permessage-deflate: what may be agreed on, and messages against an implementation that is not ours."""

from __future__ import annotations

import random
import socket
import threading
import tracemalloc
import zlib
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Iterator, Sequence

import pytest
import websocket
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.extensions import permessage_deflate
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.sync.server import ServerConnection, serve

from freeswitch_audio_stream.errors import HandshakeRefused
from freeswitch_audio_stream.testing.peers.listener import Listener, accept_websocket, read_all
from freeswitch_audio_stream.transports import (Connection, Deflate, Deflater, InflatedTooBig, InflateError, Inflater,
                                                connect)
from freeswitch_audio_stream.transports.deflate import OFFER, agreement


LIMIT = 1 << 20
PATIENCE = 60
WHERE = "host:1"
BITS = range(8, 16)
NOISE = random.Random(1).randbytes(70_000)
TEXTS = [b"", b"a", b'{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000}}' * 5,
         bytes(100_000), NOISE, b"the same again" * 3000,
         NOISE[:150], NOISE[:150]]


# What the server answers.


@pytest.mark.parametrize("answer, expected", [
    ("", None),
    (" , ", None),
    ("permessage-deflate", Deflate()),
    ("permessage-deflate; client_no_context_takeover", Deflate()),
    ("permessage-deflate;server_no_context_takeover", Deflate(True)),
    ("permessage-deflate ; server_max_window_bits = 8 ", Deflate(server_max_window_bits=8)),
    ('permessage-deflate; client_max_window_bits="10"', Deflate(client_max_window_bits=10)),
    ("permessage-deflate; client_max_window_bits=15; server_max_window_bits=9; server_no_context_takeover; "
     "client_no_context_takeover", Deflate(True, 9, 15)),
])
def test_agreements(answer: str, expected: Deflate | None) -> None:
    assert agreement(answer, WHERE) == expected


@pytest.mark.parametrize("answer, words", [
    ("x-webkit-deflate-frame", "'x-webkit-deflate-frame' was not offered"),
    ("Permessage-Deflate", "not offered"),
    ("permessage-deflate, permessage-deflate", "more than the one"),
    ("permessage-deflate, x", "more than the one"),
    ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", "there twice"),
    ("permessage-deflate; client_max_window_bits=9; client_max_window_bits=10", "there twice"),
    ("permessage-deflate; server_no_context_takeover=1", "takes no value"),
    ("permessage-deflate; client_no_context_takeover=true", "takes no value"),
    ("permessage-deflate; client_max_window_bits", "not a number from 8 to 15"),
    ("permessage-deflate; server_max_window_bits", "not a number from 8 to 15"),
    *[(f"permessage-deflate; server_max_window_bits={value}", "not a number from 8 to 15")
      for value in ("7", "16", "0", "08", "015", "-9", "1e1", "nine")],
    ("permessage-deflate; client_max_window_bits=\N{ARABIC-INDIC DIGIT NINE}", "not a parameter"),
    ("permessage-deflate; max_window_bits=9", "'max_window_bits' is unknown"),
    ("permessage-deflate;", "'' is not a parameter"),
    ("permessage-deflate; =9", "not a parameter"),
    ('permessage-deflate; client_max_window_bits="10', "not a parameter"),
    ("permessage-deflate; \x1b[2Ja\nb", r"'\\x1b\[2Ja\\nb' is not a parameter"),
])
def test_answers_that_are_refused(answer: str, words: str) -> None:
    with pytest.raises(HandshakeRefused, match=words) as refusal:
        agreement(answer, WHERE)
    assert WHERE in str(refusal.value) and "switch compression off" in str(refusal.value)
    assert str(refusal.value).isprintable() and refusal.value.status == 101


@given(st.text(max_size=80) | st.text("permessage-deflate;,= \"client_max_window_bits0189", max_size=80).map(
    "permessage-deflate; ".__add__))
def test_whatever_the_server_answers(answer: str) -> None:
    try:
        assert agreement(answer, WHERE) is None or "permessage-deflate" in answer
    except HandshakeRefused:
        pass


# Messages.


def theirs(agreed: Deflate) -> permessage_deflate.PerMessageDeflate:
    """The server's half by the `websockets` library, whose zlib has no 8 bits to compress with."""
    return permessage_deflate.PerMessageDeflate(
        remote_no_context_takeover=True, local_no_context_takeover=agreed.server_no_context_takeover,
        remote_max_window_bits=agreed.client_max_window_bits,
        local_max_window_bits=max(9, agreed.server_max_window_bits))


@pytest.mark.parametrize("bits", BITS)
def test_what_we_deflate_fits_the_window_and_stands_alone(bits: int) -> None:
    deflater = Deflater(Deflate(client_max_window_bits=bits))
    for text in TEXTS:
        packed = deflater.message(text)
        assert not packed.endswith(b"\0\0\xff\xff")
        inflater = zlib.decompressobj(-bits)
        heard = b"".join(inflater.decompress(packed[place:place + 1]) for place in range(len(packed)))
        assert heard == text, "zlib checks distances against what it was given earlier, so byte by byte"


def test_an_empty_message_is_one_byte() -> None:
    assert Deflater(Deflate()).message(b"") == b"\0"


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("bits", BITS)
def test_what_the_server_deflates(bits: int, alone: bool) -> None:
    agreed = Deflate(alone, bits)
    server, inflater = theirs(agreed), Inflater(agreed, LIMIT)
    texts = TEXTS if bits > 8 else [text[:200] for text in TEXTS]
    sizes = []
    for text in texts * 2:
        frame = server.encode(Frame(Opcode.BINARY, text))
        assert frame.rsv1
        sizes.append(len(frame.data))
        assert inflater.message(bytes(frame.data)) == text
    refers_back = sizes[-1] < sizes[-2] // 2
    assert refers_back != alone, "the last two texts are the same"


@given(st.lists(st.binary(max_size=300), max_size=10), st.booleans(), st.integers(9, 15))
def test_conversations(messages: list[bytes], alone: bool, bits: int) -> None:
    agreed = Deflate(alone, bits, bits)
    server, inflater, deflater = theirs(agreed), Inflater(agreed, LIMIT), Deflater(agreed)
    for message in messages:
        assert inflater.message(bytes(server.encode(Frame(Opcode.TEXT, message)).data)) == message
        frame = server.decode(Frame(Opcode.TEXT, deflater.message(message), rsv1=True))
        assert bytes(frame.data) == message


@pytest.mark.parametrize("payload", [
    "f248cdc9c90700",                       # one block
    "f348cdc9c90700",                       # a final block, and no more
    "f348cdc9c9070000",                     # a final block, and the byte that the RFC puts behind it
    "000500faff48656c6c6f00",               # not compressed at all
    "f24805000000ffffcac9c90700",           # two blocks
])
def test_the_examples_of_the_rfc(payload: str) -> None:
    """RFC 7692 section 7.2.3, each followed by another message on the same connection."""
    inflater = Inflater(Deflate(), LIMIT)
    for _ in range(3):
        assert inflater.message(bytes.fromhex(payload)) == b"Hello"
    assert inflater.message(bytes.fromhex("f248cdc9c90700")) == b"Hello"


def test_the_rfcs_example_of_a_shared_window() -> None:
    inflater = Inflater(Deflate(), LIMIT)
    assert inflater.message(bytes.fromhex("f248cdc9c90700")) == b"Hello"
    assert inflater.message(bytes.fromhex("f200110000")) == b"Hello"
    alone = Inflater(Deflate(server_no_context_takeover=True), LIMIT)
    assert alone.message(bytes.fromhex("f248cdc9c90700")) == b"Hello"
    with pytest.raises(InflateError, match="damaged"):
        alone.message(bytes.fromhex("f200110000"))


def test_a_server_that_refers_back_too_far() -> None:
    server, inflater = theirs(Deflate()), Inflater(Deflate(server_max_window_bits=9), LIMIT)
    with pytest.raises(InflateError):
        for _ in range(2):
            inflater.message(bytes(server.encode(Frame(Opcode.BINARY, NOISE[:4000])).data))


@pytest.mark.parametrize("payload", [b"", b"\xff", b"not deflated at all", b"\x05", bytes(4), b"\1\0\0"],
                         ids=repr)
def test_damaged_messages(payload: bytes) -> None:
    with pytest.raises(InflateError):
        Inflater(Deflate(), LIMIT).message(payload)


@pytest.mark.parametrize("text", [text for text in TEXTS if len(text) > 1 and text not in NOISE], ids=len)
def test_a_message_cut_short(text: bytes) -> None:
    packed = Deflater(Deflate()).message(text)
    for end in {1, 2, 3, 10, len(packed) // 2, len(packed) - 2, len(packed) - 1} & set(range(len(packed))):
        with pytest.raises(InflateError):
            Inflater(Deflate(), LIMIT).message(packed[:end])


def test_what_follows_the_end_of_a_message_is_refused() -> None:
    final = bytes.fromhex("f348cdc9c90700")
    for more in (final, b"\1", b"\0\0", bytes(1000)):
        with pytest.raises(InflateError):
            Inflater(Deflate(), LIMIT).message(final + more)


@given(st.binary(max_size=200), st.booleans())
def test_rubbish_is_refused_or_inflated(payload: bytes, alone: bool) -> None:
    inflater = Inflater(Deflate(alone), 1000)
    try:
        for _ in range(2):
            assert len(inflater.message(payload)) <= 1000
    except InflateError:
        pass


@pytest.mark.parametrize("limit", [0, 1, 1000, LIMIT])
def test_the_limit_is_exact(limit: int) -> None:
    deflater = Deflater(Deflate())
    for text in (bytes(limit), b"\1" * limit):
        assert Inflater(Deflate(), limit).message(deflater.message(text)) == text
        with pytest.raises(InflatedTooBig, match=str(limit)):
            Inflater(Deflate(), limit).message(deflater.message(text + b"x"))


@pytest.mark.slow
def test_a_bomb_costs_no_more_than_the_limit() -> None:
    packer = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(500)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < LIMIT
    inflater = Inflater(Deflate(), LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises(InflatedTooBig):
            inflater.message(bomb[:-4])
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    finally:
        tracemalloc.stop()


# Over a connection.


@contextmanager
def echoing(**options: Any) -> Iterator[tuple[str, list[str]]]:
    """A server of the `websockets` library that echoes every message; the extensions it was offered."""
    offers: list[str] = []

    def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        offers.extend(connection.request.headers.get_all("Sec-WebSocket-Extensions"))
        try:
            for message in connection:
                connection.send(message)
        except ConnectionClosed:
            pass

    with serve(echo, "127.0.0.1", 0, max_size=None, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield "ws://{}:{}/".format(*server.socket.getsockname()[:2]), offers
        finally:
            server.shutdown()
            thread.join()


def masked(payload: bytes, compressed: bool) -> bytes:
    frame = websocket.ABNF(1, int(compressed), opcode=websocket.ABNF.OPCODE_BINARY, data=payload)
    return bytes(frame.format())


def frames(connection: Connection, compressed: bool) -> Iterator[bytes]:
    """The payloads of what the server sends, as they are on the wire; all of them compressed, or none."""
    protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
    protocol.extensions = [NotInflated()] if compressed else []
    connection.sock.settimeout(PATIENCE)
    data = connection.leftover
    while True:
        protocol.receive_data(data)
        yield from (bytes(event.data) for event in protocol.events_received() if isinstance(event, Frame))
        if protocol.parser_exc is not None:
            raise protocol.parser_exc
        data = connection.sock.recv(65536)


class NotInflated(permessage_deflate.PerMessageDeflate):
    """Leaves the payload of compressed frames as it is."""

    def __init__(self) -> None:
        super().__init__(True, True, 15, 15)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        assert frame.rsv1 and frame.fin
        return replace(frame, rsv1=False)


def factory(**options: Any) -> list[ServerPerMessageDeflateFactory]:
    return [ServerPerMessageDeflateFactory(**options)]


@pytest.mark.parametrize("extensions, expected", [
    (factory(), Deflate()),
    (factory(server_no_context_takeover=True), Deflate(True)),
    (factory(client_no_context_takeover=True), Deflate()),
    (factory(server_max_window_bits=9), Deflate(server_max_window_bits=9)),
    (factory(client_max_window_bits=9), Deflate(client_max_window_bits=9)),
    (factory(client_max_window_bits=8), Deflate(client_max_window_bits=8)),
    (factory(server_no_context_takeover=True, client_no_context_takeover=True, server_max_window_bits=10,
             client_max_window_bits=11, require_client_max_window_bits=True), Deflate(True, 10, 11)),
    (None, Deflate(server_max_window_bits=12, client_max_window_bits=12)),
], ids=lambda value: str(value) if isinstance(value, Deflate) else "")
def test_a_server_with_compression(extensions: Sequence[ServerPerMessageDeflateFactory] | None,
                                   expected: Deflate) -> None:
    compression = "deflate" if extensions is None else None
    with echoing(compression=compression, extensions=extensions) as (url, offers):
        connection = connect(url, timeout=PATIENCE, deflate=True)
        assert connection.deflate == expected and offers in ([], [OFFER])
        deflater, inflater = Deflater(expected), Inflater(expected, LIMIT)
        answers = frames(connection, True)
        for text in TEXTS * 2:
            connection.sock.sendall(masked(deflater.message(text), True))
            assert inflater.message(next(answers)) == text
            connection.sock.sendall(masked(text, False))
            assert inflater.message(next(answers)) == text
        connection.close()
    assert offers == [OFFER]


def test_a_server_without_compression() -> None:
    with echoing(compression=None) as (url, _):
        connection = connect(url, timeout=PATIENCE, deflate=True)
        assert connection.deflate is None
        connection.sock.sendall(masked(b"plain", False))
        assert next(frames(connection, False)) == b"plain"
        connection.close()


def test_nothing_is_offered_unless_asked_for() -> None:
    with echoing(compression="deflate") as (url, offers):
        connection = connect(url, timeout=PATIENCE)
        assert connection.deflate is None
        connection.sock.sendall(masked(b"plain", False))
        assert next(frames(connection, False)) == b"plain"
        connection.close()
    assert offers == []


REFUSED: list[tuple[str, ...]] = [
    ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=16",),
    ("Sec-WebSocket-Extensions: permessage-bzip2",),
    ("Sec-WebSocket-Extensions: permessage-deflate", "sec-websocket-extensions: permessage-deflate"),
    ("Sec-WebSocket-Extensions: x-other", "Sec-WebSocket-Extensions: permessage-deflate"),
]


@pytest.mark.parametrize("lines", REFUSED, ids=str)
def test_a_wrong_answer_ends_the_attempt(lines: tuple[str, ...]) -> None:
    def answer(sock: socket.socket) -> None:
        accept_websocket(sock, *lines)
        read_all(sock)

    with Listener(answer) as peer, pytest.raises(HandshakeRefused, match="permessage"):
        connect(f"ws://{peer.place}/", timeout=PATIENCE, deflate=True)
