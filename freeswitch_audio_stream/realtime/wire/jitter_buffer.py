"""The jitter buffer: RTP packets from the peer in the order in which they belong. Runs on a stream's I/O loop.

Packets that follow each other are played at once; one that overtook others is held until those are there, until a
window of packets is full, or until the caller has almost nothing left to hear. So it is the call's own clock that
decides when a packet is lost. What was lost is silence of the length that the timestamps tell: what follows keeps its
time. Where the queue is empty, a talk spurt begins with JITTER_MS of silence, which is the time that a packet then has
to come late in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, int16_at, int64_at, load_acquire, store_release, wide
from ...native.compiler import native_helper
from ...native.libc import clear, copy, monotonic_us
from ..media.playback import play, wake_clock
from ..records import ATTEND_GARBAGE, OFFSET
from ..wakeup import attend

PT_MULAW, PT_ALAW, PT_L16 = 0, 8, 11
"""Payload types (RFC 3551): G.711 at 8000 Hz, and linear samples, big-endian, at 44100 Hz; one channel each."""
MAX_PACKET = 16384
"""Bytes of a packet, header included: two seconds of G.711."""
WINDOW = 16
"""Packets, from the one that is missed to the last that can be held."""
HELD_HEADER = 40  # int64: sequence number, payload type, timestamp, bytes, 1 while it is held
HELD_BYTES = HELD_HEADER + MAX_PACKET
HEARD = 128
"""Sequence numbers remembered, to tell a packet that comes twice from one that comes late."""
JITTER_MS = 60
_MAX_SILENCE_MS = 4000  # beyond it, a timestamp that jumps is a new beginning and not a gap
_MAX_DROPOUT, _MAX_MISORDER = 3000, 100  # packets; RFC 3550 appendix A.1
_G711_RATE, _L16_RATE = 8000, 44100
_TELL_US = 1_000_000
_HELD_COUNT, _PLAY_READ = OFFSET["held_count"], OFFSET["play_read"]


@native_helper
def complain(stream: Any) -> None:
    """Have Python look at the counters, once a second at most."""
    now = monotonic_us()
    if now - stream.garbage_told >= _TELL_US:
        stream.garbage_told = now
        attend(stream.address, ATTEND_GARBAGE)


@native_helper
def _waiting(stream: Any) -> int:
    return stream.play_write - load_acquire(stream.address + _PLAY_READ)


@native_helper
def _play_silence(stream: Any, count: int, rate: int) -> None:
    clear(stream.decoded, 2 * min(count, MAX_PACKET))
    while count > 0:
        block = min(count, MAX_PACKET)
        play(stream.address, stream.decoded, block, rate)
        count -= block


@native_helper
def _play_payload(stream: Any, kind: int, payload: int, size: int) -> int:
    """Decode and queue; return the samples."""
    octets = bytes_at(payload, size)
    count = size // 2 if kind == PT_L16 else size
    out = int16_at(stream.decoded, count)
    if kind == PT_L16:
        for index in range(count):
            out[index] = np.int16(wide(octets[2 * index]) << 8 | wide(octets[2 * index + 1]))
    else:
        levels = int16_at(stream.alaw_levels if kind == PT_ALAW else stream.mulaw_levels, 256)
        for index in range(count):
            out[index] = levels[octets[index]]
    play(stream.address, stream.decoded, count, _L16_RATE if kind == PT_L16 else _G711_RATE)
    return count


@native_helper
def _silence_before(stream: Any, timestamp: int, rate: int, now: int) -> int:
    """Samples of silence that belong before a packet: what is missing, or the start of a talk spurt."""
    missing = wide(np.int32(timestamp - stream.peer_clock)) if stream.peer_rate == rate else 0
    if missing < 0 or missing > _MAX_SILENCE_MS * rate // 1000:
        missing = 0
    if _waiting(stream) > 0:
        return missing
    # The caller has heard nothing since the queue ran dry: that much of the silence is over.
    if stream.peer_rate == rate:
        missing -= min(missing, max(0, now - stream.peer_dry_at) * rate // 1_000_000)
    return max(missing, JITTER_MS * rate // 1000)


@native_helper
def _release(stream: Any, kind: int, timestamp: int, payload: int, size: int) -> None:
    """Play the packet that is next."""
    stream.peer_next += 1
    rate = _L16_RATE if kind == PT_L16 else _G711_RATE
    now = monotonic_us()
    _play_silence(stream, _silence_before(stream, timestamp, rate, now), rate)
    count = _play_payload(stream, kind, payload, size)
    stream.peer_clock, stream.peer_rate = timestamp + count & 0xFFFFFFFF, rate
    stream.peer_dry_at = now + _waiting(stream) * 1_000_000 // rate


@native_helper
def _held(stream: Any, sequence: int) -> int:
    return stream.held + HELD_BYTES * (sequence % WINDOW)


@native_helper
def _hold(stream: Any, sequence: int, kind: int, timestamp: int, payload: int, size: int) -> None:
    place = _held(stream, sequence)
    fields = int64_at(place, 5)
    fields[0], fields[1], fields[2], fields[3], fields[4] = sequence, kind, timestamp, size, 1
    copy(place + HELD_HEADER, payload, size)
    store_release(stream.address + _HELD_COUNT, stream.held_count + 1)
    wake_clock(stream.address)


@native_helper
def _release_run(stream: Any) -> None:
    """Play the packets held that are next."""
    while stream.held_count > 0:
        place = _held(stream, stream.peer_next)
        fields = int64_at(place, 5)
        if fields[4] == 0 or fields[0] != stream.peer_next:
            return
        fields[4] = 0
        store_release(stream.address + _HELD_COUNT, stream.held_count - 1)
        _release(stream, fields[1], fields[2], place + HELD_HEADER, fields[3])


@native_helper
def _give_up(stream: Any) -> None:
    """The packet that is next will not come any more."""
    stream.rtp_lost += 1
    stream.peer_next += 1
    _release_run(stream)


@native_helper
def release_held(stream: Any) -> None:
    """Wait no longer where the caller has almost nothing left to hear: on with the packets that are there."""
    while stream.held_count > 0 and _waiting(stream) < stream.play_write_rate // 50:
        _give_up(stream)


@native_helper
def release_all(stream: Any) -> None:
    """What is missing will not come any more. The connection is over: from here on nothing is held, and the memory
    that held it may go away.
    """
    while stream.held_count > 0:
        _give_up(stream)


@native_helper
def forget_packets(stream: Any) -> None:
    """A new connection: nothing is known of the peer, and our first packet begins a talk spurt."""
    stream.packet_length, stream.peer_kind, stream.frame_have, stream.frame_kind = 0, 0, 0, -1
    stream.peer_known, stream.peer_rate, stream.rtp_marker = 0, 0, 1


@native_helper
def _begin(stream: Any, source: int, sequence: int) -> None:
    """A sender is heard for the first time, or begins anew."""
    release_all(stream)
    stream.peer_known, stream.peer_source, stream.peer_restart = 1, source, -1
    # Extended by a round, so that what came before the first packet has a number too.
    stream.peer_next = sequence + 65536
    stream.peer_rate = 0
    clear(stream.heard, 8 * HEARD)


@native_helper
def place_of(stream: Any, source: int, sequence: int) -> int:
    """The extended number of a packet of the sender at hand; -1 for one that is to be dropped (RFC 3550 A.1)."""
    if stream.peer_known == 0 or stream.peer_source != source:
        _begin(stream, source, sequence)
        return stream.peer_next
    ahead = wide(np.int16(sequence - stream.peer_next))
    if -_MAX_MISORDER <= ahead < _MAX_DROPOUT:
        stream.peer_restart = -1
        return stream.peer_next + ahead
    if sequence == stream.peer_restart:
        _begin(stream, source, sequence)
        return stream.peer_next
    stream.peer_restart = sequence + 1 & 0xFFFF
    return -1


@native_helper
def _is_repeated(stream: Any, place: int) -> bool:
    heard = int64_at(stream.heard + 8 * (place % HEARD), 1)
    if heard[0] == place:
        return True
    heard[0] = max(heard[0], place)
    return False


@native_helper
def put_in_order(stream: Any, place: int, kind: int, timestamp: int, payload: int, size: int) -> None:
    """Play a packet where it belongs, hold it, or drop it."""
    repeated = place >= 0 and _is_repeated(stream, place)
    if place < 0 or repeated or place < stream.peer_next:
        if repeated:
            stream.rtp_repeated += 1
        else:
            stream.rtp_late += 1
        complain(stream)
        return
    while place - stream.peer_next >= WINDOW:
        _give_up(stream)
    if place > stream.peer_next:
        _hold(stream, place, kind, timestamp, payload, size)
        release_held(stream)
        return
    _release(stream, kind, timestamp, payload, size)
    _release_run(stream)
