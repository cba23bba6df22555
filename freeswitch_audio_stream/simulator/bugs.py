"""Media bugs, compiled: their list on a session, reading them, and taking them off.

Which locks are held while a callback runs is FreeSWITCH's own rule (see each caller), because what a module
may do in a callback follows from it.
"""

from __future__ import annotations

import numpy as np

from ..native.atomics import call3, int16_at, int64_at, wide
from ..native.compiler import c_callback, native, native_helper
from ..native.libc import copy
from ..switch.constants import BugEvent, BugFlag, Status
from .buffers import discard, take
from .locks import lock, rw_unlock, unlock, write_lock
from .records import ALIVE, PACKET_BYTES, buffer_at, bug_at, frame_at, implementation_at, session_at

SUCCESS = int(Status.SUCCESS)
FALSE = int(Status.FALSE)
READ_STREAM, WRITE_STREAM = int(BugFlag.READ_STREAM), int(BugFlag.WRITE_STREAM)
STEREO, STEREO_SWAP = int(BugFlag.STEREO), int(BugFlag.STEREO_SWAP)
ANSWER_REQ, BRIDGE_REQ = int(BugFlag.ANSWER_REQ), int(BugFlag.BRIDGE_REQ)
PRUNE, PAUSE = int(BugFlag.PRUNE), int(BugFlag.PAUSE)
CLOSE = int(BugEvent.CLOSE)


@native_helper
def call_back(bug: int, event: int) -> int:
    """Call a bug's callback; its answer is a C ``int``."""
    b = bug_at(bug)
    return wide(np.int32(call3(b.callback, bug, b.user, event)))


@native_helper
def is_listening(session: int, bug: int, reading: bool) -> bool:
    """Return whether a bug gets audio now; the core does not honour BRIDGE_REQ on the write side."""
    s, b = session_at(session), bug_at(bug)
    if b.flags & PAUSE or (b.flags & ANSWER_REQ and not s.answered):
        return False
    return not (reading and b.flags & BRIDGE_REQ and not s.bridged)


@native_helper
def unlink(session: int, bug: int) -> bool:
    """Take a bug out of the list; False where it is not in it. The caller holds the list's write lock."""
    s = session_at(session)
    before, at = 0, s.bugs
    while at and at != bug:
        before, at = at, bug_at(at).next
    if not at or not bug_at(at).ready:
        return False
    if before:
        bug_at(before).next = bug_at(at).next
    else:
        s.bugs = bug_at(at).next
    return True


@native_helper
def close(bug: int) -> None:
    """The end of a bug: CLOSE, and its audio is gone."""
    call_back(bug, CLOSE)
    b = bug_at(bug)
    b.ready = 0
    b.read_buffer = 0
    b.write_buffer = 0


@native_helper
def prune(session: int) -> None:
    """Close every bug whose callback has refused to go on; CLOSE runs without the list's lock."""
    s = session_at(session)
    while True:
        write_lock(s.bug_lock)
        bug = s.bugs
        while bug and not bug_at(bug).flags & PRUNE:
            bug = bug_at(bug).next
        found = bug != 0 and unlink(session, bug)
        rw_unlock(s.bug_lock)
        if not found:
            return
        close(bug)


@native("void(int64)")
def close_all(session: int) -> None:
    """Close every bug, as hangup does: CLOSE runs with the list's write lock held."""
    s = session_at(session)
    write_lock(s.bug_lock)
    while s.bugs:
        bug = s.bugs
        s.bugs = bug_at(bug).next
        close(bug)
    rw_unlock(s.bug_lock)


@native("void(int64, int64, int64)")
def link(session: int, bug: int, first: int) -> None:
    """Put a bug into the list, at its head or its end."""
    s, b = session_at(session), bug_at(bug)
    b.ready = 1
    write_lock(s.bug_lock)
    if first or not s.bugs:
        b.next = s.bugs
        s.bugs = bug
    else:
        at = s.bugs
        while bug_at(at).next:
            at = bug_at(at).next
        bug_at(at).next = bug
    rw_unlock(s.bug_lock)


@c_callback("int32(int64, int64)")
def bug_remove(session: int, slot: int) -> int:
    """``switch_core_media_bug_remove``: CLOSE runs on this thread without any lock, if the bug was in the
    list.
    """
    s = session_at(session)
    bug = int64_at(slot, 1)[0]
    if s.magic != ALIVE or bug_at(bug).magic != ALIVE:
        s.misuse += 1
        return FALSE
    write_lock(s.bug_lock)
    found = unlink(session, bug)
    rw_unlock(s.bug_lock)
    if not found:
        return FALSE
    close(bug)
    int64_at(slot, 1)[0] = 0
    return SUCCESS


@native_helper
def _waiting(mutex: int, buffer: int) -> int:
    lock(mutex)
    used = buffer_at(buffer).used
    unlock(mutex)
    return used  # type: ignore[no-any-return]


