"""The file that the receiver's process and the benchmark both map: orders, counters and histograms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..histogram import BUCKETS
from .records import CONNECTION, CONTROL, REPLY_BYTES, SLOTS

_LAYOUT = np.dtype([("control", CONTROL), ("connections", CONNECTION, (SLOTS,)), ("ages", "i8", (BUCKETS,)),
                    ("gaps", "i8", (BUCKETS,)), ("reply", "u1", (REPLY_BYTES,))])


class SharedMemory:
    """See `layout` for the records. Both sides may look at any time; who writes what is said there."""

    def __init__(self, mapped: NDArray[Any]) -> None:
        self.control = mapped["control"]
        """CONTROL[1]."""
        self.connections: NDArray[Any] = mapped["connections"][0]
        """CONNECTION[SLOTS]; a slot without a connection has fd −1."""
        self.ages: NDArray[np.int64] = mapped["ages"][0]
        """Histogram of the ages of stamps."""
        self.gaps: NDArray[np.int64] = mapped["gaps"][0]
        """Histogram of the times between two frames of a connection."""
        self.reply: NDArray[np.uint8] = mapped["reply"][0]
        """The prepared reply."""

    @classmethod
    def create(cls, file: Path) -> "SharedMemory":
        """A new file, which must not be there yet."""
        file.write_bytes(bytes(_LAYOUT.itemsize))
        memory = cls.open(str(file))
        memory.connections["fd"] = -1
        return memory

    @classmethod
    def open(cls, file: str) -> "SharedMemory":
        """Map an existing one."""
        return cls(np.memmap(file, _LAYOUT, "r+", shape=(1,)))
