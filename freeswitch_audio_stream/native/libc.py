"""C library functions that compiled code calls, resolved by name when the code is loaded. None needs the GIL."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from .atomics import address_of, int32_at, int64_at, pointer, wide
from .compiler import code_generator, native_helper

EAGAIN, EINTR, EPIPE, EPROTO = 11, 4, 32, 71
MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000
EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET = 1, 4, 8, 16, 0x2000, 1 << 31
EPOLL_ADD, EPOLL_DEL, EPOLL_MOD = 1, 2, 3
EPOLL_EVENT_BYTES = 12 if platform.machine() == "x86_64" else 16  # the kernel packs it on x86-64 only
EPOLL_DATA_OFFSET = EPOLL_EVENT_BYTES - 8

_size = types.uint64
send: Any = types.ExternalFunction("send", types.int64(types.int32, types.voidptr, _size, types.int32))
recv: Any = types.ExternalFunction("recv", types.int64(types.int32, types.voidptr, _size, types.int32))
write: Any = types.ExternalFunction("write", types.int64(types.int32, types.voidptr, _size))
read: Any = types.ExternalFunction("read", types.int64(types.int32, types.voidptr, _size))
epoll_wait: Any = types.ExternalFunction(
    "epoll_wait", types.int32(types.int32, types.voidptr, types.int32, types.int32))
epoll_ctl: Any = types.ExternalFunction(
    "epoll_ctl", types.int32(types.int32, types.int32, types.int32, types.voidptr))
getrandom: Any = types.ExternalFunction("getrandom", types.int64(types.voidptr, _size, types.uint32))
memmove: Any = types.ExternalFunction("memmove", types.voidptr(types.voidptr, types.voidptr, _size))
memset: Any = types.ExternalFunction("memset", types.voidptr(types.voidptr, types.int32, _size))
clock_gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.voidptr))
ppoll: Any = types.ExternalFunction("ppoll", types.int32(types.voidptr, _size, types.voidptr, types.voidptr))
sched_yield: Any = types.ExternalFunction("sched_yield", types.int32())
pthread_self: Any = types.ExternalFunction("pthread_self", types.int64())
_errno_location: Any = types.ExternalFunction("__errno_location", types.voidptr())


@native_helper
def errno() -> int:
    """Return the calling thread's ``errno``."""
    return wide(int32_at(address_of(_errno_location()), 1)[0])


@native_helper
def copy(target: int, source: int, count: int) -> None:
    """Copy `count` bytes between addresses, which may overlap."""
    if count > 0:
        memmove(pointer(target), pointer(source), np.uint64(count))


@native_helper
def clear(target: int, count: int) -> None:
    """Zero `count` bytes."""
    if count > 0:
        memset(pointer(target), np.int32(0), np.uint64(count))


@code_generator
def two_words(typingctx: Any) -> Any:
    """``int64 two_words()``: return the address of 16 bytes on the caller's stack."""
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = cgutils.alloca_once(  # type: ignore[no-untyped-call]
            builder, ir.ArrayType(ir.IntType(64), 2))
        return builder.ptrtoint(words, ir.IntType(64))
    return types.int64(), codegen


@native_helper
def monotonic_us() -> int:
    """Return CLOCK_MONOTONIC in microseconds; read by the vDSO, without a system call."""
    time = two_words()
    clock_gettime(np.int32(1), pointer(time))
    parts = int64_at(time, 2)
    return parts[0] * 1_000_000 + parts[1] // 1000


@native_helper
def wake_event_fd(event_fd: int) -> None:
    """Add one to an eventfd: one write(2), which does not block."""
    one = two_words()
    int64_at(one, 1)[0] = 1
    write(np.int32(event_fd), pointer(one), np.uint64(8))


@native_helper
def drain_event_fd(event_fd: int) -> None:
    """Reset an eventfd to zero; it must be readable, or this would block."""
    value = two_words()
    read(np.int32(event_fd), pointer(value), np.uint64(8))


@native_helper
def nap(microseconds: int) -> None:
    """Sleep for `microseconds`, less than a million."""
    time = two_words()
    int64_at(time, 2)[0] = 0
    int64_at(time, 2)[1] = microseconds * 1000
    ppoll(pointer(0), np.uint64(0), pointer(time), pointer(0))


@native_helper
def sleep_on(event_fd: int, timeout_us: int) -> int:
    """Block until the eventfd is written, and return 1; or until `timeout_us` is over, and return 0. Below 0: no limit.
    """
    request = two_words()
    int32_at(request, 2)[0] = np.int32(event_fd)
    int32_at(request, 2)[1] = np.int32(EPOLLIN)  # POLLIN has the same value; the high half are its results
    if timeout_us < 0:
        return 1 if ppoll(pointer(request), np.uint64(1), pointer(0), pointer(0)) > 0 else 0
    time = two_words()
    int64_at(time, 2)[0] = timeout_us // 1_000_000
    int64_at(time, 2)[1] = timeout_us % 1_000_000 * 1000
    return 1 if ppoll(pointer(request), np.uint64(1), pointer(time), pointer(0)) > 0 else 0
