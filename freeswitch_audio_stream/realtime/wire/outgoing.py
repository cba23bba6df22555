"""To the peer: media of the capture ring and messages of the outbox, as WebSocket frames (RFC 6455).

Runs on a stream's I/O loop, the only writer of its socket. Messages go before media, so what Python puts into
the outbox before it opens the flow is the first thing on the wire. Frames are built in the stream's own out
buffer and leave with one `send` for as many as fit; what the socket does not take stays there, and the loop
waits for EPOLLOUT. A client masks its frames, a server does not (section 5.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, int16_at, int32_at, load_acquire, pointer, store_release, wide
from ...native.compiler import native_helper
from ...native.libc import EAGAIN, EINTR, EPIPE, MSG_DONTWAIT_NOSIGNAL, copy, errno, getrandom, monotonic_us, send
from ..records import (ATTEND_DRAINED, ENCODING_ALAW, ENCODING_L16, FLOW_DRAIN, FLOW_HELD, FRAMING_AUDIOSOCKET,
                       FRAMING_CLIENT, FRAMING_HTTP, OFFSET, PART_CHUNK, PART_LITERAL, PART_PAYLOAD, PART_SEQUENCE,
                       PART_TIMESTAMP, PAYLOAD_BASE64, PAYLOAD_RTP, io_loop_at, stream_at)
from ..rings import copy_out
from ..wakeup import attend
from .audiosocket import HEADER_BYTES
from .encoding import base64, base64_length, decimal, encode, xor_mask
from .rtp import RTP_HEADER, before_gap, write_header
from .tls import tls_send

_CAPTURE_READ, _CAPTURE_WRITE = OFFSET["capture_read"], OFFSET["capture_write"]
_CAPTURE_SENT, _RESUMED = OFFSET["capture_sent"], OFFSET["resumed"]
_OUTBOX_READ, _OUTBOX_WRITE, _FLOW = OFFSET["outbox_read"], OFFSET["outbox_write"], OFFSET["flow"]
_SKIP_TO = OFFSET["skip_to"]

OUTBOX_HEADER = 16  # int32 opcode, head bytes, tail bytes (-1: no sequence number), unused
OPCODE_TEXT, OPCODE_BINARY = 1, 2
COMPRESSED = 0x40
"""RSV1, added to the opcode of a message whose payload is compressed (RFC 7692 section 6)."""
_FINAL, _MASKED = 0x80, 0x80
_MAX_HEADER = 14
_KEY_BYTES = 4
_MAX_DIGITS = 20
NUMBERS = 128  # of scratch memory: the digits of each kind of running field
MASK_BYTES = 4096
_BATCH_BYTES = 65536
INTRODUCTION_US = 20_000  # from the UUID of an AudioSocket connection to its first audio, at least

SENT_ALL, SENT_PART, SENT_FAILED = range(3)


@native_helper
def _mask_key(loop: int) -> int:
    """Four bytes from the kernel's generator, drawn in bulk."""
    record = io_loop_at(loop)
    if record.masks_left == 0:
        getrandom(pointer(record.masks), np.uint64(MASK_BYTES), np.uint32(0))
        record.masks_left = MASK_BYTES // 4
    record.masks_left -= 1
    return wide(int32_at(record.masks + 4 * record.masks_left, 1)[0])


@native_helper
def _audiosocket_header(target: int, kind: int, length: int) -> int:
    out = bytes_at(target, HEADER_BYTES)
    out[0], out[1], out[2] = np.uint8(kind), np.uint8(length >> 8), np.uint8(length & 255)
    return HEADER_BYTES


@native_helper
def _request_head(stream: Any, target: int, length: int) -> int:
    """The head of an HTTP request that posts `length` bytes; return its own bytes."""
    copy(target, stream.request_head, stream.request_head_bytes)
    size = stream.request_head_bytes + decimal(target + stream.request_head_bytes, length)
    octets = bytes_at(target + size, 4)
    octets[0] = octets[2] = 13  # CR
    octets[1] = octets[3] = 10  # LF
    return size + 4


