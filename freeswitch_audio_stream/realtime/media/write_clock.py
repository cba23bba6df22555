"""The write clock: silence frames for a leg that nothing else writes to.

A parked leg writes no frames, so there would be nothing for the playback callback to replace. While a stream
has something to play and no foreign frame has been seen for a while, this loop writes a silence frame per
ptime, in which the leg's own playback callback then plays. It steps aside as soon as somebody else writes,
and sleeps when no stream has anything to play. It runs on a thread of its own that never holds the GIL; a
session is written to only while its read lock is held, which Python gives up no earlier than
ATTEND_CLOCK_OFF.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import call1, call2, call3, call4, fence, int64_at, load_acquire, store_release
from ...native.compiler import native, native_helper
from ...native.libc import clear, drain_event_fd, monotonic_us, pthread_self, sleep_on
from ..records import (ATTEND_CLOCK_OFF, ATTEND_WRITE_CODEC, CLOCK_LOOP, MAX_STREAMS, OFFSET, STREAM, clock_loop_at,
                       functions_at, queue_at, stream_at)
from ..wakeup import announce_sleep, attend, awake, pop
from .frames import (CODEC_MUTEX, FRAME_BUFLEN, FRAME_BYTES, FRAME_CHANNELS, FRAME_CODEC, FRAME_DATA, FRAME_DATALEN,
                     FRAME_RATE, FRAME_SAMPLES, IMPLEMENTATION_DECODED_BYTES, IMPLEMENTATION_ID,
                     IMPLEMENTATION_MICROSECONDS, IMPLEMENTATION_RATE, channels_of, set_word, word)
from .playback import has_work

_CLOCK_QUEUED, _CLOCK_ON, _CLOCK_STOP = OFFSET["clock_queued"], OFFSET["clock_on"], OFFSET["clock_stop"]
_STOP, _THREAD = (int(CLOCK_LOOP.fields[name][1]) for name in ("stop", "thread"))  # type: ignore[index]
_STREAM_BYTES = STREAM.itemsize
_CS_HANGUP = 10
_OFF = -1
_GRID_US = 2000
_GATE_US = 60_000       # a foreign writer that pauses for less, or for two frames, is still writing
_NOT_READY_US = 100_000
FRAME_DATA_OFFSET = 512  # within clock_frame: the frame, a codec implementation behind it, then the silence


@native_helper
def _prepare_frame(stream: Any, implementation: int) -> None:
    frame = stream.clock_frame
    channels = channels_of(implementation)
    size = min(word(implementation + IMPLEMENTATION_DECODED_BYTES), 8192)
    clear(frame, FRAME_BYTES)
    data = frame + FRAME_DATA_OFFSET
    clear(data, size)
    int64_at(frame + FRAME_CODEC, 1)[0] = stream.clock_codec
    int64_at(frame + FRAME_DATA, 1)[0] = data
    set_word(frame + FRAME_DATALEN, size)
    set_word(frame + FRAME_BUFLEN, size)
    set_word(frame + FRAME_SAMPLES, size // (2 * channels))
    set_word(frame + FRAME_RATE, word(implementation + IMPLEMENTATION_RATE))
    set_word(frame + FRAME_CHANNELS, channels)


@native_helper
def _is_ready(stream: Any) -> int:
    functions = functions_at(stream.functions)
    if np.int32(call1(functions.switch_channel_get_state, stream.channel)) >= _CS_HANGUP:
        return 0
    return 1 if np.int32(call3(functions.switch_channel_test_ready, stream.channel, 1, 1)) != 0 else 0


@native_helper
def _free_codec(stream: Any) -> None:
    """Unlock our codec where the core forgot it.

    On a leg that itself speaks L16 the core puts the leg's codec into our frame while it holds the lock of
    ours, and then unlocks the one it finds there: ours would stay locked by this thread for ever.
    """
    if int64_at(stream.clock_frame + FRAME_CODEC, 1)[0] != stream.clock_codec:
        mutex = int64_at(stream.clock_codec + CODEC_MUTEX, 1)[0]
        call1(functions_at(stream.functions).switch_mutex_unlock, mutex)


@native_helper
def _on_grid(time: int) -> int:
    """The next of the moments (µs) that all streams of a clock share, so that one wake-up serves several of them.

    Packet times are multiples of the grid, so a stream that is on it stays there: its frames come evenly.
    """
    return (time + _GRID_US - 1) // _GRID_US * _GRID_US


@native_helper
def _packet_time(stream: Any) -> int:
    """Microseconds of a frame that the leg writes; leaves its codec implementation behind clock_frame."""
    implementation = stream.clock_frame + FRAME_BYTES
    call2(functions_at(stream.functions).switch_core_session_get_write_impl, stream.session, implementation)
    return max(10_000, word(implementation + IMPLEMENTATION_MICROSECONDS))


@native_helper
def _write_silence(address: int, now: int, ptime: int) -> int:
    """Write one frame; return when the next is due."""
    stream = stream_at(address)
    functions = functions_at(stream.functions)
    if not _is_ready(stream):
        return now + _NOT_READY_US
    implementation = stream.clock_frame + FRAME_BYTES
    if stream.clock_codec == 0 or word(implementation + IMPLEMENTATION_ID) != stream.clock_impl:
        attend(address, ATTEND_WRITE_CODEC)
        return now + 20_000
    _prepare_frame(stream, implementation)
    call4(functions.switch_core_session_write_frame, stream.session, stream.clock_frame, 0, 0)
    _free_codec(stream)
    stream.clock_written = monotonic_us()
    due = stream.clock_due + ptime
    return due if now - due < 5 * ptime else _on_grid(now + ptime)


@native_helper
def _tick(address: int, now: int) -> int:
    """Serve one stream; return when it wants to be served again, or _OFF."""
    stream = stream_at(address)
    if load_acquire(address + _CLOCK_STOP) == 1:
        return _OFF
    if has_work(address) == 0:
        return _OFF
    if now < stream.clock_due:
        return stream.clock_due
    ptime = _packet_time(stream)
    gate = max(_GATE_US, 5 * ptime // 2)
    if now - stream.last_foreign_write < gate:
        stream.clock_due = _on_grid(stream.last_foreign_write + gate)
    elif stream.last_write > stream.clock_written and now - stream.last_write < 3 * ptime // 2:
        # Another stream's clock writes to this leg; its frames carry our playback too.
        stream.clock_due = _on_grid(stream.last_write + 3 * ptime // 2)
    else:
        stream.clock_due = _write_silence(address, now, ptime)
    return stream.clock_due


@native_helper
def _switch_off(address: int) -> int:
    """Stop serving a stream; 0 if something to play came in at the last moment."""
    store_release(address + _CLOCK_ON, 0)
    fence()
    if load_acquire(address + _CLOCK_STOP) == 1:
        attend(address, ATTEND_CLOCK_OFF)
        return 1
    if has_work(address) == 0:
        return 1
    store_release(address + _CLOCK_ON, 1)
    return 0


@native_helper
def _admit(loop: int) -> None:
    """Begin to serve the streams that were pushed."""
    record = clock_loop_at(loop)
    active = int64_at(record.active, MAX_STREAMS)
    while True:
        index = pop(record.queue)
        if index < 0:
            return
        address = record.streams + index * _STREAM_BYTES
        store_release(address + _CLOCK_QUEUED, 0)
        fence()
        stream = stream_at(address)
        if stream.clock_on == 1:
            continue
        if load_acquire(address + _CLOCK_STOP) == 1:
            attend(address, ATTEND_CLOCK_OFF)
            continue
        stream.clock_due = _on_grid(monotonic_us())
        store_release(address + _CLOCK_ON, 1)
        active[record.active_count] = index
        record.active_count += 1


@native_helper
def _serve(loop: int) -> int:
    """Serve every active stream once; return the time (µs) of the next, or -1 if there is none."""
    record = clock_loop_at(loop)
    active = int64_at(record.active, MAX_STREAMS)
    nearest = _OFF
    position = 0
    while position < record.active_count:
        address = record.streams + active[position] * _STREAM_BYTES
        due = _tick(address, monotonic_us())
        if due == _OFF:
            if _switch_off(address):
                record.active_count -= 1
                active[position] = active[record.active_count]
                continue
            due = monotonic_us()
        if nearest == _OFF or due < nearest:
            nearest = due
        position += 1
    return nearest


@native("void(int64)")
def run_write_clock(loop: int) -> None:
    """Serve until ``stop``; the calling thread gives up the GIL for all of it."""
    record = clock_loop_at(loop)
    store_release(loop + _THREAD, pthread_self())
    event_fd = queue_at(record.queue).event_fd
    while load_acquire(loop + _STOP) == 0:
        _admit(loop)
        due = _serve(loop)
        if not announce_sleep(record.queue):
            continue
        timeout = -1 if due == _OFF else max(0, due - monotonic_us())
        if load_acquire(loop + _STOP) == 0 and sleep_on(event_fd, timeout):
            drain_event_fd(event_fd)
        awake(record.queue)
