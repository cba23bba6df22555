"""What every engine has."""

from __future__ import annotations

from typing import Protocol

from ..storage.catalogue import Catalogue
from ..storage.interface import AudioStore
from ..storage.ownership import Ownership


class Engine(Protocol):
    """One for a service."""

    @property
    def store(self) -> AudioStore: ...

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def ownership(self) -> Ownership: ...

    def place(self, id: str) -> str:
        """Return where a recording's WAV file is, or will be."""

    def release(self) -> None:
        """Let go of everything, before it has been opened. Blocks."""

    async def open(self) -> None:
        """Begin, on the service's event loop; raise StoreError."""

    async def close(self) -> None:
        """End; what is unfinished goes on at the next start, or elsewhere at once."""
