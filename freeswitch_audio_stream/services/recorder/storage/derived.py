"""What is made of finished recordings beforehand, where there is a store for it: peaks, and other formats."""

from __future__ import annotations

from typing import AsyncIterator, Protocol

PEAKS = "peaks"
"""Lowest and highest sample of each whole pixel of a waveform's base, little-endian int16, by pixel and channel."""


class Derived(Protocol):
    """For an event loop; all methods raise StoreError."""

    async def read(self, id: str, name: str) -> AsyncIterator[bytes] | None:
        """Return what was made of a recording; None where it is not there, or not yet."""


class NothingDerived:
    """Everything is made when it is asked for."""

    async def read(self, id: str, name: str) -> AsyncIterator[bytes] | None:
        return None
