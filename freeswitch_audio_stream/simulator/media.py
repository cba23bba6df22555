"""The media path, compiled: what happens to a call's audio in each packet time, on the call's own thread.

Nothing here needs the GIL, so a call keeps its pace whatever Python does. The locks around a callback are
those of FreeSWITCH: reading holds the read mutex, the bug list's read lock and the bug's read mutex;
writing holds the write mutex and the bug list's read lock.
"""

from __future__ import annotations

from ..native.atomics import bytes_at, int16_at, int64_at, wide
from ..native.compiler import c_callback, native, native_helper
from ..native.libc import clear, copy
from ..switch.constants import BugEvent, BugFlag, ChannelState, FrameFlag
from .buffers import append, record, take, through
from .bugs import FALSE, PRUNE, READ_STREAM, SUCCESS, WRITE_STREAM, call_back, is_listening, prune
from .locks import lock, now_ns, read_lock, rw_unlock, sleep_until, try_lock, unlock
from .records import (ALIVE, APP_BRIDGE, APP_ECHO, APP_PARK, APP_PLAYBACK, FRAME_BYTES, IMPLEMENTATION_BYTES,
                      PACKET_BYTES, buffer_at, bug_at, codec_at, frame_at, implementation_at, session_at)

WRITE_REPLACE = int(BugFlag.WRITE_REPLACE)
ON_READ, ON_WRITE, ON_WRITE_REPLACE = int(BugEvent.READ), int(BugEvent.WRITE), int(BugEvent.WRITE_REPLACE)
EXECUTE, HANGUP = int(ChannelState.EXECUTE), int(ChannelState.HANGUP)
CNG = int(FrameFlag.CNG)
LETTER_L = ord("L")

ENDED, INTERRUPTED = range(2)
"""Why `run` returns: the call is over, or its thread has something to do in Python."""


@native_helper
def _is_ready(session: int, check_ready: int, check_media: int) -> int:
    s = session_at(session)
    if check_media and not ((s.answered or s.early_media) and not s.bypassed and s.read_impl and s.write_impl):
        return 0
    if not check_ready:
        return 1 if check_media else 0
    return 1 if EXECUTE <= s.state < HANGUP and not s.moving else 0


@c_callback("int32(int64, int32, int32)")
def test_ready(channel: int, check_ready: int, check_media: int) -> int:
    """``switch_channel_test_ready``"""
    return _is_ready(int64_at(channel, 1)[0], check_ready, check_media)


@c_callback("int32(int64)")
def get_state(channel: int) -> int:
    """``switch_channel_get_state``"""
    return session_at(int64_at(channel, 1)[0]).state  # type: ignore[no-any-return]


@c_callback("int32(int64)")
def get_cause(channel: int) -> int:
    """``switch_channel_get_cause``"""
    return session_at(int64_at(channel, 1)[0]).cause  # type: ignore[no-any-return]


@native_helper
def _copy_implementation(implementation: int, out: int) -> int:
    if not implementation:
        clear(out, IMPLEMENTATION_BYTES)
        implementation_at(out).number_of_channels = 1
        return FALSE
    copy(out, implementation, IMPLEMENTATION_BYTES)
    return SUCCESS


@c_callback("int32(int64, int64)")
def get_read_impl(session: int, out: int) -> int:
    """``switch_core_session_get_read_impl``"""
    return _copy_implementation(session_at(session).read_impl, out)


@c_callback("int32(int64, int64)")
def get_write_impl(session: int, out: int) -> int:
    """``switch_core_session_get_write_impl``"""
    return _copy_implementation(session_at(session).write_impl, out)


# Reading: from the caller to the bugs

@native_helper
def _hear_caller(session: int, count: int) -> bool:
    """Put the caller's next `count` values into the read frame; False when the caller sends comfort noise."""
    s = session_at(session)
    left = max(0, min(count, s.speech_length - s.speech_position))
    if left == 0 and s.speech_ends_in_cng:
        s.cng_frames += 1
        return False
    copy(s.read_data, s.speech + 2 * s.speech_position, 2 * left)
    clear(s.read_data + 2 * left, 2 * (count - left))
    s.speech_position += left
    through(s.read_table, s.read_data, count)
    record(s.spoken, s.read_data, count, now_ns(s.read_clock))
    return True


@native_helper
def _offer_read(session: int, data: int, count: int) -> None:
    s = session_at(session)
    refused = False
    read_lock(s.bug_lock)
    bug = s.bugs
    while bug:
        b = bug_at(bug)
        if is_listening(session, bug, True):
            if b.flags & PRUNE:
                refused = True
            elif b.ready and b.flags & READ_STREAM:
                lock(b.read_mutex)
                append(b.read_buffer, data, count)
                if call_back(bug, ON_READ) == 0:
                    b.flags |= PRUNE
                    refused = True
                unlock(b.read_mutex)
        bug = b.next
    rw_unlock(s.bug_lock)
    if refused:
        prune(session)


