"""A session: one recording, and the connections that write to it, one chunk after the other."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Callable

from ....errors import AudioStreamError
from ..formats.wav_input import WavInput
from ..storage.catalogue import SessionRow
from ..storage.interface import AUDIO, AudioStore, Progress, StoreError, Unfinished, Write

LATE_SECONDS = 2.0
"""An acknowledgement that takes longer is told of: live audio came faster than it could be made durable."""


class SessionClosed(AudioStreamError):
    """The session takes nothing any more."""


class QuotaReached(StoreError):
    """The user has stored as much as may be."""


class Input:
    """What one connection sends, and its place in the session's samples."""

    def __init__(self, unfinished: Unfinished) -> None:
        self.wav = WavInput(unfinished.recording)
        self.skip = 0
        """Bytes to leave out: they complete a sample that others could not wait for."""


class Session:
    """One active session; on the event loop."""

    def __init__(self, row: SessionRow, store: AudioStore, most_bytes: Callable[[], int | None]) -> None:
        """`most_bytes` returns how many bytes its user may store in this session."""
        self.row = row
        self._store = store
        self._unfinished = store.unfinished[row.id]
        self._progress = self._unfinished.progress
        self._audio = self._unfinished.length()
        self._partial: Input | None = None
        self._most_bytes = most_bytes
        self.inputs: set[Input] = set()
        self.idle_since = time.monotonic()
        self.closed: asyncio.Future[SessionRow] = asyncio.get_running_loop().create_future()
        """The final state, once it is completed or has failed."""
        self.is_closing = False
        self.degraded = row.degraded or self._unfinished.damage
        self.error = ""

    @property
    def seconds(self) -> float:
        """How long its samples last, those included that are not durable yet."""
        return self._unfinished.recording.seconds(self._audio)

    def current(self) -> SessionRow:
        """Return the session as it is acknowledged by now."""
        if self.closed.done():
            return self.closed.result()
        done = self._unfinished.progress
        return replace(self.row, chunks=done.chunks, received=done.received, audio_bytes=self._unfinished.length(),
                       updated=time.time(), degraded=self.degraded, error=self.error)

    def join(self) -> Input:
        """Add a connection."""
        joined = Input(self._unfinished)
        self.inputs.add(joined)
        return joined

    async def leave(self, left: Input) -> None:
        """Remove a connection; what it has sent is complete."""
        self.inputs.discard(left)
        self.idle_since = time.monotonic()
        rest = left.wav.end()
        if rest and not self.is_closing:
            await self._write(left, rest, 0, 0)

    def add(self, sender: Input, chunk: bytes) -> asyncio.Future[Progress]:
        """Return a future that is done when `chunk` is durable; chunks are carried out in the order of the calls.

        Raise SessionClosed, FormatError where the chunk is not taken and the session goes on, or QuotaReached.
        """
        if self.is_closing:
            raise SessionClosed("the session is closed")
        samples = sender.wav.take(chunk)
        return self._write(sender, samples, 1, len(chunk))

    def _aligned(self, sender: Input, samples: bytes) -> bytes:
        """Return the samples so that they begin where a sample may: a sender's half of one is filled up with zeros."""
        samples, sender.skip = samples[sender.skip:], max(0, sender.skip - len(samples))
        frame = self._unfinished.recording.frame_bytes
        missing = -self._audio % frame
        if samples and missing and self._partial is not None and self._partial is not sender:
            self._partial.skip += missing
            samples = bytes(missing) + samples
        if samples:
            self._partial = sender
        return samples

    def _write(self, sender: Input, samples: bytes, chunks: int, size: int) -> asyncio.Future[Progress]:
        samples = self._aligned(sender, samples)
        most = self._most_bytes()
        if most is not None and self._audio + len(samples) > most:
            raise QuotaReached("the user's share of the storage is used up: delete recordings, or ask for more")
        self._audio += len(samples)
        self._progress = Progress(self._progress.chunks + chunks, self._progress.received + size)
        return asyncio.ensure_future(self._store_it(Write(((AUDIO, samples),) if samples else (), self._progress)))

    async def _store_it(self, write: Write) -> Progress:
        begun = time.monotonic()
        await self._store.append(self.row.id, write)
        if time.monotonic() - begun > LATE_SECONDS and not self.degraded:
            self.degraded = "storage could not keep up with the audio: it was acknowledged late"
        return write.progress
