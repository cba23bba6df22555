"""What is made of finished recordings beforehand: objects beside theirs."""

from __future__ import annotations

from typing import AsyncIterator

from ..interface import UnknownRecording
from .composing import WAVS
from .objects import Objects


class StoredDerived:
    """A `Derived`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def read(self, id: str, name: str) -> AsyncIterator[bytes] | None:
        try:
            return await self._objects.stream(_name(id, name))
        except UnknownRecording:
            return None

    async def write(self, id: str, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Store what was made; it is there when all of it is durable, and not before."""
        await self._objects.write(_name(id, name), pieces)


def _name(id: str, name: str) -> str:
    return f"{WAVS}/{id}/{id}.{name}"
