"""What the receiver reads from and writes to its connections, through TLS where they use it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import pointer
from ...native.compiler import native_helper
from ...native.libc import MSG_DONTWAIT_NOSIGNAL, errno, recv, send
from ...realtime.wire.tls import tls_receive, tls_send


@native_helper
def take(connection: Any, target: int, room: int) -> int:
    """As ``recv(2)`` without waiting, but for the error: below 0 it is −errno."""
    if connection.tls:
        return tls_receive(connection.tls, target, room)
    count = recv(np.int32(connection.fd), pointer(target), np.uint64(room), np.int32(MSG_DONTWAIT_NOSIGNAL))
    return count if count >= 0 else -errno()


@native_helper
def give(connection: Any, data: int, count: int) -> bool:
    """Return whether all of it could be sent without waiting."""
    if connection.tls:
        return tls_send(connection.tls, data, count) == count
    return send(np.int32(connection.fd), pointer(data), np.uint64(count),
                np.int32(MSG_DONTWAIT_NOSIGNAL)) == count
