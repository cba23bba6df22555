"""From many pieces to few, while a recording goes on; and to one WAV file, when it has ended."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import AsyncIterator

from ..interface import AUDIO, Recording
from ..postgres.recordings import Recordings, Segment
from ..wav import write_header
from .objects import Objects
from .reading import SegmentReader

_JOINED_BYTES = 8 << 20
_MOST_JOINED = 1024
_WORTH_JOINING = 16
PACKS, PARTS, WAVS = "packs", "parts", "recordings"
"""Where objects are: of rounds, of several segments of one recording, and of whole ones."""
_LEFT_ALONE = timedelta(hours=1)
"""What is younger may be in use before the database says so."""
_ASKED_AT_ONCE = 500


def wav_name(id: str) -> str:
    """Return the name of a recording's WAV file; what is made of it later lies beside it."""
    return f"{WAVS}/{id}/{id}.wav"


class Composer:
    """For an event loop. All methods may be carried out twice, and on any replica; all raise StoreError."""

    def __init__(self, objects: Objects, recordings: Recordings, reader: SegmentReader) -> None:
        self._objects = objects
        self._recordings = recordings
        self._reader = reader

    async def join(self, id: str, begin: int) -> int:
        """Join segments of the samples from a byte on; return the byte that the next time begins with."""
        found = await self._recordings.segments(id, AUDIO, begin, 1 << 62, _MOST_JOINED)
        chosen: list[Segment] = []
        for segment in found:
            if sum(one.length for one in chosen) + segment.length > _JOINED_BYTES and chosen:
                break
            chosen.append(segment)
        if len(chosen) < _WORTH_JOINING:
            return chosen[-1].begin + chosen[-1].length if chosen and len(chosen) < len(found) else begin
        first, last = chosen[0], chosen[-1]
        new = Segment(first.begin, last.begin + last.length - first.begin,
                      f"{PARTS}/{id}/{first.begin}-{uuid.uuid4().hex}", 0)
        await self._objects.put(new.object, await self._reader.joined(chosen))
        if not await self._recordings.join(id, AUDIO, chosen, new):
            await self._objects.delete([new.object])  # it has been composed, joined or deleted meanwhile
            return begin
        await self._remove({segment.object for segment in chosen})
        return new.begin + new.length

    async def compose(self, id: str) -> None:
        """Make the WAV file of a finished recording, and remove what it was made of."""
        known = await self._recordings.known(id)
        if known is None or known.is_open or known.is_composed:
            return
        await self._objects.write(wav_name(id), self._wav(known.recording, known.audio_bytes))
        used = await self._recordings.composed(id)
        if used is None:  # it has been deleted meanwhile
            await self._objects.delete([wav_name(id)])
        else:
            await self._remove(used)

    async def _wav(self, recording: Recording, audio: int) -> AsyncIterator[bytes]:
        yield write_header(recording.rate, recording.channels, audio)
        async for piece in self._reader.pieces(recording.id, AUDIO, 0, audio):
            yield piece

    async def delete(self, id: str) -> None:
        """Remove a recording and all that was made of it."""
        used = await self._recordings.delete(id)
        names = [name async for name, _ in self._objects.names(f"{WAVS}/{id}")]
        await self._objects.delete([*names, wav_name(id)])
        await self._remove(used)

    async def _remove(self, objects: set[str]) -> None:
        if objects:
            await self._objects.delete(await self._recordings.unused(sorted(objects)))

    async def collect(self) -> int:
        """Remove what crashes have left: objects that no recording has bytes in. Return how many."""
        count = 0
        before = datetime.now(timezone.utc) - _LEFT_ALONE
        for prefix in (PACKS, PARTS):
            old = [name async for name, stored in self._objects.names(f"{prefix}/") if stored < before]
            for at in range(0, len(old), _ASKED_AT_ONCE):
                unused = await self._recordings.unused(old[at:at + _ASKED_AT_ONCE])
                await self._objects.delete(unused)
                count += len(unused)
        return count