@native_helper
def _read_frame(session: int) -> int:
    """``switch_core_session_read_frame``, less the wait: bytes of audio in the read frame, 0 for none."""
    s = session_at(session)
    if s.held:
        return 0
    lock(s.read_mutex)
    impl = implementation_at(s.read_impl)
    packet = wide(impl.decoded_bytes_per_packet)
    audible = _hear_caller(session, packet // 2)
    if not audible and not s.bugs and not (s.partner and session_at(s.partner).bugs):
        unlock(s.read_mutex)
        return 0
    if not audible:
        # A bug on either leg has the core make audio of comfort noise: bytes of 0xFF.
        bytes_at(s.read_data, packet)[:] = 0xFF
    if s.bugs:
        _offer_read(session, s.read_data, packet)
    f = frame_at(s.read_frame)
    f.codec, f.data, f.datalen, f.buflen = s.read_codec, s.read_data, packet, packet
    f.rate, f.channels, f.flags = impl.actual_samples_per_second, impl.number_of_channels, 0
    unlock(s.read_mutex)
    return packet


# Writing: to the caller, past the bugs

@native_helper
def _convert(source: int, count: int, rate: int, channels: int,
             target: int, to_rate: int, to_channels: int) -> int:
    """Interpolate and mix `count` values to another rate and number of channels; return how many came out.
    """
    length = count // channels
    out_length = length * to_rate // rate
    given, made = int16_at(source, count), int16_at(target, out_length * to_channels)
    for i in range(out_length):
        at = i * rate
        first = at // to_rate
        second = min(first + 1, length - 1)
        weight = at - first * to_rate
        for channel in range(to_channels):
            c = min(channel, channels - 1)
            value = wide(given[first * channels + c]) * (to_rate - weight)
            value += wide(given[second * channels + c]) * weight
            made[i * to_channels + channel] = value // to_rate
    return out_length * to_channels


@native_helper
def _linear(session: int, frame: int) -> int:
    """The frame that is offered to the bugs: the writer's own when it is linear at the call's rate, else a
    copy.
    """
    s, f = session_at(session), frame_at(frame)
    codec = implementation_at(codec_at(wide(f.codec)).implementation)
    impl = implementation_at(s.write_impl)
    same = (codec.actual_samples_per_second == impl.actual_samples_per_second
            and codec.number_of_channels == impl.number_of_channels)
    if same and bytes_at(codec.iananame, 1)[0] == LETTER_L:
        return frame
    count = _convert(wide(f.data), wide(f.datalen) // 2, wide(codec.actual_samples_per_second),
                     wide(codec.number_of_channels), s.write_data,
                     wide(impl.actual_samples_per_second), wide(impl.number_of_channels))
    copy(s.write_frame, frame, FRAME_BYTES)
    w = frame_at(s.write_frame)
    w.codec, w.data, w.datalen, w.buflen = s.write_codec, s.write_data, 2 * count, 2 * count
    w.rate, w.channels, w.flags = impl.actual_samples_per_second, impl.number_of_channels, 0
    w.samples = count // max(1, impl.number_of_channels)
    return s.write_frame  # type: ignore[no-any-return]


@native_helper
def _offer_write(session: int, frame: int) -> int:
    """Show the frame to each bug in turn; return the frame that the last of them left in its place."""
    s = session_at(session)
    refused = False
    read_lock(s.bug_lock)
    bug = s.bugs
    while bug:
        b = bug_at(bug)
        if b.ready and is_listening(session, bug, False):
            if b.flags & PRUNE:
                refused = True
            else:
                answer = 1
                if b.flags & WRITE_STREAM:
                    f = frame_at(frame)
                    lock(b.write_mutex)
                    append(b.write_buffer, wide(f.data), wide(f.datalen))
                    unlock(b.write_mutex)
                    answer = call_back(bug, ON_WRITE)
                if b.flags & WRITE_REPLACE:
                    b.replace_frame = frame
                    answer = call_back(bug, ON_WRITE_REPLACE)
                    if answer == 1:
                        frame = b.replace_frame
                if answer == 0:
                    b.flags |= PRUNE
                    refused = True
        bug = b.next
    rw_unlock(s.bug_lock)
    if refused:
        prune(session)
    return frame


@native_helper
def _deliver(session: int, data: int, count: int) -> None:
    """Encode, send, and decode at the caller's end: `count` int16 values that the caller hears."""
    s = session_at(session)
    if count > PACKET_BYTES // 2:
        s.misuse += 1  # the core aborts the process here
        return
    copy(s.sent_data, data, 2 * count)
    through(s.write_table, s.sent_data, count)
    record(s.heard, s.sent_data, count, now_ns(s.write_clock))


@native_helper
def _send(session: int, frame: int, same_ptime: bool) -> None:
    """Cut what is to be written into packets of the call's codec."""
    s, f = session_at(session), frame_at(frame)
    packet = wide(implementation_at(s.write_impl).decoded_bytes_per_packet)
    data, count = wide(f.data), wide(f.datalen)
    codec = wide(f.codec)
    fits = codec != 0 and implementation_at(codec_at(codec).implementation).decoded_bytes_per_packet == packet
    if same_ptime and fits:
        if count < packet:
            # The core fills a short frame from its beginning, over the audio that is there.
            bytes_at(data, packet - count)[:] = 0xFF
            f.datalen = packet
            count = packet
        _deliver(session, data, count // 2)
        return
    append(s.raw_write, data, count)
    while buffer_at(s.raw_write).used >= packet:
        take(s.raw_write, s.write_data, packet)
        _deliver(session, s.write_data, packet // 2)


@native("int64(int64, int64)")
def write(session: int, frame: int) -> int:
    """``switch_core_session_write_frame``"""
    s, f = session_at(session), frame_at(frame)
    if s.magic != ALIVE:
        s.misuse += 1
        return FALSE
    if s.state >= HANGUP:
        return FALSE
    if not try_lock(s.write_mutex):
        # Somebody else is writing: the core drops this frame and calls it a success.
        s.collisions += 1
        return SUCCESS
    s.writing = 1
    status = SUCCESS
    codec = wide(f.codec)
    if f.flags & CNG or s.held:
        status = SUCCESS
    elif not codec or not codec_at(codec).implementation:
        s.misuse += 1
        s.state = HANGUP  # the core ends a call that is written a frame without a codec
        status = FALSE
    elif not _is_ready(session, 1, 1):
        status = FALSE
    else:
        theirs, ours = implementation_at(codec_at(codec).implementation), implementation_at(s.write_impl)
        same_ptime = theirs.microseconds_per_packet == ours.microseconds_per_packet
        linear = _linear(session, frame)
        if s.bugs:
            linear = _offer_write(session, linear)
        _send(session, linear, same_ptime)
    s.writing = 0
    unlock(s.write_mutex)
    return status


@c_callback("int32(int64, int64, uint32, int32)")
def write_frame(session: int, frame: int, flags: int, stream_id: int) -> int:
    """``switch_core_session_write_frame``"""
    return write(session, frame)


# The application's turn

@native_helper
def _next_to_play(session: int) -> bool:
    """Fill the application's frame with the next packet of what is to be played, or with silence; False
    where this application writes nothing.
    """
    s = session_at(session)
    left = s.play_length - s.play_position
    wanted = left > 0 or s.app == APP_PLAYBACK or (s.idle_silence != 0 and s.app == APP_PARK)
    if wanted:
        impl = implementation_at(s.write_impl)
        count = wide(impl.decoded_bytes_per_packet) // 2
        left = min(count, left)
        copy(s.app_data, s.play + 2 * s.play_position, 2 * left)
        clear(s.app_data + 2 * left, 2 * (count - left))
        s.play_position += left
        f = frame_at(s.app_frame)
        f.codec, f.data, f.datalen, f.buflen = s.linear_codec, s.app_data, 2 * count, 2 * count
        f.rate, f.channels, f.flags = impl.actual_samples_per_second, impl.number_of_channels, 0
        f.samples = count // max(1, impl.number_of_channels)
    return wanted  # type: ignore[no-any-return]


@native_helper
def _take_turn(session: int, read_bytes: int) -> None:
    """What the application of this call does in one packet time."""
    s = session_at(session)
    if _next_to_play(session):
        write(session, s.app_frame)
    elif s.app == APP_ECHO and read_bytes:
        write(session, s.read_frame)
    elif s.app == APP_BRIDGE and read_bytes and s.partner:
        write(s.partner, s.read_frame)


@native("int64(int64)")
def run(session: int) -> int:
    """The media loop of a call: a packet in, the application's turn, until the call ends or Python is
    wanted.
    """
    s = session_at(session)
    while True:
        if s.state >= HANGUP:
            return ENDED
        if s.interrupt:
            return INTERRUPTED
        sleep_until(s.due, s.read_clock)
        s.due += s.period
        if (s.answered or s.early_media) and not s.bypassed and not s.moving:
            _take_turn(session, _read_frame(session))
