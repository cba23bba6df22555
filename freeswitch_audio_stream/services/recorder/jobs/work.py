"""What there is to do for a recording once it has ended, and for all of them from time to time."""

from __future__ import annotations

import asyncio
from typing import AsyncIterator

from ..formats.encoder import ENCODINGS, Encoder
from ..formats.waveform import BASE, peaks_of_samples
from ..storage.derived import PEAKS
from ..storage.interface import Recording, UnknownRecording
from ..storage.object_store.store import ObjectStore
from ..storage.postgres.recordings import Known, Recordings

_PIECE_FRAMES = 256 * BASE


class Work:
    """On the event loop, which it does not block. All of it may be done twice; all methods raise StoreError."""

    def __init__(self, store: ObjectStore, recordings: Recordings) -> None:
        self.composer = store.composer
        self._store = store
        self._recordings = recordings

    async def waveform(self, id: str) -> None:
        """Store the peaks of a finished recording, so that nobody has to read all of it to see it."""
        known = await self._finished(id)
        if known is not None:
            await self._store.derived.write(id, PEAKS, self._peaks(known))
            await self._clear_up(id)

    async def encode(self, id: str, kind: str) -> None:
        """Store a finished recording in another format. Raise OSError where FFmpeg fails."""
        known = await self._finished(id)
        if known is None:
            return
        encoder = Encoder(kind, known.recording)
        try:
            await encoder.start()
            await self._store.derived.write(id, ENCODINGS[kind].suffix, encoder.pieces(self._samples(known)))
        finally:
            encoder.end()
        await self._clear_up(id)

    async def _finished(self, id: str) -> Known | None:
        known = await self._recordings.known(id)
        return known if known is not None and not known.is_open else None

    async def _clear_up(self, id: str) -> None:
        """It may have been deleted meanwhile."""
        if await self._recordings.known(id) is None:
            await self.composer.delete(id)

    async def _peaks(self, known: Known) -> AsyncIterator[bytes]:
        async for samples in self._samples(known):
            peaks = await asyncio.to_thread(peaks_of_samples, samples, known.recording.channels, BASE)
            yield peaks[:len(samples) // (BASE * known.recording.frame_bytes)].astype("<i2").tobytes()

    async def _samples(self, known: Known) -> AsyncIterator[bytes]:
        recording: Recording = known.recording
        piece, begin = _PIECE_FRAMES * recording.frame_bytes, 0
        while begin < known.audio_bytes:
            size = min(piece, known.audio_bytes - begin)
            samples = await self._store.read(recording.id, begin, size)
            if len(samples) < size:
                raise UnknownRecording(f"the recording {recording.id} has been deleted")
            yield samples
            begin += size
