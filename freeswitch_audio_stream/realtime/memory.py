"""Memory for compiled code: mapped lazily, given out in parts, released as a whole."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

_PAGE = mmap.PAGESIZE


class Arena:
    """One anonymous mapping, cut into parts that each begin on a page.

    Pages cost nothing until they are written to, so a part may be as large as its worst case. Huge pages are
    declined: the first byte of a ring would commit two megabytes.
    """

    def __init__(self, sizes: dict[str, int]) -> None:
        """`sizes` are bytes. `part[name]` is zeroed uint8 memory, `address[name]` where it begins."""
        pages = {name: -(-size // _PAGE) for name, size in sizes.items()}
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        mapping = mmap.mmap(-1, max(1, sum(pages.values())) * _PAGE, flags=flags)
        mapping.madvise(mmap.MADV_NOHUGEPAGE)
        octets = np.frombuffer(mapping, np.uint8)
        self.part: dict[str, NDArray[np.uint8]] = {}
        self.address: dict[str, int] = {}
        position = 0
        for name, count in pages.items():
            self.part[name] = octets[position:position + sizes[name]]
            self.address[name] = int(octets.ctypes.data) + position
            position += count * _PAGE

    def release(self) -> None:
        """Unmap. Only when no thread of any kind can still use an address of it."""
        self.part.clear()
        self.address.clear()
