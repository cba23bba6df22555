"""The records that the receiver shares with the benchmark; every field is an int64."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import pointer
from ...native.compiler import carray, native_helper

SLOTS = 4096
DESCRIPTORS = 16384
EVENT_BATCH = 64
BUFFER_BYTES = 1 << 18
REPLY_BYTES = 1 << 16

STAMPS_OFF, STAMPS_L16, STAMPS_MULAW, STAMPS_JSON = range(4)
REPLY_NEVER, REPLY_TO_EACH, REPLY_AT_TIMES, REPLY_TO_FIRST = range(4)
PLAIN_REPLY, L16_REPLY, BASE64_REPLY, RTP_REPLY = range(4)


def _record(names: str) -> np.dtype[Any]:
    return np.dtype([(name, "i8") for name in names.split()])


CONTROL = _record(
    # addresses in the receiver's process, written once
    "epoll_fd connections slot_of_fd buffer scratch events reply ages gaps base64_table"
    # the benchmark, at any time
    " stop recording stamps reply_mode reply_interval_ns reply_bytes reply_audio_at reply_audio_bytes reply_kind"
    " nap_us"
    # the loop
    " heard unread reply_faults random")
"""Orders and totals. `heard` counts media while `recording` is set, `unread` those among them without a stamp."""

CONNECTION = _record(
    # the thread that accepts
    "fd connected_at tls"
    # the loop; times in ns of CLOCK_MONOTONIC, 0 for what has not happened
    " first_at last_at closed_at frames bytes replies reply_due_at"
    # the frame at hand; the header takes three words
    " header_length payload_left header header_1 header_2")
"""One connection, in the slot that its URL names, or the order to make it. `tls` is the address of a TLS record or 0;
`frames` are text and binary frames, start messages included.
"""

CONNECTION_BYTES = CONNECTION.itemsize
HEADER_OFFSET = int(CONNECTION.fields["header"][1])  # type: ignore[index]
STOP_OFFSET = int(CONTROL.fields["stop"][1])  # type: ignore[index]


@native_helper
def control_at(address: int) -> Any:
    """The CONTROL record at an address."""
    return carray(pointer(address), (1,), CONTROL)[0]


@native_helper
def connection_at(control: int, slot: int) -> Any:
    """The CONNECTION record of a slot."""
    return carray(pointer(control_at(control).connections + slot * CONNECTION_BYTES), (1,), CONNECTION)[0]
