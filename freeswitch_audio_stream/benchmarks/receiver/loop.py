"""The receiver's compiled loop: takes WebSocket frames from many connections, counts and times them.

What the benchmark wants to know is written into memory that it shares, so asking costs the receiver nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ...native.atomics import bytes_at, int32_at, int64_at, load_acquire, pointer, wide
from ...native.compiler import native_helper
from ...native.libc import EAGAIN, EINTR, EPOLL_DATA_OFFSET, EPOLL_EVENT_BYTES, copy, epoll_wait, nap
from ..clock import monotonic_ns
from ..compiler import fresh_native
from ..histogram import count_duration
from .encrypted_io import give, take
from .messages import read_stamp, reply
from .records import (BUFFER_BYTES, CONNECTION_BYTES, EVENT_BATCH, HEADER_OFFSET, REPLY_AT_TIMES, REPLY_TO_EACH,
                      REPLY_TO_FIRST, SLOTS, STAMPS_OFF, STOP_OFFSET, connection_at, control_at)

_close: Any = types.ExternalFunction("close", types.int32(types.int32))
_TEXT, _BINARY, _CLOSE = 1, 2, 8
_MASKED = 0x80
_NORMAL = 1000
_IDLE_MS = 100  # how soon `stop` is seen
_TICK_MS = 1    # how exact the times of replies are


@native_helper
def _header(control: int, slot: int) -> int:
    """The address of the header of a connection's present frame."""
    return control_at(control).connections + slot * CONNECTION_BYTES + HEADER_OFFSET


@native_helper
def header_bytes(header: int, have: int) -> int:
    """How long a frame's header is, with the key of a masked one, as far as its first `have` bytes tell."""
    if have < 2:
        return 2
    octet = wide(bytes_at(header, 2)[1])
    key, length = 4 if octet & _MASKED else 0, octet & 127
    if length < 126:
        return 2 + key
    return (4 if length == 126 else 10) + key


@native_helper
def payload_bytes(header: int) -> int:
    """The length that a complete header announces."""
    octets = bytes_at(header, 14)
    length = wide(octets[1]) & 127
    if length < 126:
        return length
    extended = 2 if length == 126 else 8
    length = wide(0)
    for index in range(extended):
        length = length << 8 | wide(octets[2 + index])
    return length


@native_helper
def _end(connection: Any) -> None:
    # The kernel takes a closed descriptor out of the epoll instance.
    _close(np.int32(connection.fd))
    connection.fd, connection.closed_at = -1, monotonic_ns()


@native_helper
def _answer(control: int, connection: Any) -> None:
    if not reply(control, connection):
        # A frame sent in part cannot be taken back: what follows would be misread.
        control_at(control).reply_faults += 1
        _end(connection)


@native_helper
def _on_close(control: int, slot: int) -> None:
    connection, frame = connection_at(control, slot), control_at(control).scratch
    # Who gets what is not masked is a client, and masks: here with zeros, which change nothing.
    masked = bytes_at(_header(control, slot), 2)[1] & _MASKED
    size = 4 if masked else 8
    octets = bytes_at(frame, size)
    octets[:] = 0
    octets[0], octets[1] = 0x80 | _CLOSE, 2 if masked else _MASKED | 2
    octets[size - 2], octets[size - 1] = _NORMAL >> 8, _NORMAL & 255
    give(connection, frame, size)
    _end(connection)


@native_helper
def _on_media(control: int, slot: int, payload: int, count: int, now: int) -> None:
    """A text or binary frame is complete; `payload` is 0 where only its end is at hand."""
    record, connection = control_at(control), connection_at(control, slot)
    connection.frames += 1
    if record.recording:
        record.heard += 1
        if connection.last_at:
            count_duration(record.gaps, now - connection.last_at)
        if record.stamps != STAMPS_OFF and payload:
            header = _header(control, slot)
            read_stamp(control, payload, count, header + header_bytes(header, 2) - 4)
    connection.last_at = now
    is_due = record.reply_mode == REPLY_TO_FIRST and connection.frames == 1
    if record.reply_mode == REPLY_TO_EACH or is_due:
        _answer(control, connection)


