"""RTP packets (RFC 3550) of G.711 and L16 (RFC 3551), one in a binary message. Runs on a stream's I/O loop.

To the peer: mu-law under a header of 12 bytes. A gap in what was captured moves the timestamp on, and the packet
behind it has the marker. From the peer: see `jitter_buffer`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, int64_at, load_acquire, store_release, wide
from ...native.compiler import native_helper
from ..records import OFFSET
from .jitter_buffer import MAX_PACKET, PT_ALAW, PT_L16, PT_MULAW, complain, place_of, put_in_order

RTP_HEADER = 12
_VERSION = 2
_GAPS_WRITE, _GAPS_READ = OFFSET["gaps_write"], OFFSET["gaps_read"]
_ENDLESS = 1 << 62


# To the peer.


@native_helper
def write_header(stream: Any, target: int, count: int) -> None:
    """The header of the next packet, of `count` samples."""
    out = bytes_at(target, RTP_HEADER)
    out[0], out[1] = np.uint8(_VERSION << 6), np.uint8(stream.rtp_marker << 7 | PT_MULAW)
    out[2], out[3] = np.uint8(stream.rtp_sequence >> 8 & 255), np.uint8(stream.rtp_sequence & 255)
    for index in range(4):
        shift = 24 - 8 * index
        out[4 + index] = np.uint8(stream.rtp_timestamp >> shift & 255)
        out[8 + index] = np.uint8(stream.rtp_source >> shift & 255)
    stream.rtp_marker = 0
    stream.rtp_sequence = stream.rtp_sequence + 1 & 0xFFFF
    stream.rtp_timestamp = stream.rtp_timestamp + count & 0xFFFFFFFF


@native_helper
def before_gap(stream: Any) -> int:
    """Samples of the capture ring until something is missing; what is missing right here is stepped over."""
    written = load_acquire(stream.address + _GAPS_WRITE)
    while stream.gaps_read < written:
        gap = int64_at(stream.gaps + 16 * (stream.gaps_read % stream.gaps_capacity), 2)
        if gap[0] > stream.capture_read:
            return gap[0] - stream.capture_read
        stream.uncaptured += gap[1]
        stream.rtp_timestamp = stream.rtp_timestamp + gap[1] & 0xFFFFFFFF
        stream.rtp_marker = 1
        store_release(stream.address + _GAPS_READ, stream.gaps_read + 1)
    return _ENDLESS


# From the peer.


@native_helper
def _payload_start(packet: int, length: int) -> int:
    """Where the payload begins, behind contributing sources and extension; -1 where there is no packet."""
    if length < RTP_HEADER or length > MAX_PACKET:
        return -1
    octets = bytes_at(packet, length)
    start = RTP_HEADER + 4 * (wide(octets[0]) & 15)
    if wide(octets[0]) >> 6 != _VERSION:
        return -1
    if octets[0] & 0x10:
        if start + 4 > length:
            return -1
        start += 4 + 4 * (wide(octets[start + 2]) << 8 | wide(octets[start + 3]))
    return start if start <= length else -1


@native_helper
def _payload_size(packet: int, length: int, start: int) -> int:
    """Bytes of the payload without padding; -1 where the padding is longer than what there is."""
    octets = bytes_at(packet, length)
    if octets[0] & 0x20 == 0:
        return length - start
    padding = wide(octets[length - 1])
    return length - start - padding if 0 < padding <= length - start else -1


@native_helper
def _number(packet: int, count: int) -> int:
    value = wide(0)
    octets = bytes_at(packet, count)
    for index in range(count):
        value = value << 8 | wide(octets[index])
    return value


@native_helper
def take_packet(stream: Any, packet: int, length: int) -> None:
    """Take one message of the peer: play it, keep it for later, or count it as what it is."""
    start = _payload_start(packet, length)
    size = _payload_size(packet, length, start) if start >= 0 else -1
    if size < 0:
        stream.rtp_malformed += 1
        complain(stream)
        return
    kind = _number(packet + 1, 1) & 127
    if kind != PT_MULAW and kind != PT_ALAW and kind != PT_L16:
        stream.rtp_unknown += 1
        complain(stream)
        return
    place = place_of(stream, _number(packet + 8, 4), _number(packet + 2, 2))
    put_in_order(stream, place, kind, _number(packet + 4, 4), packet + start, size)