@native_helper
def _frame_header(stream: Any, target: int, opcode: int, length: int) -> int:
    """Write a frame's header without its key; return the header's bytes, the key of a masked frame included.

    `opcode` may have COMPRESSED added; in AudioSocket it is the frame's kind, and OPCODE_BINARY that of audio. In HTTP
    audio is OPCODE_TEXT, and what is anything else is a whole request already.
    """
    if stream.framing == FRAMING_AUDIOSOCKET:
        return _audiosocket_header(target, stream.audio_kind if opcode == OPCODE_BINARY else opcode, length)
    if stream.framing == FRAMING_HTTP:
        return _request_head(stream, target, length) if opcode == OPCODE_TEXT else 0
    masked, key = (_MASKED, _KEY_BYTES) if stream.framing == FRAMING_CLIENT else (0, 0)
    out = bytes_at(target, _MAX_HEADER)
    out[0] = np.uint8(_FINAL | opcode)
    if length < 126:
        out[1] = np.uint8(masked | length)
        return 2 + key
    extended = 2 if length < 65536 else 8
    out[1] = np.uint8(masked | (126 if extended == 2 else 127))
    for index in range(extended):
        out[2 + index] = np.uint8((length >> (8 * (extended - 1 - index))) & 255)
    return 2 + extended + key


@native_helper
def _seal(loop: int, stream: Any, start: int, header: int, length: int) -> None:
    """Put the key into a header and mask the payload behind it, where frames are masked."""
    if stream.framing != FRAMING_CLIENT:
        return
    key = _mask_key(loop)
    int32_at(start + header - _KEY_BYTES, 1)[0] = np.int32(key)
    xor_mask(start + header, length, key)


@native_helper
def frame_message(loop: int, stream: Any, target: int) -> int:
    """Frame the oldest message of the outbox; return the bytes written."""
    ring, position = stream.outbox, stream.outbox_read
    fields = io_loop_at(loop).scratch
    copy_out(fields, ring, position, OUTBOX_HEADER)
    opcode, head, tail = int32_at(fields, 3)[0], wide(int32_at(fields, 3)[1]), wide(int32_at(fields, 3)[2])
    digits = 0
    if tail >= 0:
        stream.sequence += 1
        digits = decimal(fields, stream.sequence)
    length = head + digits + max(tail, 0)
    header = _frame_header(stream, target, opcode, length)
    payload = target + header
    copy_out(payload, ring, position + OUTBOX_HEADER, head)
    copy(payload + head, fields, digits)
    copy_out(payload + head + digits, ring, position + OUTBOX_HEADER + head, max(tail, 0))
    _seal(loop, stream, target, header, length)
    stream.messages_sent += 1
    return header + length


