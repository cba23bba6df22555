"""Memory for compiled code: mapped lazily, given out in parts, released as a whole."""

from __future__ import annotations

import mmap
from functools import lru_cache
from operator import itemgetter
from typing import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

CACHE_LINE = 64
"""Bytes that one processor core takes from another at once: what two threads write to lies apart by it."""

_PAGE = mmap.PAGESIZE


class Arena:
    """One anonymous mapping, cut into parts.

    Pages cost nothing until they are written to, so a part may be as large as its worst case: from a page on, parts
    begin on one. Smaller ones share theirs. Huge pages are declined: the first byte of a ring would commit two
    megabytes.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        """`sizes` are bytes."""
        self._places, total = _places(tuple(sizes.items()))
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        mapping = mmap.mmap(-1, total, flags=flags)
        mapping.madvise(mmap.MADV_NOHUGEPAGE)
        self._octets: NDArray[np.uint8] | None = np.frombuffer(mapping, np.uint8)
        self._begin = int(self._octets.ctypes.data)

    @property
    def names(self) -> Iterable[str]:
        """Of the parts."""
        return self._places

    def address(self, name: str) -> int:
        """Where a part begins: on a cache line of its own, at least."""
        return self._begin + self._places[name].start

    def part(self, name: str) -> NDArray[np.uint8]:
        """uint8[its size]: the memory of a part, zeroed at first."""
        assert self._octets is not None
        return self._octets[self._places[name]]

    def release(self) -> None:
        """Unmap. Only when no thread of any kind can still use an address of it."""
        self._octets = None


@lru_cache(maxsize=64)
def _places(sizes: tuple[tuple[str, int], ...]) -> tuple[dict[str, slice], int]:
    """Where parts lie, and bytes of them all. Shared: most streams are alike, and a table of their own is kilobytes."""
    places: dict[str, slice] = {}
    position = 0
    for name, size in sorted(sizes, key=itemgetter(1)):
        boundary = CACHE_LINE if size < _PAGE else _PAGE
        position = -(-position // boundary) * boundary
        places[name] = slice(position, position + size)
        position += size
    return places, max(1, position)
