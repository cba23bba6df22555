"""Compressed messages (RFC 7692): the core carries them, and never mistakes them for anything else."""

from __future__ import annotations

import zlib
from typing import Callable

import numpy as np
import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate

from freeswitch_audio_stream.realtime.path import Piece
from freeswitch_audio_stream.realtime.records import ATTEND_INBOX, ATTEND_PEER_PROTOCOL
from freeswitch_audio_stream.realtime.wire.outgoing import COMPRESSED
from freeswitch_audio_stream.testing.peers.raw_websocket import frame
from freeswitch_audio_stream.testing.peers.websocket_end import WebSocketEnd

from .. import natives
from ..open_stream import OpenStream

Opening = Callable[..., OpenStream]
CONTINUATION, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10


def marked(data: bytes, bits: int = RSV1) -> bytes:
    """The first frame of `data`, with reserved bits set."""
    return bytes([data[0] | bits]) + data[1:]


def pieces(stream: OpenStream, wire: bytes, step: int) -> list[Piece]:
    """What the inbox holds of `wire`, which comes in pieces of `step` bytes; the cuts undone."""
    heard: list[Piece] = []
    for start in range(0, len(wire), step):
        source = np.frombuffer(wire[start:start + step], np.uint8)
        natives.parse(stream.path.address, source.ctypes.data, len(source))
        for piece in stream.path.take_inbox():
            last = heard[-1] if heard else None
            if last and not last.is_last and last.opcode == piece.opcode:
                assert piece.is_compressed == last.is_compressed
                heard[-1] = piece._replace(data=last.data + piece.data)
            else:
                heard.append(piece)
    return heard


@pytest.mark.parametrize("step", [1, 3, 10 ** 6])
@pytest.mark.parametrize("binary_playback", [False, True])
def test_only_the_messages_marked_are_compressed(open_stream: Opening, binary_playback: bool,
                                                 step: int) -> None:
    stream = open_stream(binary_playback=binary_playback)
    stream.field["deflate"] = 1
    wire = (marked(frame(TEXT, b"one")) + frame(TEXT, b"two") + marked(frame(BINARY, b"three"))
            + marked(frame(BINARY, b"")) + frame(BINARY, b"five"))
    assert pieces(stream, wire, step) == [
        Piece(TEXT, b"one", True, True), Piece(TEXT, b"two", True, False),
        Piece(BINARY, b"three", True, True), Piece(BINARY, b"", True, True),
        Piece(BINARY, b"five", True, False)]
    assert stream.attention() == ATTEND_INBOX
    assert stream.path.statistics().play_waiting == 0, "audio overtook audio that is to be inflated"
    assert stream.path.statistics().messages_received == 5


def test_a_compressed_message_in_fragments_with_a_ping_between(open_stream: Opening) -> None:
    stream = open_stream()
    stream.field["deflate"] = 1
    wire = (marked(frame(TEXT, b"first", False)) + frame(PING, b"?") + frame(CONTINUATION, b"second", False)
            + frame(CONTINUATION, b"third") + frame(TEXT, b"plain", False) + frame(CONTINUATION, b"too"))
    assert pieces(stream, wire, len(wire)) == [
        Piece(TEXT, b"first", False, True), Piece(PING, b"?", True, False),
        Piece(TEXT, b"secondthird", True, True), Piece(TEXT, b"plaintoo", True, False)]


BREACHES = {
    "a ping": marked(frame(PING, b"")),
    "a close": marked(frame(CLOSE, b"")),
    "a continuation": marked(frame(TEXT, b"a", False)) + marked(frame(CONTINUATION, b"b")),
    "a continuation of a plain message": frame(TEXT, b"a", False) + marked(frame(CONTINUATION, b"b")),
    "RSV2 besides": marked(frame(TEXT, b""), RSV1 | RSV2),
    "RSV3 alone": marked(frame(TEXT, b""), RSV3),
    "an unknown opcode": bytes([0x80 | RSV1 | 3, 0]),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_where_a_reserved_bit_is_a_breach(open_stream: Opening, breach: str) -> None:
    stream = open_stream()
    stream.field["deflate"] = 1
    pieces(stream, BREACHES[breach], 10 ** 6)
    assert stream.path.protocol_error == 1002 and stream.attention() & ATTEND_PEER_PROTOCOL


def test_compression_is_agreed_for_one_connection(open_stream: Opening) -> None:
    stream = open_stream()
    for deflate in (True, False, True):
        stream.connect(deflate=deflate).sendall(marked(frame(BINARY, b"x")))
        stream.wait_for(ATTEND_INBOX if deflate else ATTEND_PEER_PROTOCOL)
        assert list(stream.path.take_inbox()) == ([Piece(BINARY, b"x", True, True)] if deflate else [])
        stream.disconnect()


def test_a_plain_message_after_the_connection_broke_in_a_compressed_one(open_stream: Opening) -> None:
    stream = open_stream(binary_playback=True)
    stream.connect(deflate=True).sendall(marked(frame(BINARY, b"half", False)))
    stream.wait_for(ATTEND_INBOX)
    stream.disconnect()
    list(stream.path.take_inbox())
    stream.connect().sendall(frame(BINARY, b"\1\2") + frame(TEXT, b"plain"))
    stream.wait_for(ATTEND_INBOX)
    assert list(stream.path.take_inbox()) == [Piece(TEXT, b"plain", True, False, 1)]
    assert stream.path.statistics().play_waiting == 1


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_what_we_compressed_arrives_beside_what_we_did_not(open_stream: Opening, opcode: int) -> None:
    stream = open_stream(base64=False)
    server = WebSocketEnd(stream.connect(deflate=True), [PerMessageDeflate(True, True, 15, 15)])
    body = b"the same again and again " * 100
    packer = zlib.compressobj(wbits=-15)
    packed = (packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert stream.path.send(opcode | COMPRESSED, packed) and stream.path.send(opcode, body)
    stream.path.open_media()
    stream.leg.read(np.arange(160, dtype=np.int16), 8000)
    assert server.messages(3) == [body, body, np.arange(160, dtype="<i2").tobytes()]
    assert server.received[0] == 0x80 | RSV1 | opcode
