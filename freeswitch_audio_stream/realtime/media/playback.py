"""From the server to the caller: the playback queue, its side list, and the WRITE_REPLACE callback.

Samples wait at the rate at which they came; the side list says where that rate changes and where marks stand,
so a codec that changes during the call is met by the resampler at the moment of playing. Bursts play in the
order in which they came, without gaps; the tail shorter than a frame plays too, followed by what the filter
still holds.
"""

from __future__ import annotations

from typing import Any

from ...native.atomics import address_of, call1, call2, exchange, fence, int16_at, int64_at, load_acquire, store_release
from ...native.compiler import c_callback, native, native_helper
from ...native.libc import clear, monotonic_us, pthread_self, sched_yield
from ..records import (ATTEND_MARK, ATTEND_PLAYBACK_FULL, ATTEND_PLAYBACK_IDLE, ATTEND_PLAYBACK_LEVEL,
                       ATTEND_PLAYBACK_OVERRUN, ATTEND_PLAYBACK_STARTED, ATTEND_RATE, ATTEND_REPLACE_CLOSED,
                       MARK_CLEARED, MARK_NAMED, MARK_PENDING, MARK_PLAYED, MARK_RATE, MARK_WORDS, OFFSET,
                       RESAMPLER_BLOCK, functions_at, resampler_at, stream_at)
from ..rings import copy_in, copy_out
from ..wakeup import attend, report_close, to_clock, to_io
from .capture import ABC_CLOSE, ABC_WRITE_REPLACE
from .catching_up import catch_up
from .frames import (FRAME_DATALEN, IMPLEMENTATION_BYTES, IMPLEMENTATION_RATE, add_saturated, channels_of, frame_data,
                     word)
from .resampler import convert_exact, inputs_for, outputs_for, select

_PLAY_READ, _PLAY_WRITE, _PLAY_LOCK = OFFSET["play_read"], OFFSET["play_write"], OFFSET["play_lock"]
_MARKS_READ, _MARKS_WRITE, _CLEAR_COUNT = OFFSET["marks_read"], OFFSET["marks_write"], OFFSET["clear_count"]
_MARKS_TAKEN, _CLEAR_TO = OFFSET["marks_taken"], OFFSET["clear_to"]
_PLAY_PAUSED, _WAITING_INBOX, _HELD_COUNT = OFFSET["play_paused"], OFFSET["waiting_inbox"], OFFSET["held_count"]
_RESUME_PART = 8  # of a full queue is played before more is read
_CLOCK_ON = OFFSET["clock_on"]
_PLAY_HIGHS, _PLAY_LOWS = OFFSET["play_highs"], OFFSET["play_lows"]
_MAX_FRAME = 8192  # samples: a frame of FreeSWITCH carries at most 8192 bytes
# Within play_scratch: the implementation, one block of input, rendered samples.
INPUT_OFFSET = IMPLEMENTATION_BYTES + 16
RENDER_OFFSET = INPUT_OFFSET + 2 * RESAMPLER_BLOCK


@native_helper
def _mark_at(stream: Any, index: int) -> Any:
    return int64_at(stream.marks + 8 * MARK_WORDS * (index % stream.marks_capacity), MARK_WORDS)


@native_helper
def _finish_marks(address: int, upto: int, limit: int, status: int) -> None:
    """Settle the entries before index `limit` that stand at or before sample `upto`."""
    stream = stream_at(address)
    index = stream.marks_read
    settled = 0
    while index < limit:
        mark = _mark_at(stream, index)
        if mark[0] > upto:
            break
        if mark[1] == MARK_RATE:
            stream.play_rate = mark[2]
        settled = 1
        mark[3], mark[4] = status, stream.play_read - stream.play_flush
        index += 1
    store_release(address + _MARKS_READ, index)
    if settled:
        attend(address, ATTEND_MARK)


@native_helper
def _obey_clear(address: int) -> None:
    """Throw away what `media.clear` asked to; what came after it stays."""
    stream = stream_at(address)
    count = load_acquire(address + _CLEAR_COUNT)
    if count == stream.clears_seen:
        return
    stream.clears_seen = count
    # The position first: if it is that of a later clear, so are the marks, and no mark survives its audio.
    upto = load_acquire(address + _CLEAR_TO)
    _finish_marks(address, upto, stream.clear_marks, MARK_CLEARED)
    if upto > stream.play_read:
        stream.cleared += upto - stream.play_read
        stream.play_flush = 0
        resampler_at(stream.play_resampler).from_rate = 0
        store_release(address + _PLAY_READ, upto)


