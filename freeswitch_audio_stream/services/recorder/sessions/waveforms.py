"""Waveforms of recordings, also while they are being made.

What has been read of a recording is remembered in pixels of `BASE` samples, so that the next look at the whole of it
reads only what has come since.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Callable

import numpy as np

from ....web.worker_lanes import WorkerLane
from ..formats.waveform import BASE, Peaks, fold, peaks_of_samples
from ..storage.catalogue import SessionRow, Status
from ..storage.derived import PEAKS, Derived
from ..storage.interface import AudioStore, Recording, UnknownRecording

MOST_PIXELS = 20_000
_REMEMBERED = 8
"""Recordings; a day of 48 kHz stereo needs 8 MB."""
_PIECE_FRAMES = 1 << 17
_STOP_SECONDS = 10.0


class _Base:
    """The peaks of a recording as far as it has been read."""

    def __init__(self, channels: int) -> None:
        self.lock = asyncio.Lock()
        self.count = 0
        self._peaks: Peaks = np.empty((1024, channels, 2), np.int16)

    @property
    def peaks(self) -> Peaks:
        return self._peaks[:self.count]

    def add(self, more: Peaks) -> None:
        needed = self.count + len(more)
        if needed > len(self._peaks):
            grown = np.empty((max(needed, 2 * len(self._peaks)), *self._peaks.shape[1:]), np.int16)
            grown[:self.count] = self.peaks
            self._peaks = grown
        self._peaks[self.count:needed] = more
        self.count = needed


class Waveforms:
    """For an event loop, which is not blocked; two are computed at a time."""

    def __init__(self, store: AudioStore, derived: Derived, on_fault: Callable[[BaseException], None]) -> None:
        self._store = store
        self._derived = derived
        self._lane = WorkerLane("waveform", 2, on_fault)
        self._bases: OrderedDict[str, _Base] = OrderedDict()

    async def read(self, row: SessionRow, per_pixel: int, first: int, last: int) -> Peaks:
        """Return the peaks of the pixels from `first` up to `last`, which is not among them; fewer where the recording
        ends. `per_pixel` is in samples, and a multiple of `BASE` where it is more. Raise StoreError.
        """
        frames = row.audio_bytes // Recording(row.id, row.rate, row.channels).frame_bytes
        begin, end = min(first * per_pixel, frames), min(last * per_pixel, frames)
        if per_pixel < BASE or begin == end:
            return await self._read_samples(row, per_pixel, begin, end)
        base = await self._base(row, end // BASE)
        known = base.peaks[begin // BASE:end // BASE]
        if end % BASE:  # the recording ends there
            known = np.concatenate((known, await self._read_samples(row, BASE, end - end % BASE, end)))
        return fold(known, per_pixel // BASE)

    def stop(self) -> None:
        """End; what is being computed is waited for."""
        self._lane.stop(time.monotonic() + _STOP_SECONDS)

    async def _base(self, row: SessionRow, pixels: int) -> _Base:
        base = self._bases.setdefault(row.id, _Base(row.channels))
        self._bases.move_to_end(row.id)
        while len(self._bases) > _REMEMBERED:
            self._bases.popitem(last=False)
        async with base.lock:
            if not base.count and row.status is not Status.ACTIVE:
                await self._read_peaks(row, base)
            while base.count < pixels:
                begin = base.count * BASE
                end = min(pixels * BASE, begin + _PIECE_FRAMES)
                base.add(await self._read_samples(row, BASE, begin, end))
        return base

    async def _read_peaks(self, row: SessionRow, base: _Base) -> None:
        """Take the peaks that have been stored, where there are any."""
        found = await self._derived.read(row.id, PEAKS)
        if found is not None:
            stored = np.frombuffer(b"".join([piece async for piece in found]), "<i2")
            base.add(stored.reshape(-1, row.channels, 2).astype(np.int16))

    async def _read_samples(self, row: SessionRow, per_pixel: int, begin: int, end: int) -> Peaks:
        found = []
        piece = max(1, _PIECE_FRAMES // per_pixel) * per_pixel
        frame = Recording(row.id, row.rate, row.channels).frame_bytes
        while begin < end:
            frames = min(piece, end - begin)
            data = await self._store.read(row.id, begin * frame, frames * frame)
            if len(data) < frames * frame:
                raise UnknownRecording(f"the recording {row.id} has been deleted")
            found.append(await self._lane.run(peaks_of_samples, data, row.channels, per_pixel))
            begin += frames
        return np.concatenate(found) if found else np.empty((0, row.channels, 2), np.int16)
