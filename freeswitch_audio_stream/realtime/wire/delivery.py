"""Where what the peer sends goes: samples to the playback queue, all else to the inbox, for Python.

The inbox holds pieces: an int32[4] record (opcode of the message, flags, bytes, where the playback queue ended when
the piece came: the lower 32 bits of the position) and the piece. Runs on a stream's I/O loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, int16_at, int32_at, load_acquire, store_release, wide
from ...native.compiler import native_helper
from ...native.libc import copy
from ..media.playback import play
from ..records import ATTEND_INBOX, OFFSET
from ..rings import copy_in
from ..wakeup import attend
from .jitter_buffer import MAX_PACKET

INBOX_HEADER = 16
PIECE_ENDS_FRAME, PIECE_ENDS_MESSAGE, PIECE_COMPRESSED = 1, 2, 4
_INBOX_READ, _INBOX_WRITE, _SMALL = OFFSET["inbox_read"], OFFSET["inbox_write"], OFFSET["small"]
_PLAY_WRITE, _LOWER_BITS = OFFSET["play_write"], 0xFFFFFFFF


@native_helper
def _small_buffer(stream: Any) -> int:
    """Sixteen bytes of the stream's own to build an inbox header, or a sample, in."""
    return stream.address + _SMALL


@native_helper
def to_inbox(stream: Any, opcode: int, flags: int, source: int, count: int) -> None:
    """Append one piece; the caller has made sure that it fits."""
    record = _small_buffer(stream)
    fields = int32_at(record, 4)
    fields[0], fields[1] = np.int32(opcode), np.int32(flags)
    fields[2], fields[3] = np.int32(count), np.int32(load_acquire(stream.address + _PLAY_WRITE) & _LOWER_BITS)
    position, taken = stream.inbox_write, load_acquire(stream.address + _INBOX_READ)
    copy_in(stream.inbox, position, record, INBOX_HEADER, taken)
    copy_in(stream.inbox, position + INBOX_HEADER, source, count, taken)
    store_release(stream.address + _INBOX_WRITE, position + INBOX_HEADER + count)
    attend(stream.address, ATTEND_INBOX)


@native_helper
def to_playback(stream: Any, source: int, count: int, rate: int) -> None:
    """Queue bytes of L16 at `rate` (Hz); an odd byte waits for its other half."""
    if stream.has_odd_byte and count > 0:
        pair = bytes_at(_small_buffer(stream), 2)
        pair[0], pair[1] = np.uint8(stream.odd_byte), bytes_at(source, 1)[0]
        stream.has_odd_byte = 0
        play(stream.address, _small_buffer(stream), 1, rate)
        source += 1
        count -= 1
    if count & 1:
        stream.odd_byte = wide(bytes_at(source + count - 1, 1)[0])
        stream.has_odd_byte = 1
    if count > 1:
        play(stream.address, source, count // 2, rate)


@native_helper
def octets_to_playback(stream: Any, source: int, count: int, rate: int, table: int) -> None:
    """Queue bytes of G.711 at `rate` (Hz); `table` is the address of what each stands for, int16[256]."""
    levels = int16_at(table, 256)
    while count > 0:
        block = min(count, MAX_PACKET)
        octets, out = bytes_at(source, block), int16_at(stream.decoded, block)
        for index in range(block):
            out[index] = levels[octets[index]]
        play(stream.address, stream.decoded, block, rate)
        source += block
        count -= block


@native_helper
def gather(stream: Any, source: int, count: int) -> int:
    """Keep the next bytes of a message; return how many fitted. Its length counts on beyond what fits."""
    fitting = max(0, min(count, stream.packet_capacity - stream.packet_length))
    copy(stream.packet + stream.packet_length, source, fitting)
    stream.packet_length += count
    return fitting