@native_helper
def _segment_end(stream: Any, written: int, marks: int) -> int:
    """The sample at which the rate changes next, or the end of the queue."""
    for index in range(stream.marks_read, marks):
        mark = _mark_at(stream, index)
        if mark[1] == MARK_RATE:
            return min(written, mark[0])
    return written


@native_helper
def _play_some(address: int, target: int, wanted: int, rate: int, end: int) -> int:
    """Render at most one block of the segment up to `end`; return the samples rendered, −1 if it is over."""
    stream = stream_at(address)
    resampler = stream.play_resampler
    if stream.play_rate == 0:
        return -1  # nothing has been queued yet
    if not select(resampler, stream.tables, stream.play_rate, rate):
        attend(address, ATTEND_RATE)
        return -1
    position = stream.play_read
    needed = min(inputs_for(resampler, wanted), RESAMPLER_BLOCK)
    taken = min(needed, end - position)
    padding = min(needed - taken, stream.play_flush)
    inputs = taken + padding
    if inputs == 0 and needed > 0:
        return -1
    block = stream.play_scratch + INPUT_OFFSET
    copy_out(block, stream.play_ring, 2 * position, 2 * taken)
    clear(block + 2 * taken, 2 * padding)
    outputs = min(wanted, outputs_for(resampler, inputs))
    convert_exact(resampler, block, inputs, target, outputs)
    if taken > 0:
        stream.play_flush = resampler_at(resampler).taps // 2
    stream.play_flush -= padding
    stream.played += taken
    store_release(address + _PLAY_READ, position + taken)
    return outputs


@native_helper
def _render(address: int, target: int, wanted: int, rate: int) -> int:
    """Fill `target` with up to `wanted` samples at `rate` (Hz); return how many. Settles marks underway."""
    stream = stream_at(address)
    done = 0
    while done < wanted:
        # The position first: it publishes the entries that belong to the samples before it.
        written = load_acquire(address + _PLAY_WRITE)
        marks = load_acquire(address + _MARKS_WRITE)
        _finish_marks(address, stream.play_read - stream.play_flush, marks, MARK_PLAYED)
        end = _segment_end(stream, written, marks)
        rendered = _play_some(address, target + 2 * done, wanted - done, rate, end)
        if rendered >= 0:
            done += rendered
            continue
        stream.play_flush = 0
        _finish_marks(address, stream.play_read, marks, MARK_PLAYED)
        if (stream.play_read == written
                or not select(stream.play_resampler, stream.tables, stream.play_rate, rate)):
            break
    marks = load_acquire(address + _MARKS_WRITE)
    _finish_marks(address, stream.play_read - stream.play_flush, marks, MARK_PLAYED)
    return done


@native_helper
def _catch_up(address: int, ms: int) -> None:
    stream = stream_at(address)
    written = load_acquire(address + _PLAY_WRITE)
    end = _segment_end(stream, written, load_acquire(address + _MARKS_WRITE))
    catch_up(address, written - stream.play_read, end, ms, stream.play_scratch + INPUT_OFFSET)


@native_helper
def _is_empty(address: int) -> int:
    """1 while nothing is queued: no samples, no filter's tail, no marks, no packet that waits for another."""
    if load_acquire(address + _HELD_COUNT) != 0:
        return 0
    if load_acquire(address + _PLAY_WRITE) != load_acquire(address + _PLAY_READ):
        return 0
    if stream_at(address).play_flush > 0:
        return 0
    return 1 if load_acquire(address + _MARKS_WRITE) == load_acquire(address + _MARKS_READ) else 0


@native_helper
def has_work(address: int) -> int:
    """1 while a write frame would change something: a clear waits, or what is queued may be played."""
    if load_acquire(address + _CLEAR_COUNT) != stream_at(address).clears_seen:
        return 1
    return 0 if load_acquire(address + _PLAY_PAUSED) or _is_empty(address) else 1


