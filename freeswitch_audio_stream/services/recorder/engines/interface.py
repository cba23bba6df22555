"""What every engine has."""

from __future__ import annotations

from typing import Awaitable, Callable, Protocol

from ..storage.catalogue import Catalogue
from ..storage.derived import Derived
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

    @property
    def derived(self) -> Derived: ...

    def place(self, id: str) -> str:
        """Return where a recording's WAV file is, or will be."""

    def release(self) -> None:
        """Let go of everything, before it has been opened. Blocks."""

    async def open(self, delete_old: Callable[[], Awaitable[None]]) -> None:
        """Begin, on the service's event loop, when the sessions are open. `delete_old` deletes recordings that have
        been kept for long enough; many machines decide who does so when.
        """

    async def close(self) -> None:
        """End; what is unfinished goes on at the next start, or elsewhere at once."""
