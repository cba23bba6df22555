"""Memory for compiled code: one mapping, divided into named parts and released as a whole."""

from __future__ import annotations

import mmap
from functools import lru_cache
from operator import itemgetter
from typing import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

CACHE_LINE = 64
"""Bytes; data that different threads write lies in different cache lines, to avoid false sharing."""

_PAGE = mmap.PAGESIZE


class Arena:
    """One anonymous memory mapping, divided into named parts.

    A page takes no physical memory until it is written to, so a part may be as large as its worst case. Parts of a
    page or more begin at a page boundary; smaller ones share pages. Transparent huge pages are disabled, because the
    first byte written to a ring would then commit two megabytes.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        """`sizes` are bytes by name of the part; raise OSError if the mapping fails."""
        self._places, total = _places(tuple(sizes.items()))
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        mapping = mmap.mmap(-1, total, flags=flags)
        mapping.madvise(mmap.MADV_NOHUGEPAGE)
        self._octets: NDArray[np.uint8] | None = np.frombuffer(mapping, np.uint8)
        self._begin = int(self._octets.ctypes.data)

    @property
    def names(self) -> Iterable[str]:
        """The names of the parts."""
        return self._places

    def address(self, name: str) -> int:
        """Return the address at which a part begins, a multiple of CACHE_LINE."""
        return self._begin + self._places[name].start

    def part(self, name: str) -> NDArray[np.uint8]:
        """Return a uint8[size] view of a part, which is zeroed at first."""
        assert self._octets is not None
        return self._octets[self._places[name]]

    def release(self) -> None:
        """Unmap the memory. Only when no thread can use any address in it any more."""
        self._octets = None


@lru_cache(maxsize=64)
def _places(sizes: tuple[tuple[str, int], ...]) -> tuple[dict[str, slice], int]:
    """Return where each part lies, and the bytes of all. Cached: most streams have the same parts, and a table takes
    kilobytes.
    """
    places: dict[str, slice] = {}
    position = 0
    for name, size in sorted(sizes, key=itemgetter(1)):
        boundary = CACHE_LINE if size < _PAGE else _PAGE
        position = -(-position // boundary) * boundary
        places[name] = slice(position, position + size)
        position += size
    return places, max(1, position)
