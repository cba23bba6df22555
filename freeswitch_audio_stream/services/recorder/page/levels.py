"""How loud sessions are right now: of what has become durable since the last look, each channel's highest sample."""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from ..sessions.session import Session
from ..storage.interface import AudioStore, StoreError

SILENT_DB = -60.0
_LONGEST_SECONDS = 0.5


class Levels:
    """What one watcher has seen of the sessions. On the event loop, which is not blocked."""

    def __init__(self, store: AudioStore) -> None:
        self._store = store
        self._seen: dict[str, int] = {}

    async def read(self, session: Session) -> list[float]:
        """Return the level of each channel in dBFS; `SILENT_DB` where it is lower, or nothing has come."""
        row = session.current()
        frame = 2 * row.channels
        end = row.audio_bytes - row.audio_bytes % frame
        begin = max(self._seen.get(row.id, 0), end - int(_LONGEST_SECONDS * row.rate) * frame)
        self._seen[row.id] = end
        try:
            data = await self._store.read(row.id, begin, end - begin) if begin < end else b""
        except StoreError:
            data = b""  # it has just been deleted
        samples = np.frombuffer(data[:len(data) - len(data) % frame], "<i2").reshape(-1, row.channels)
        if not len(samples):
            return [SILENT_DB] * row.channels
        return [decibels(int(peak)) for peak in np.abs(samples.astype(np.int32)).max(axis=0)]

    def keep(self, ids: Sequence[str]) -> None:
        """Forget all other sessions."""
        self._seen = {id: seen for id, seen in self._seen.items() if id in ids}


def decibels(peak: int) -> float:
    """Return dB below full scale of a sample's magnitude, not less than `SILENT_DB`."""
    return max(SILENT_DB, round(20 * math.log10(peak / 32768), 1)) if peak else SILENT_DB
