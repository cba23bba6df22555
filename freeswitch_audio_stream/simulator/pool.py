"""Memory pools: memory that lives exactly as long as the session or module it belongs to."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import threading

CHUNK = 256 * 1024
ALIGNMENT = 64


class Pool:
    """Zeroed memory that is given out piece by piece and given back all at once, when the last reference
    goes.

    Pages come from the kernel when they are first touched, so a large buffer costs nothing until it is
    used.
    """

    _handles = itertools.count(1)
    by_handle: dict[int, Pool] = {}
    """The pools that C code may name: a ``switch_memory_pool_t *`` is such a handle."""

    def __init__(self) -> None:
        self.handle = next(self._handles)
        self._chunks: list[mmap.mmap] = []
        self._next = self._end = 0
        self._lock = threading.Lock()

    def alloc(self, size: int) -> int:
        """The address of `size` zero bytes on a cache line of their own."""
        size = -(-size // ALIGNMENT) * ALIGNMENT
        with self._lock:
            if size > CHUNK // 4:
                return self._map(size)
            if self._next + size > self._end:
                self._next = self._map(CHUNK)
                self._end = self._next + CHUNK
            self._next += size
            return self._next - size

    def strdup(self, text: bytes) -> int:
        """The address of a copy of `text` with a NUL behind it."""
        address = self.alloc(len(text) + 1)
        ctypes.memmove(address, text, len(text))
        return address

    def _map(self, size: int) -> int:
        chunk = mmap.mmap(-1, size)
        self._chunks.append(chunk)
        return ctypes.addressof(ctypes.c_char.from_buffer(chunk))
