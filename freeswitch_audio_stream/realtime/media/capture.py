"""From the call to the capture ring: the media-bug callbacks of the read and the write side.

Both run on FreeSWITCH's media threads, under the codec locks of a live call. The read side is the clock: it
puts one frame of every selected track into the ring per frame read. What the caller hears is collected by the
write side in a short stage; the read side takes as much from it as it read itself, and silence where there is
nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import address_of, call2, call3, int16_at, int64_at, load_acquire, store_release
from ...native.compiler import c_callback, native, native_helper
from ...native.libc import clear
from ...native.memory import CACHE_LINE
from ..records import (ATTEND_OVERRUN, ATTEND_RATE, ATTEND_READ_CLOSED, ATTEND_WRITE_CLOSED, FLOW_HELD, LAYOUT_INBOUND,
                       LAYOUT_INTERLEAVED, LAYOUT_MIXED, LAYOUT_OUTBOUND, OFFSET, PAUSED_GAP, functions_at,
                       stream_at)
from ..rings import copy_in, copy_out
from ..wakeup import attend, report_close, to_io
from .dtmf_inband import detect
from .frames import (FRAME_BUFLEN, FRAME_BYTES, FRAME_CHANNELS, FRAME_DATA, FRAME_DATA_BYTES, FRAME_DATALEN, FRAME_RATE,
                     IMPLEMENTATION_RATE, add_saturated, channels_of, silence_missing, set_word, to_mono, word)
from .resampler import convert, select

ABC_READ, ABC_WRITE, ABC_WRITE_REPLACE, ABC_CLOSE = 1, 2, 3, 8
_CAPTURE_READ, _CAPTURE_WRITE = OFFSET["capture_read"], OFFSET["capture_write"]
_CAPTURE_SENT = OFFSET["capture_sent"]
_STAGE_READ, _STAGE_WRITE = OFFSET["stage_read"], OFFSET["stage_write"]
_GAPS_READ, _GAPS_WRITE = OFFSET["gaps_read"], OFFSET["gaps_write"]
_READS_PER_CALLBACK = 32  # more would mean that the core never runs empty; the rest waits for the next frame
_SILENCE = 0


@native_helper
def _read_bug(functions: int, bug: int, frame: int, data: int) -> int:
    """One packet of a bug into `data`; 1 if there was one. Asks for real audio only (`fill` is inverted)."""
    int64_at(frame + FRAME_DATA, 1)[0] = data
    set_word(frame + FRAME_BUFLEN, FRAME_DATA_BYTES)
    status = call3(functions_at(functions).switch_core_media_bug_read, bug, frame, 1)
    return 1 if np.int32(status) == 0 else 0


@native_helper
def _behind(frame: int, data: int) -> int:
    """Where there is room for converted samples: next to the frame, so that both lie in one page as a rule."""
    return data + (word(frame + FRAME_DATALEN) + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


@native_helper
def _share(stream: Any, samples: int, rate: int) -> int:
    """Return how many samples at the wire's rate last as long as `samples` at `rate`; the remainder is carried."""
    if stream.clock_rate != rate:
        stream.clock_rate, stream.clock_remainder = rate, 0
    total = stream.clock_remainder + samples * stream.wire_rate
    stream.clock_remainder = total % rate
    return total // rate


@native_helper
def _take_stage(address: int, target: int, count: int) -> None:
    """`count` samples of what the caller hears, or silence.

    One frame is held back before the first is taken, so that a write thread that comes up to a frame late
    leaves no hole. A rest that has not grown for a frame is taken as it is. More than 200 ms can only be the
    backlog of a hold or of clocks that drift apart: the oldest goes.
    """
    stream = stream_at(address)
    written = load_acquire(address + _STAGE_WRITE)
    position = stream.stage_read
    if written - position > stream.wire_rate // 5 + count:
        position = written - stream.stage_step - count
    waiting = written - position
    stream.stage_idle = stream.stage_idle + count if written == stream.stage_seen else 0
    if stream.stage_primed == 0 and waiting > 0:
        if waiting >= count + stream.stage_step or stream.stage_idle >= stream.stage_step:
            stream.stage_primed = 1
    taken = 0
    if stream.stage_primed == 1:
        taken = min(waiting, count)
        copy_out(target, stream.stage_ring, 2 * position, 2 * taken)
        if taken < count:
            stream.stage_primed = 0
    clear(target + 2 * taken, 2 * (count - taken))
    stream.stage_seen = written
    store_release(address + _STAGE_READ, position + taken)


@native_helper
def _close_gap(stream: Any, position: int) -> None:
    """Note what is missing before sample `position`, for who tells the peer; it is read with that position."""
    if stream.gap_open == 0 or stream.gaps == 0:
        return
    if stream.gaps_write - load_acquire(stream.address + _GAPS_READ) < stream.gaps_capacity:
        gap = int64_at(stream.gaps + 16 * (stream.gaps_write % stream.gaps_capacity), 2)
        gap[0], gap[1] = position, stream.gap_open
        store_release(stream.address + _GAPS_WRITE, stream.gaps_write + 1)
        stream.gap_open = 0  # else it counts with the next


