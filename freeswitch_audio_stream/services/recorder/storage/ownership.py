"""Who goes on with a recording: one process alone, or one of several that share a store."""

from __future__ import annotations

from typing import Callable, Protocol, Sequence

from .interface import Unfinished


class Ownership(Protocol):
    """One for a process. All methods are for its event loop, and raise StoreError."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes use the same store."""

    async def open(self, on_lost: Callable[[str, str], None]) -> None:
        """Begin; from now on `on_lost` gets the ids of recordings that go on elsewhere, and why."""

    async def take(self, id: str) -> Unfinished | None:
        """Go on with an unfinished recording that another process has, or had; None where there is none."""

    async def take_orphans(self) -> Sequence[Unfinished]:
        """Go on with some unfinished recordings whose process has ended, and return them."""

    async def take_ended(self) -> Sequence[str]:
        """Return finished recordings whose process has ended before the catalogue said so; no other gets them."""

    async def leave(self) -> None:
        """Let the others go on with everything, at once."""


class SoleOwner:
    """The `Ownership` of a process that has its store for itself."""

    is_shared = False

    async def open(self, on_lost: Callable[[str, str], None]) -> None:
        pass

    async def take(self, id: str) -> Unfinished | None:
        return None

    async def take_orphans(self) -> Sequence[Unfinished]:
        return ()

    async def take_ended(self) -> Sequence[str]:
        return ()

    async def leave(self) -> None:
        pass