@native_helper
def _mix_into(address: int, frame: int) -> None:
    """Play the next part of the queue into a write frame of the call."""
    stream = stream_at(address)
    implementation = stream.play_scratch
    call2(functions_at(stream.functions).switch_core_session_get_write_impl, stream.session, implementation)
    rate, channels = word(implementation + IMPLEMENTATION_RATE), channels_of(implementation)
    samples = min(_MAX_FRAME, word(frame + FRAME_DATALEN) // (2 * channels))
    if rate == 0 or samples == 0:
        return
    _obey_clear(address)
    rendered = stream.play_scratch + RENDER_OFFSET
    count = 0
    if load_acquire(address + _PLAY_PAUSED) == 0:
        if stream.catch_up > 0:
            _catch_up(address, 1000 * samples // rate)
        count = _render(address, rendered, samples, rate)
    if count > 0 and stream.play_active == 0:
        stream.play_active = 1
        attend(address, ATTEND_PLAYBACK_STARTED)
    if channels > 1:
        _spread(rendered, count, channels)
    add_saturated(frame_data(frame), rendered, count * channels)
    _call_for_more(address)
    if stream.play_high > 0:
        _notice_low(address)
    if stream.play_active == 1 and _is_empty(address):
        stream.play_active = 0
        attend(address, ATTEND_PLAYBACK_IDLE)


@native_helper
def _waiting_ms(stream: Any) -> int:
    waiting = load_acquire(stream.address + _PLAY_WRITE) - load_acquire(stream.address + _PLAY_READ)
    return 1000 * waiting // max(1, stream.play_write_rate)


@native_helper
def _notice_high(address: int) -> None:
    """Tell once that the queue holds `play_high` ms; by whoever fills it."""
    stream = stream_at(address)
    if load_acquire(address + _PLAY_LOWS) == stream.play_highs and _waiting_ms(stream) >= stream.play_high:
        store_release(address + _PLAY_HIGHS, stream.play_highs + 1)
        attend(address, ATTEND_PLAYBACK_LEVEL)


@native_helper
def _notice_low(address: int) -> None:
    """Tell once that it holds less than `play_low` again; by whoever plays it."""
    stream = stream_at(address)
    highs = load_acquire(address + _PLAY_HIGHS)
    if highs != stream.play_lows and _waiting_ms(stream) < stream.play_low:
        store_release(address + _PLAY_LOWS, highs)
        attend(address, ATTEND_PLAYBACK_LEVEL)


@native_helper
def _call_for_more(address: int) -> None:
    """Wake an I/O loop that waits for room in the queue, or has a packet that can wait no longer."""
    stream = stream_at(address)
    if stream.patient == 0:
        return
    # Our position first, then what the loop waits for; the loop does it the other way round.
    fence()
    waiting = load_acquire(address + _PLAY_WRITE) - load_acquire(address + _PLAY_READ)
    limit = stream.play_seconds * stream.play_write_rate
    if load_acquire(address + _WAITING_INBOX) and waiting <= limit - limit // _RESUME_PART:
        to_io(address)
    elif load_acquire(address + _HELD_COUNT) and waiting < stream.play_write_rate // 50:
        to_io(address)


@native_helper
def is_full(stream: Any) -> bool:
    """Whether a patient stream's queue holds what it may: no more is read from the peer until it has run down."""
    waiting = stream.play_write - load_acquire(stream.address + _PLAY_READ)
    return stream.patient and waiting >= stream.play_seconds * stream.play_write_rate > 0


@native_helper
def _spread(samples: int, count: int, channels: int) -> None:
    """Repeat each mono sample for every channel, in place, from the end."""
    data = int16_at(samples, count * channels)
    for index in range(count - 1, -1, -1):
        for channel in range(channels):
            data[index * channels + channel] = data[index]


@native_helper
def _on_write_replace(address: int, bug: int) -> None:
    stream = stream_at(address)
    functions = functions_at(stream.functions)
    frame = call1(functions.switch_core_media_bug_get_write_replace_frame, bug)
    if frame == 0:
        return
    stream.last_write = monotonic_us()
    if pthread_self() != stream.clock_thread:
        stream.last_foreign_write = stream.last_write
    if has_work(address):
        _mix_into(address, frame)
        call2(functions.switch_core_media_bug_set_write_replace_frame, bug, frame)


@c_callback("int32(voidptr, voidptr, int32)")
def playback_replace(bug: Any, user: Any, kind: int) -> int:
    """The callback of the WRITE_REPLACE bug; `user` is the STREAM record."""
    if kind == ABC_WRITE_REPLACE:
        _on_write_replace(address_of(user), address_of(bug))
    elif kind == ABC_CLOSE:
        report_close(address_of(user), ATTEND_REPLACE_CLOSED)
    return 1


@native_helper
def _lock(address: int) -> None:
    """Between the two that may fill the queue, never the media thread; held for one copy."""
    while exchange(address + _PLAY_LOCK, 1) != 0:
        sched_yield()


@native_helper
def _unlock(address: int) -> None:
    store_release(address + _PLAY_LOCK, 0)


@native_helper
def wake_clock(address: int) -> None:
    """There is something to play, or to wait for until the next frame."""
    if stream_at(address).has_playback:
        # A clock that serves the stream looks at it before each frame, and once more after it has said that it stops.
        fence()
        if load_acquire(address + _CLOCK_ON) == 0:
            to_clock(address)


@native_helper
def _append_mark(address: int, kind: int, value: int, position: int) -> int:
    stream = stream_at(address)
    index = stream.marks_write
    if index - load_acquire(address + _MARKS_TAKEN) >= stream.marks_capacity:
        return 0
    if index > 0:
        position = max(position, _mark_at(stream, index - 1)[0])  # they are settled in order
    mark = _mark_at(stream, index)
    mark[0], mark[1], mark[2], mark[3], mark[4] = position, kind, value, MARK_PENDING, 0
    store_release(address + _MARKS_WRITE, index + 1)
    return 1


@native_helper
def _append_samples(address: int, source: int, count: int, rate: int) -> int:
    stream = stream_at(address)
    position = stream.play_write
    taken = load_acquire(address + _PLAY_READ)
    waiting = position - taken
    if waiting == 0:
        stream.play_overrun = 0
    limit = stream.play_capacity if stream.patient else min(stream.play_capacity, stream.play_seconds * rate)
    accepted = min(count, max(0, limit - waiting))
    if accepted > 0 and stream.play_write_rate != rate:
        if _append_mark(address, MARK_RATE, rate, position):
            stream.play_write_rate = rate
        else:
            accepted = 0
    copy_in(stream.play_ring, 2 * position, source, 2 * accepted, 2 * taken)
    store_release(address + _PLAY_WRITE, position + accepted)
    return accepted


@native("int64(int64, int64, int64, int64)")
def play(address: int, source: int, count: int, rate: int) -> int:
    """Queue `count` int16 samples at `rate` (Hz, of TABLE_RATES); return how many fitted. Any thread but
    media.

    What does not fit is dropped and counted: one ATTEND_PLAYBACK_OVERRUN until the queue has been empty
    again. A patient stream takes more than it may hold, so that nothing of what has been read already is lost:
    one ATTEND_PLAYBACK_FULL, and the I/O loop reads no more.
    """
    _lock(address)
    accepted = _append_samples(address, source, count, rate)
    stream = stream_at(address)
    if accepted < count:
        stream.play_dropped += count - accepted
        if stream.play_overrun == 0:
            stream.play_overrun = 1
            attend(address, ATTEND_PLAYBACK_OVERRUN)
    elif stream.play_overrun == 0 and is_full(stream):
        stream.play_overrun = 1
        attend(address, ATTEND_PLAYBACK_FULL)
    if stream.play_high > 0:
        _notice_high(address)
    _unlock(address)
    wake_clock(address)
    return accepted


@native_helper
def _position(stream: Any, asked: int) -> int:
    """An earlier end of the queue; the present one where −1 is asked for."""
    return stream.play_write if asked < 0 else min(asked, stream.play_write)


@native("int64(int64, int64, int64)")
def mark(address: int, value: int, position: int) -> int:
    """Put a mark behind what was queued when the queue ended at `position` (−1: now), and behind earlier marks; 0 if
    too many wait. Any thread but media.
    """
    _lock(address)
    done = _append_mark(address, MARK_NAMED, value, _position(stream_at(address), position))
    _unlock(address)
    wake_clock(address)
    return done


@native("int64(int64, int64)")
def clear_playback(address: int, position: int) -> int:
    """Throw away what was queued when the queue ended at `position` (−1: now), marks included, with the next frame;
    return the position up to which. Any thread but media.
    """
    _lock(address)
    stream = stream_at(address)
    stream.clear_marks = stream.marks_write
    position = max(_position(stream, position), stream.clear_to)  # an earlier clear may not have been obeyed yet
    store_release(address + _CLEAR_TO, position)
    store_release(address + _CLEAR_COUNT, stream.clear_count + 1)
    _unlock(address)
    wake_clock(address)
    return position


@native("void(int64, int64)")
def pause_playback(address: int, paused: int) -> None:
    """Hold back what is queued, from the next frame on, or let it play on. Any thread but media."""
    store_release(address + _PLAY_PAUSED, paused)
    wake_clock(address)
