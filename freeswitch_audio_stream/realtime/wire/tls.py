"""TLS on an I/O loop: OpenSSL called through pointers, without the GIL.

A session belongs to the loop while its stream's socket does; nobody else touches it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import call0, call1, call2, call3, pointer, wide
from ...native.compiler import carray, native_helper
from ...native.libc import EAGAIN, EPIPE, EPROTO, errno
from ..records import TLS

_WANT_READ, _WANT_WRITE, _SYSCALL, _ZERO_RETURN = 2, 3, 5, 6
_REASON = 0x7FFFFF
_UNEXPECTED_EOF = 294  # SSL_R_UNEXPECTED_EOF_WHILE_READING, since OpenSSL 3.0

TLS_END = 0
TLS_FAILED = -1


@native_helper
def _session_at(address: int) -> Any:
    return carray(pointer(address), (1,), TLS)[0]


@native_helper
def _problem(tls: Any, result: int) -> int:
    """The errno that says the same as OpenSSL does; 0 for an end, orderly or not."""
    reason = wide(np.int32(call2(tls.SSL_get_error, tls.session, result)))
    if reason == _WANT_READ or reason == _WANT_WRITE:
        return EAGAIN
    if reason == _ZERO_RETURN:
        return 0
    if reason == _SYSCALL:
        return errno()
    return 0 if call0(tls.ERR_peek_error) & _REASON == _UNEXPECTED_EOF else EPROTO


@native_helper
def tls_send(address: int, data: int, count: int) -> int:
    """As ``send(2)`` on a non-blocking socket, but for the error: below 0 it is −errno. At most one record."""
    tls = _session_at(address)
    call0(tls.ERR_clear_error)
    sent = wide(np.int32(call3(tls.SSL_write, tls.session, data, count)))
    if sent > 0:
        return sent
    # Python's sessions never renegotiate, so writing does not wait for reading.
    problem = _problem(tls, sent)
    return -problem if problem else -EPIPE


@native_helper
def tls_receive(address: int, data: int, count: int) -> int:
    """As ``recv(2)`` on a non-blocking socket, but for the error: below 0 it is −errno."""
    tls = _session_at(address)
    call0(tls.ERR_clear_error)
    received = wide(np.int32(call3(tls.SSL_read, tls.session, data, count)))
    if received > 0:
        return received
    return -_problem(tls, received)


@native_helper
def tls_holds_more(address: int) -> bool:
    """Return whether the session holds bytes that epoll knows nothing of."""
    tls = _session_at(address)
    return wide(np.int32(call1(tls.SSL_pending, tls.session))) > 0


@native_helper
def tls_end(address: int) -> None:
    """Say that nothing more will be sent (close_notify), if the socket takes it."""
    tls = _session_at(address)
    call0(tls.ERR_clear_error)
    call1(tls.SSL_shutdown, tls.session)