@native_helper
def _move(mutex: int, buffer: int, data: int, count: int) -> int:
    lock(mutex)
    taken = take(buffer, data, count)
    unlock(mutex)
    return taken


@native_helper
def _fill_up(data: int, count: int) -> None:
    """What the core puts where a direction has no audio: bytes of 0xFF, that is, samples of -1."""
    samples = int16_at(data, count // 2)
    samples[:] = -1


@native_helper
def _mix(target: int, read_count: int, written: int, write_count: int, count: int) -> None:
    """Add the written to the read samples in place; a sum out of range grows by half its parts and is cut
    off.
    """
    mixed, other = int16_at(target, count), int16_at(written, count)
    for i in range(count):
        r = wide(mixed[i]) if i < read_count else 0
        w = wide(other[i]) if i < write_count else 0
        total = r + w
        if total > 32767 or total < -32768:
            # The core divides as C does, towards zero.
            total += (abs(r) // 2) * (1 if r > 0 else -1) + (abs(w) // 2) * (1 if w > 0 else -1)
        mixed[i] = min(max(total, -32768), 32767)


@native_helper
def _interleave(target: int, left: int, left_count: int, right: int, right_count: int, count: int) -> None:
    both, one, two = int16_at(target, 2 * count), int16_at(left, count), int16_at(right, count)
    for i in range(count):
        both[2 * i] = one[i] if i < left_count else 0
        both[2 * i + 1] = two[i] if i < right_count else 0


@c_callback("int32(int64, int64, int32)")
def bug_read(bug: int, frame: int, fill: int) -> int:
    """``switch_core_media_bug_read``: one packet of a bug's audio into a frame.

    `fill` means the opposite of its name: with it, a direction that was asked for and has nothing makes the
    call fail; without it that direction is filled up.
    """
    b, f = bug_at(bug), frame_at(frame)
    impl = implementation_at(session_at(b.session).read_impl)
    packet = wide(impl.decoded_bytes_per_packet)
    reads, writes = b.flags & READ_STREAM != 0, b.flags & WRITE_STREAM != 0
    if (reads and not b.read_buffer) or (writes and not b.write_buffer) or f.buflen < packet:
        return FALSE
    f.flags = 0
    f.datalen = 0
    waiting_read = _waiting(b.read_mutex, b.read_buffer) if reads else 0
    waiting_write = _waiting(b.write_mutex, b.write_buffer) if writes else 0
    if waiting_write > waiting_read and waiting_write > 2 * packet:
        # The write side runs ahead: one packet of it is dropped at every call until it does not.
        lock(b.write_mutex)
        discard(b.write_buffer, packet)
        waiting_write = buffer_at(b.write_buffer).used
        unlock(b.write_mutex)
    if 0 < waiting_read < packet or 0 < waiting_write < packet:
        return FALSE
    empty_read, empty_write = reads and waiting_read == 0, writes and waiting_write == 0
    if (empty_read and empty_write) or (fill and (empty_read or empty_write)):
        return FALSE
    if not waiting_read and not waiting_write:
        return FALSE
    data = wide(f.data)
    read_bytes, write_bytes = 0, 0
    if waiting_read:
        read_bytes = _move(b.read_mutex, b.read_buffer, data, packet)
    elif empty_read:
        _fill_up(data, packet)
        read_bytes = packet
    if waiting_write:
        write_bytes = _move(b.write_mutex, b.write_buffer, b.scratch, packet)
    elif empty_write:
        _fill_up(b.scratch, packet)
        write_bytes = packet
    f.samples = packet // 2 // max(1, impl.number_of_channels)
    f.rate = impl.actual_samples_per_second
    f.codec = 0
    if b.flags & STEREO:
        if b.flags & STEREO_SWAP:
            _interleave(b.mixed, b.scratch, write_bytes // 2, data, read_bytes // 2, packet // 2)
        else:
            _interleave(b.mixed, data, read_bytes // 2, b.scratch, write_bytes // 2, packet // 2)
        copy(data, b.mixed, 2 * packet)
        f.datalen = 2 * packet
        f.channels = 2
    else:
        _mix(data, read_bytes // 2, b.scratch, write_bytes // 2, packet // 2)
        f.datalen = packet
        f.channels = impl.number_of_channels
    return SUCCESS


@c_callback("int64(int64)")
def get_write_replace_frame(bug: int) -> int:
    """``switch_core_media_bug_get_write_replace_frame``"""
    return bug_at(bug).replace_frame  # type: ignore[no-any-return]


@c_callback("void(int64, int64)")
def set_write_replace_frame(bug: int, frame: int) -> None:
    """``switch_core_media_bug_set_write_replace_frame``"""
    bug_at(bug).replace_frame = frame


SCRATCH_BYTES = 2 * PACKET_BYTES
