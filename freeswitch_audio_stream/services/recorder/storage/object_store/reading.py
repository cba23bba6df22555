"""From where the bytes of a recording are to the bytes."""

from __future__ import annotations

import asyncio
from typing import AsyncIterator, Sequence

from ..interface import StoreError
from ..postgres.recordings import Recordings, Segment
from .objects import Objects

_SEGMENTS = 256
"""That are asked for at once."""
_AT_ONCE = 16
"""Objects that are read at once."""
_PIECE_BYTES = 1 << 22


class SegmentReader:
    """For an event loop."""

    def __init__(self, objects: Objects, recordings: Recordings) -> None:
        self._objects = objects
        self._recordings = recordings
        self._limit = asyncio.Semaphore(_AT_ONCE)

    async def read(self, id: str, stream: int, begin: int, end: int) -> bytes:
        """Return the bytes of a stream from `begin` to `end`, as far as they are there; raise StoreError."""
        return b"".join([piece async for piece in self.pieces(id, stream, begin, end)])

    async def pieces(self, id: str, stream: int, begin: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes of a stream from `begin` to `end`, as far as they are there; raise StoreError."""
        while begin < end:
            found = await self._recordings.segments(id, stream, begin, end, _SEGMENTS)
            for group in grouped(found):
                data = await self.joined(group)
                first = group[0].begin
                if first > begin:
                    raise StoreError(f"the recording {id} misses bytes from {begin} to {first}: a row of its segments "
                                     "is gone")
                piece = data[begin - first:end - first]
                yield piece
                begin += len(piece)
            if len(found) < _SEGMENTS:
                return

    async def joined(self, segments: Sequence[Segment]) -> bytes:
        """Return the bytes of segments, one behind the other."""
        return b"".join(await asyncio.gather(*(self._one(segment) for segment in segments)))

    async def _one(self, segment: Segment) -> bytes:
        async with self._limit:
            data = await self._objects.read(segment.object, segment.offset, segment.length)
        if len(data) != segment.length:
            raise StoreError(f"the object {segment.object} is shorter than it was")
        return data


def grouped(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Return segments in groups that are read at once, so that not all of a long recording is in memory."""
    groups: list[list[Segment]] = []
    size = 0
    for segment in segments:
        if not groups or size + segment.length > _PIECE_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(segment)
        size += segment.length
    return groups
