"""AudioSocket, Asterisk's protocol: frames of a kind, a length (16 bits, big-endian) and that many bytes.

Runs on a stream's I/O loop. On TCP a connection is nothing but such frames. Within a WebSocket the peer's binary
messages may hold them or bare samples; the first message of a connection shows which, and it is that for all of
it: a frame's header heard as samples is a click, and samples read as frames are lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, wide
from ...native.compiler import native_helper
from ...protocols.audiosocket import KIND_AUDIO, KIND_DTMF, KIND_ERROR, KIND_HANGUP, KIND_UUID, RATES
from ..records import FRAMING_AUDIOSOCKET, PEER_BARE, PEER_FRAMES, PEER_UNKNOWN
from .delivery import PIECE_ENDS_FRAME, PIECE_ENDS_MESSAGE, gather, to_inbox, to_playback

RATE_OF_KIND = np.array(RATES, np.int64)

FRAME_OPCODE = 0x100
"""Added to the kind of a frame that is in the inbox, where small numbers are a WebSocket's opcodes."""
HEADER_BYTES = 3
_OPCODE_BINARY = 2
_UUID_BYTES = 16
_DIGITS = np.frombuffer(b"0123456789*#ABCDabcd", np.uint8).copy()


@native_helper
def rate_of(kind: int) -> int:
    """Hz of an audio kind; 0 of any other."""
    if kind < KIND_AUDIO or kind >= KIND_AUDIO + len(RATE_OF_KIND):
        return 0
    return RATE_OF_KIND[kind - KIND_AUDIO]


@native_helper
def _is_digit(octet: int) -> bool:
    for known in _DIGITS:
        if known == octet:
            return True
    return False


@native_helper
def _is_plausible(kind: int, size: int, payload: int) -> bool:
    """Return whether a frame of that kind may have that size, and a digit that value."""
    if kind == KIND_HANGUP:
        return size == 0
    if kind == KIND_UUID:
        return size == _UUID_BYTES
    if kind == KIND_DTMF:
        return size == 1 and _is_digit(wide(bytes_at(payload, 1)[0]))
    if kind == KIND_ERROR:
        return size <= 1
    return rate_of(kind) > 0 and size > 0 and size % 2 == 0


@native_helper
def is_framed(data: int, count: int) -> int:
    """1 where `count` bytes are frames from the first to the last, and nothing comes after a hangup.

    Silence would otherwise be a row of hangups.
    """
    position, hung_up = 0, False
    while count - position >= HEADER_BYTES:
        octets = bytes_at(data + position, HEADER_BYTES)
        kind, size = wide(octets[0]), wide(octets[1]) << 8 | wide(octets[2])
        position += HEADER_BYTES
        if hung_up or size > count - position or not _is_plausible(kind, size, data + position):
            return 0
        hung_up = kind == KIND_HANGUP
        position += size
    return 1 if position == count and count > 0 else 0


@native_helper
def _deliver(stream: Any, source: int, count: int) -> None:
    """`count` payload bytes of the frame at hand, which end it where nothing of it is left."""
    rate = rate_of(stream.frame_kind)
    ends = stream.frame_left == 0
    if ends and stream.framing == FRAMING_AUDIOSOCKET:
        stream.messages_received += 1
    if rate == 0 or not stream.binary_playback:
        opcode = _OPCODE_BINARY if rate else FRAME_OPCODE + stream.frame_kind
        to_inbox(stream, opcode, PIECE_ENDS_FRAME | PIECE_ENDS_MESSAGE if ends else 0, source, count)
    elif not stream.discards:
        to_playback(stream, source, count, rate)


@native_helper
def take_frames(stream: Any, data: int, count: int) -> None:
    """Take the next bytes of a row of frames, whatever the cuts."""
    position = 0
    while position < count:
        if stream.frame_have < HEADER_BYTES:
            stream.frame_header = stream.frame_header << 8 | wide(bytes_at(data + position, 1)[0])
            stream.frame_have += 1
            position += 1
            if stream.frame_have < HEADER_BYTES:
                continue
            kind = stream.frame_header >> 16 & 0xFF
            if kind != stream.frame_kind:
                stream.has_odd_byte = 0
            stream.frame_kind, stream.frame_left = kind, stream.frame_header & 0xFFFF
            if stream.frame_left == 0:
                _deliver(stream, data, 0)
                stream.frame_have = 0
            continue
        taken = min(stream.frame_left, count - position)
        stream.frame_left -= taken
        _deliver(stream, data + position, taken)
        position += taken
        if stream.frame_left == 0:
            stream.frame_have = 0


@native_helper
def _take(stream: Any, source: int, count: int) -> None:
    if stream.peer_kind == PEER_FRAMES:
        take_frames(stream, source, count)
    elif not stream.discards:
        to_playback(stream, source, count, stream.binary_rate)


@native_helper
def take_message(stream: Any, source: int, count: int, ends: bool) -> None:
    """Take a piece of a binary message within a WebSocket; with `ends` it is the message's last."""
    if stream.peer_kind != PEER_UNKNOWN:
        _take(stream, source, count)
        return
    fitting = gather(stream, source, count)
    too_long = stream.packet_length > stream.packet_capacity
    if not too_long and (not ends or stream.packet_length == 0):
        return
    framed = not too_long and is_framed(stream.packet, stream.packet_length)
    stream.peer_kind = PEER_FRAMES if framed else PEER_BARE
    held = min(stream.packet_length, stream.packet_capacity)
    stream.packet_length = 0
    _take(stream, stream.packet, held)
    _take(stream, source + fitting, count - fitting)