@native_helper
def _on_frame(control: int, slot: int, payload: int, count: int, now: int) -> None:
    opcode = wide(bytes_at(_header(control, slot), 1)[0]) & 15
    if opcode == _TEXT or opcode == _BINARY:
        _on_media(control, slot, payload, count, now)
    elif opcode == _CLOSE:
        _on_close(control, slot)


@native_helper
def _take_header(control: int, slot: int, data: int, count: int) -> int:
    """Take what belongs to a frame's header; return how many bytes that was."""
    connection, header = connection_at(control, slot), _header(control, slot)
    have = connection.header_length
    taken = min(header_bytes(header, have) - have, count)
    copy(header + have, data, taken)
    connection.header_length = have + taken
    connection.payload_left = payload_bytes(header)
    return taken


@native_helper
def parse(control: int, slot: int, data: int, count: int, now: int) -> None:
    """Take `count` received bytes of a connection; they may begin and end anywhere in a frame."""
    connection, header = connection_at(control, slot), _header(control, slot)
    position = wide(0)
    while position < count and connection.fd >= 0:
        if connection.header_length < header_bytes(header, connection.header_length):
            position += _take_header(control, slot, data + position, count - position)
            if connection.header_length < header_bytes(header, connection.header_length):
                continue
        taken = min(connection.payload_left, count - position)
        connection.payload_left -= taken
        if connection.payload_left == 0:
            connection.header_length = 0
            length = payload_bytes(header)
            _on_frame(control, slot, data + position if taken == length else 0, length, now)
        position += taken


@native_helper
def _receive(control: int, fd: int) -> None:
    record = control_at(control)
    slot = int64_at(record.slot_of_fd + 8 * fd, 1)[0]
    connection = connection_at(control, slot)
    # Of TLS at most one record; what else there is, epoll tells again.
    count = take(connection, record.buffer, BUFFER_BYTES)
    if count <= 0:
        if count != -EAGAIN and count != -EINTR:
            _end(connection)
        return
    now = monotonic_ns()
    if connection.first_at == 0:
        connection.first_at = now
    connection.bytes += count
    parse(control, slot, record.buffer, count, now)


@native_helper
def _jitter(control: int) -> int:
    """A number from 0 to 1023, so that replies do not keep step with anything."""
    record = control_at(control)
    record.random = (record.random * 1103515245 + 12345) & 0x7FFFFFFF
    return record.random >> 16 & 1023


@native_helper
def _reply_where_due(control: int) -> None:
    record, now = control_at(control), monotonic_ns()
    for slot in range(SLOTS):
        connection = connection_at(control, slot)
        if connection.fd < 0 or connection.first_at == 0 or now < connection.reply_due_at:
            continue
        if connection.reply_due_at:
            _answer(control, connection)
        connection.reply_due_at = now + record.reply_interval_ns + record.reply_interval_ns * _jitter(control) // 1024


@native_helper
def _serve(control: int, timeout: int) -> int:
    """Take what comes within `timeout` ms; return from how many connections at once."""
    record = control_at(control)
    count = epoll_wait(np.int32(record.epoll_fd), pointer(record.events), np.int32(EVENT_BATCH), np.int32(timeout))
    for position in range(count):
        event = record.events + position * EPOLL_EVENT_BYTES + EPOLL_DATA_OFFSET
        _receive(control, wide(int32_at(event, 1)[0]))
    return count


@fresh_native("void(int64)")
def run_receiver(control: int) -> None:
    """Serve until ``stop`` is set; the calling thread gives up the GIL for all of it."""
    record = control_at(control)
    while load_acquire(control + STOP_OFFSET) == 0:
        paced = record.reply_mode == REPLY_AT_TIMES
        if record.nap_us > 0:
            nap(record.nap_us)
            while _serve(control, 0) == EVENT_BATCH:
                pass
        else:
            _serve(control, _TICK_MS if paced else _IDLE_MS)
        if paced:
            _reply_where_due(control)
