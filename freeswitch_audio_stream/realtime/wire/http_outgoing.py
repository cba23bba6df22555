"""To an HTTP server: requests of HTTP/1.1 (RFC 9112), one at a time.

Runs on a stream's I/O loop. Whole requests of the outbox go first; then what has been captured is posted as one
request: all whole chunks that there are by then. Its samples stay in the ring until the server has taken them, so that
they can be sent again on another connection, the very same ones under the same number.
"""

from __future__ import annotations

from typing import Any

from ...native.atomics import int32_at, load_acquire, store_release, wide
from ...native.compiler import native_helper
from ..records import (ATTEND_DRAINED, AWAITS_MEDIA, AWAITS_MESSAGE, AWAITS_NOTHING, FLOW_DRAIN, FLOW_HELD, OFFSET,
                       SCRATCH_BYTES, io_loop_at, stream_at)
from ..rings import copy_out
from ..wakeup import attend
from .outgoing import (NUMBERS, OUTBOX_HEADER, SENT_ALL, SENT_FAILED, frame_message, frame_text, next_message_bytes,
                       send_out)

_CAPTURE_WRITE, _OUTBOX_READ, _FLOW = OFFSET["capture_write"], OFFSET["outbox_read"], OFFSET["flow"]
_SLACK = 64  # bytes of a request beside its head, the literals of its body, and its base64


@native_helper
def _most_samples(stream: Any) -> int:
    """How many samples one request may carry."""
    characters = stream.out_capacity - stream.request_head_bytes - stream.template_bytes - NUMBERS - _SLACK
    return min(characters // 4 * 3, SCRATCH_BYTES - NUMBERS) // 2


@native_helper
def _count_due(stream: Any, flow: int) -> int:
    """How many samples are to be posted now; a drain posts the last part of a chunk as well."""
    waiting = load_acquire(stream.address + _CAPTURE_WRITE) - stream.capture_read
    due = min(waiting, _most_samples(stream) // stream.chunk * stream.chunk)
    return due if flow == FLOW_DRAIN else due // stream.chunk * stream.chunk


@native_helper
def _build_message(loop: int, stream: Any) -> None:
    fields = io_loop_at(loop).scratch
    copy_out(fields, stream.outbox, stream.outbox_read, OUTBOX_HEADER)
    length = wide(int32_at(fields, 3)[1])
    stream.out_length = frame_message(loop, stream, stream.out)
    store_release(stream.address + _OUTBOX_READ, stream.outbox_read + OUTBOX_HEADER + length)
    stream.awaits = AWAITS_MESSAGE


@native_helper
def _build_media(loop: int, stream: Any) -> None:
    samples = io_loop_at(loop).scratch + NUMBERS
    copy_out(samples, stream.capture_ring, 2 * stream.capture_read, 2 * stream.in_flight)
    stream.sequence = stream.requests - 1  # the template counts it up; one that is sent again keeps its number
    stream.out_length = frame_text(loop, stream, stream.out, samples, stream.in_flight, 2 * stream.in_flight,
                                   1 if stream.numbers_requests else 0)
    stream.messages_sent += 1
    stream.awaits = AWAITS_MEDIA


@native_helper
def _build_next(loop: int, stream: Any) -> None:
    """Build the next request in the empty out buffer, where there is one and the server owes no answer."""
    stream.out_position, stream.out_length = 0, 0
    if stream.awaits != AWAITS_NOTHING or stream.answer_closes:
        return
    if next_message_bytes(loop, stream) > 0:
        _build_message(loop, stream)
        return
    flow = load_acquire(stream.address + _FLOW)
    if flow == FLOW_HELD:
        return
    if stream.in_flight == 0:
        stream.in_flight = _count_due(stream, flow)
        stream.requests += 1 if stream.in_flight else 0
    if stream.in_flight:
        _build_media(loop, stream)


@native_helper
def pump_requests(loop: int, address: int) -> int:
    """Send what is due; SENT_… as of `outgoing.pump`. SENT_FAILED without an error means that the connection has served
    its last request.
    """
    stream = stream_at(address)
    draining = load_acquire(address + _FLOW) == FLOW_DRAIN  # read before the ring is looked at
    while True:
        result = send_out(stream)
        if result != SENT_ALL:
            return result
        _build_next(loop, stream)
        if stream.out_length == 0:
            break
    if stream.awaits != AWAITS_NOTHING:
        return SENT_ALL
    if draining and stream.drained == 0 and stream.in_flight == 0 and _count_due(stream, FLOW_DRAIN) == 0:
        stream.drained = 1
        attend(address, ATTEND_DRAINED)
    return SENT_FAILED if stream.answer_closes else SENT_ALL