@native_helper
def _fill_in(stream: Any, parts: int, count: int, numbers: int, track: int, payload: int) -> int:
    """Work out the running fields of the next media message of a track; return the bytes of the message.

    The digits of each go to their place in `numbers`, and how many they are into the part: int32 kind, bytes.
    """
    length = 0
    for index in range(count):
        part = int32_at(parts + 8 * index, 2)
        place = numbers + _MAX_DIGITS * part[0]
        if part[0] == PART_PAYLOAD:
            part[1] = payload
        elif part[0] == PART_SEQUENCE:
            stream.sequence += 1
            part[1] = decimal(place, stream.sequence)
        elif part[0] == PART_CHUNK:
            part[1] = decimal(place, stream.chunks_1 if track == 1 else stream.chunks_0)
        elif part[0] == PART_TIMESTAMP:
            part[1] = decimal(place, 1000 * (stream.capture_read + stream.uncaptured) // stream.wire_rate)
        length += wide(part[1])
    return length


@native_helper
def frame_text(loop: int, stream: Any, target: int, samples: int, count: int, size: int, track: int) -> int:
    """Frame a text media message with a payload of `size` bytes before base64; return the bytes written."""
    record = io_loop_at(loop)
    parts, number, literals = stream.parts_0, stream.count_0, stream.literals_0
    if track == 1:
        parts, number, literals = stream.parts_1, stream.count_1, stream.literals_1
        stream.chunks_1 += 1
    else:
        stream.chunks_0 += 1
    numbers = record.scratch
    length = _fill_in(stream, parts, number, numbers, track, base64_length(size))
    header = _frame_header(stream, target, OPCODE_TEXT, length)
    place = target + header
    for index in range(number):
        part = int32_at(parts + 8 * index, 2)
        bytes_here = wide(part[1])
        if part[0] == PART_LITERAL:
            copy(place, literals, bytes_here)
            literals += bytes_here
        elif part[0] != PART_PAYLOAD:
            copy(place, numbers + _MAX_DIGITS * part[0], bytes_here)
        elif stream.encoding == ENCODING_L16:
            base64(place, samples, size, record.base64_table)
        else:
            codes = samples + 2 * count
            encode(codes, samples, count, stream.encoding, _g711_table(record, stream))
            base64(place, codes, size, record.base64_table)
        place += bytes_here
    _seal(loop, stream, target, header, length)
    return header + length


@native_helper
def _g711_table(record: Any, stream: Any) -> int:
    return record.alaw_table if stream.encoding == ENCODING_ALAW else record.mulaw_table


@native_helper
def _media(loop: int, stream: Any, target: int, samples: int, count: int, track: int) -> int:
    """Frame one media message of `count` samples; return the bytes written."""
    table = _g711_table(io_loop_at(loop), stream)
    size = 2 * count if stream.encoding == ENCODING_L16 else count
    if stream.payload == PAYLOAD_BASE64:
        return frame_text(loop, stream, target, samples, count, size, track)
    before = RTP_HEADER if stream.payload == PAYLOAD_RTP else 0
    header = _frame_header(stream, target, OPCODE_BINARY, before + size)
    if before:
        write_header(stream, target + header, count)
    encode(target + header + before, samples, count, stream.encoding, table)
    _seal(loop, stream, target, header, before + size)
    return header + before + size


@native_helper
def _split(target: int, source: int, count: int, track: int) -> None:
    """One channel of two interleaved ones."""
    pairs, out = int16_at(source, 2 * count), int16_at(target, count)
    for index in range(count):
        out[index] = pairs[2 * index + track]


@native_helper
def _chunk(loop: int, stream: Any, target: int, position: int, count: int) -> int:
    """Frame `count` sample times at `position` of the ring, a message for each template; return the bytes written.

    Under one template, or in binary frames, two tracks are interleaved.
    """
    samples = io_loop_at(loop).scratch + NUMBERS
    width = 2 * stream.channels
    copy_out(samples, stream.capture_ring, width * position, width * count)
    if stream.templates < 2 or stream.payload != PAYLOAD_BASE64:
        stream.messages_sent += 1
        return _media(loop, stream, target, samples, stream.channels * count, 0)
    single = samples + width * count
    written = 0
    for track in range(2):
        _split(single, samples, count, track)
        written += _media(loop, stream, target + written, single, count, track)
        stream.messages_sent += 1
    return written


@native_helper
def _room(stream: Any) -> int:
    """Bytes that one chunk may take on the wire, at most."""
    payload = 2 * stream.channels * stream.chunk
    return base64_length(payload) + 8 + 2 * _MAX_HEADER + NUMBERS + stream.template_bytes + RTP_HEADER


@native_helper
def next_message_bytes(loop: int, stream: Any) -> int:
    """Bytes that the oldest outbox message may take on the wire; 0 if there is none."""
    written = load_acquire(stream.address + _OUTBOX_WRITE)
    if written == stream.outbox_read:
        return 0
    fields = io_loop_at(loop).scratch
    copy_out(fields, stream.outbox, stream.outbox_read, OUTBOX_HEADER)
    words = int32_at(fields, 3)
    return wide(words[1]) + max(wide(words[2]), 0) + _MAX_HEADER + _MAX_DIGITS


@native_helper
def _unsent_from(stream: Any) -> int:
    """The first sample time that is to be sent next: what is kept until it is acknowledged is sent before it is read.
    """
    return stream.capture_sent if stream.keeps_unacknowledged else stream.capture_read


@native_helper
def _is_sent(stream: Any, position: int) -> None:
    """What stands before `position` in the ring has been framed."""
    if stream.keeps_unacknowledged:
        store_release(stream.address + _CAPTURE_SENT, position)
    else:
        store_release(stream.address + _CAPTURE_READ, position)


@native_helper
def _knows_where(stream: Any) -> bool:
    """Return whether it is known where audio has to go on: the server of audio that is kept says first what it has."""
    return stream.keeps_unacknowledged == 0 or load_acquire(stream.address + _RESUMED) == 1


@native_helper
def _may_speak(stream: Any) -> bool:
    """Return whether audio may follow the introduction; until it may, what is captured is dropped and counted.

    An AudioSocket server takes what one read gives it for the UUID and nothing else, and plays what it gets as fast as
    it comes: audio waits until the UUID must have been read, and none is older than the connection.
    """
    if stream.framing != FRAMING_AUDIOSOCKET or stream.introduced == 1:
        return True
    if stream.out_length > 0:
        return False  # the UUID is only leaving now
    now = monotonic_us()
    if stream.introduced_at == 0:
        stream.introduced_at = now
    elif now - stream.introduced_at >= INTRODUCTION_US:
        stream.introduced = 1
        return True
    _skip(stream, load_acquire(stream.address + _CAPTURE_WRITE))
    return False


@native_helper
def _skip(stream: Any, position: int) -> None:
    """Leave out what was captured before a position of the capture ring."""
    left = min(position, load_acquire(stream.address + _CAPTURE_WRITE)) - stream.capture_read
    if left > 0:
        stream.skipped += left
        store_release(stream.address + _CAPTURE_READ, stream.capture_read + left)


@native_helper
def _fill(loop: int, stream: Any) -> None:
    """Build frames in the empty out buffer: messages, then whole chunks, then a drain's last part of one."""
    stream.out_position, stream.out_length = 0, 0
    # Read before and after the messages: no audio overtakes the message that announces it again, and none follows the
    # one that says it stops.
    skip_to = load_acquire(stream.address + _SKIP_TO)
    while True:
        size = next_message_bytes(loop, stream)
        if size == 0:
            break
        if stream.out_length > 0 and stream.out_length + size > stream.out_capacity:
            return
        fields = int32_at(io_loop_at(loop).scratch, 3)
        used = OUTBOX_HEADER + wide(fields[1]) + max(wide(fields[2]), 0)
        stream.out_length += frame_message(loop, stream, stream.out + stream.out_length)
        store_release(stream.address + _OUTBOX_READ, stream.outbox_read + used)
    flow = load_acquire(stream.address + _FLOW)
    if flow == FLOW_HELD or not _knows_where(stream) or not _may_speak(stream):
        return
    _skip(stream, max(skip_to, load_acquire(stream.address + _SKIP_TO)))
    room = _room(stream)
    while stream.out_length < _BATCH_BYTES and stream.out_length + room <= stream.out_capacity:
        position = _unsent_from(stream)
        count = min(load_acquire(stream.address + _CAPTURE_WRITE) - position, stream.chunk)
        whole = count == stream.chunk or flow == FLOW_DRAIN
        if count > 0 and stream.gaps:
            continuous = before_gap(stream)
            if stream.payload == PAYLOAD_RTP and continuous <= count:
                count, whole = continuous, True
        if count == 0 or not whole:
            return
        stream.out_length += _chunk(loop, stream, stream.out + stream.out_length, position, count)
        _is_sent(stream, position + count)


@native_helper
def _send_some(stream: Any, data: int, count: int) -> int:
    """Return how many bytes the socket took, or −errno."""
    if stream.tls:
        return tls_send(stream.tls, data, count)
    sent = send(np.int32(stream.fd), pointer(data), np.uint64(count), np.int32(MSG_DONTWAIT_NOSIGNAL))
    return sent if sent >= 0 else -errno()


@native_helper
def send_out(stream: Any) -> int:
    """Give the socket what the out buffer holds; SENT_…"""
    while stream.out_position < stream.out_length:
        sent = _send_some(stream, stream.out + stream.out_position, stream.out_length - stream.out_position)
        if sent < 0:
            problem = -sent
            if problem == EINTR:
                continue
            if problem == EAGAIN:
                return SENT_PART
            stream.socket_error = problem
            return SENT_FAILED
        if sent == 0:
            stream.socket_error = EPIPE
            return SENT_FAILED
        stream.out_position += sent
        stream.bytes_sent += sent
    return SENT_ALL


@native_helper
def pump(loop: int, address: int) -> int:
    """Send what is due; SENT_… SENT_PART means that the socket is full and its stream waits for EPOLLOUT."""
    stream = stream_at(address)
    # Read before the ring is looked at: a drain asked for meanwhile queues the stream again.
    draining = load_acquire(address + _FLOW) == FLOW_DRAIN
    while True:
        result = send_out(stream)
        if result != SENT_ALL:
            return result
        _fill(loop, stream)
        if stream.out_length == 0:
            break
    if draining and stream.drained == 0 and _knows_where(stream):
        stream.drained = 1
        attend(address, ATTEND_DRAINED)
    return SENT_ALL
