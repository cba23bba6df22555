"""Locks and the clock: those of the C library, for compiled code and for Python."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numba import types

from ..native.atomics import int64_at, pointer
from ..native.compiler import native_helper

CLOCK_MONOTONIC = 1
TIMER_ABSTIME = 1
PTHREAD_MUTEX_RECURSIVE = 1


def _on_lock(name: str) -> Any:
    return types.ExternalFunction(name, types.int32(types.voidptr))


_mutex_lock = _on_lock("pthread_mutex_lock")
_mutex_trylock = _on_lock("pthread_mutex_trylock")
_mutex_unlock = _on_lock("pthread_mutex_unlock")
_rwlock_rdlock = _on_lock("pthread_rwlock_rdlock")
_rwlock_wrlock = _on_lock("pthread_rwlock_wrlock")
_rwlock_unlock = _on_lock("pthread_rwlock_unlock")
_clock_gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.voidptr))
_clock_nanosleep: Any = types.ExternalFunction(
    "clock_nanosleep", types.int32(types.int32, types.int32, types.voidptr, types.voidptr))


@native_helper
def lock(mutex: int) -> None:
    _mutex_lock(pointer(mutex))


@native_helper
def try_lock(mutex: int) -> bool:
    return _mutex_trylock(pointer(mutex)) == 0  # type: ignore[no-any-return]


@native_helper
def unlock(mutex: int) -> None:
    _mutex_unlock(pointer(mutex))


@native_helper
def read_lock(rwlock: int) -> None:
    _rwlock_rdlock(pointer(rwlock))


@native_helper
def write_lock(rwlock: int) -> None:
    _rwlock_wrlock(pointer(rwlock))


@native_helper
def rw_unlock(rwlock: int) -> None:
    _rwlock_unlock(pointer(rwlock))


@native_helper
def now_ns(timespec: int) -> int:
    """CLOCK_MONOTONIC in nanoseconds; `timespec` is the address of 16 bytes of scratch."""
    _clock_gettime(np.int32(CLOCK_MONOTONIC), pointer(timespec))
    parts = int64_at(timespec, 2)
    return parts[0] * 1_000_000_000 + parts[1]  # type: ignore[no-any-return]


@native_helper
def sleep_until(due_ns: int, timespec: int) -> None:
    """Sleep to an absolute instant of CLOCK_MONOTONIC; not at all if it has passed."""
    parts = int64_at(timespec, 2)
    parts[0] = due_ns // 1_000_000_000
    parts[1] = due_ns % 1_000_000_000
    _clock_nanosleep(np.int32(CLOCK_MONOTONIC), np.int32(TIMER_ABSTIME), pointer(timespec), pointer(0))


C = ctypes.CDLL(None)
"""The C library for Python; every call releases the GIL."""
for _name in ("pthread_mutex_lock", "pthread_mutex_unlock", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock",
              "pthread_rwlock_tryrdlock", "pthread_rwlock_trywrlock", "pthread_rwlock_unlock"):
    getattr(C, _name).argtypes = (ctypes.c_void_p,)
C.strdup.argtypes, C.strdup.restype = (ctypes.c_char_p,), ctypes.c_void_p
C.realloc.argtypes, C.realloc.restype = (ctypes.c_void_p, ctypes.c_size_t), ctypes.c_void_p


def make_mutex(address: int) -> int:
    """Turn LOCK_BYTES of zeroed memory into a mutex that its holder may lock again, as all the switch's
    are.
    """
    attributes = ctypes.create_string_buffer(64)
    C.pthread_mutexattr_init(attributes)
    C.pthread_mutexattr_settype(attributes, PTHREAD_MUTEX_RECURSIVE)
    C.pthread_mutex_init(ctypes.c_void_p(address), attributes)
    C.pthread_mutexattr_destroy(attributes)
    return address


def make_rwlock(address: int) -> int:
    """Turn LOCK_BYTES of zeroed memory into a read-write lock."""
    C.pthread_rwlock_init(ctypes.c_void_p(address), None)
    return address