@native_helper
def _put(address: int, source: int, count: int) -> None:
    """Append `count` sample times to the capture ring, or drop and count them where they do not fit."""
    stream = stream_at(address)
    position = stream.capture_write
    taken = load_acquire(address + _CAPTURE_READ)
    used = position - taken
    if used + count > stream.capture_capacity:
        stream.dropped += count
        stream.gap_open += count
        if stream.overrun == 0:
            stream.overrun = 1
            attend(address, ATTEND_OVERRUN)
        return
    if 2 * used < stream.capture_capacity:
        stream.overrun = 0
    _close_gap(stream, position)
    width = 2 * stream.channels
    copy_in(stream.capture_ring, width * position, source, width * count, width * taken)
    stream.captured += count
    store_release(address + _CAPTURE_WRITE, position + count)
    if stream.keeps_unacknowledged:
        used = position - load_acquire(address + _CAPTURE_SENT)
    if stream.flow != FLOW_HELD and used + count >= stream.chunk:
        to_io(address)


@native_helper
def _interleave(target: int, left: int, right: int, count: int) -> None:
    out = int16_at(target, 2 * count)
    first, second = int16_at(left, count), int16_at(right, count)
    for index in range(count):
        out[2 * index] = first[index]
        out[2 * index + 1] = second[index]


@native_helper
def _emit(address: int, inbound: int, count: int) -> None:
    """Put `count` sample times of the selected tracks into the ring; `inbound`: address of the read one."""
    stream = stream_at(address)
    outbound = stream.mix_data
    if stream.layout == LAYOUT_INBOUND:
        _put(address, inbound, count)
        return
    _take_stage(address, outbound, count)
    if stream.paused:
        clear(outbound, 2 * count)
    if stream.layout == LAYOUT_OUTBOUND:
        _put(address, outbound, count)
    elif stream.layout == LAYOUT_MIXED:
        add_saturated(outbound, inbound, count)
        _put(address, outbound, count)
    elif stream.layout == LAYOUT_INTERLEAVED:
        both = outbound + 2 * count
        _interleave(both, inbound, outbound, count)
        _put(address, both, count)


@native_helper
def _on_read(address: int, bug: int) -> None:
    stream = stream_at(address)
    frame, data = stream.read_frame, stream.read_data
    for _ in range(_READS_PER_CALLBACK):
        if not _read_bug(stream.functions, bug, frame, data):
            break
        rate, channels = word(frame + FRAME_RATE), max(1, word(frame + FRAME_CHANNELS))
        samples = word(frame + FRAME_DATALEN) // (2 * channels)
        if rate == 0 or samples == 0:
            continue
        if stream.paused == PAUSED_GAP:
            stream.gap_open += samples * stream.wire_rate // rate
            continue
        stream.captured_frames += 1
        to_mono(data, samples, channels)
        if stream.paused:
            clear(data, 2 * samples)
        else:
            silence_missing(data, samples)
        if stream.inband_dtmf:
            detect(stream.dtmf, rate, data, samples, stream.digits, stream.session)
        if stream.layout == LAYOUT_OUTBOUND:
            _emit(address, data, _share(stream, samples, rate))
            continue
        converted = _behind(frame, data)
        if select(stream.read_resampler, stream.tables, rate, stream.wire_rate):
            count = convert(stream.read_resampler, data, samples, converted)
        else:
            attend(address, ATTEND_RATE)
            count = _share(stream, samples, rate)
            clear(converted, 2 * count)
        _emit(address, converted, count)


@native_helper
def _on_write(address: int, bug: int) -> None:
    stream = stream_at(address)
    frame, data = stream.write_frame, stream.write_data
    implementation = frame + FRAME_BYTES
    for _ in range(_READS_PER_CALLBACK):
        if not _read_bug(stream.functions, bug, frame, data):
            break
        call2(functions_at(stream.functions).switch_core_session_get_write_impl,
              stream.session, implementation)
        rate, channels = word(implementation + IMPLEMENTATION_RATE), channels_of(implementation)
        samples = word(frame + FRAME_DATALEN) // (2 * channels)
        if stream.paused or rate == 0 or samples == 0:
            continue
        to_mono(data, samples, channels)
        silence_missing(data, samples)
        if not select(stream.write_resampler, stream.tables, rate, stream.wire_rate):
            attend(address, ATTEND_RATE)
            continue
        converted = _behind(frame, data)
        count = convert(stream.write_resampler, data, samples, converted)
        position, taken = stream.stage_write, load_acquire(address + _STAGE_READ)
        if position + count - taken > stream.stage_capacity:
            stream.stage_dropped += count
            continue
        copy_in(stream.stage_ring, 2 * position, converted, 2 * count, 2 * taken)
        stream.stage_step = count
        store_release(address + _STAGE_WRITE, position + count)


@c_callback("int32(voidptr, voidptr, int32)")
def capture_read(bug: Any, user: Any, kind: int) -> int:
    """The callback of the READ_STREAM bug; `user` is the STREAM record."""
    if kind == ABC_READ:
        _on_read(address_of(user), address_of(bug))
    elif kind == ABC_CLOSE:
        report_close(address_of(user), ATTEND_READ_CLOSED)
    return 1


@c_callback("int32(voidptr, voidptr, int32)")
def capture_write(bug: Any, user: Any, kind: int) -> int:
    """The callback of the WRITE_STREAM bug; `user` is the STREAM record."""
    if kind == ABC_WRITE:
        _on_write(address_of(user), address_of(bug))
    elif kind == ABC_CLOSE:
        report_close(address_of(user), ATTEND_WRITE_CLOSED)
    return 1


@native("void(int64, int64, int64)")
def put_samples(address: int, source: int, count: int) -> None:
    """Append `count` sample times of int16 to the capture ring. Only where no media thread does."""
    _put(address, source, count)
