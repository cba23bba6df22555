"""A session: one recording, and the connections that write to it, one chunk after the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import replace
from functools import partial
from typing import Any, Callable, NamedTuple

import orjson

from ....errors import AudioStreamError
from ..formats.decoder import Decoder
from ..formats.wav_input import Compressed, FormatError, WavInput
from ..storage.catalogue import SessionRow
from ..storage.interface import AUDIO, AudioStore, Interrupted, Progress, StoreError, Unfinished, Write

LATE_SECONDS = 2.0
"""An acknowledgement that takes longer is told of: live audio came faster than it could be made durable."""


_MOST_UNDER_WAY = 16
"""Writes of decoded samples that are not durable yet; nothing more is decoded meanwhile. A crash costs none of them:
what they come from is durable, and is decoded again.
"""


class SessionClosed(AudioStreamError):
    """The session takes nothing any more."""


class QuotaReached(StoreError):
    """The user has stored as much as may be."""


class Taken(NamedTuple):
    """A chunk on its way to the disk."""

    done: asyncio.Future[Any]
    """Done when it is durable, or has the error of one that will not be."""
    progress: Progress
    """Of the session, this chunk included."""
    begun: float
    """When it came (time.monotonic)."""


class Input:
    """What one connection sends, and its place in the session's samples."""

    def __init__(self, unfinished: Unfinished) -> None:
        self.wav = WavInput(unfinished.recording)
        self.skip = 0
        """Bytes to leave out: they complete a sample that others could not wait for."""
        self.decoder: Decoder | None = None
        self.source = 0
        """The stream of what it has sent compressed."""
        self.under_way: deque[asyncio.Future[Any]] = deque()
        """Writes of what has been decoded of it."""
        self.is_taken_over = asyncio.Event()
        """It is to end, for its client goes on with another connection."""
        self.has_left = asyncio.Event()


class Session:
    """One active session; on the event loop."""

    def __init__(self, row: SessionRow, store: AudioStore, most_bytes: Callable[[], int | None], longest_seconds: float,
                 log_level: str, tell: Callable[[str], None]) -> None:
        """`most_bytes` returns how many bytes its user may store in this session; `log_level` is FFmpeg's, and `tell`
        gets what it says.
        """
        self.row = row
        self._store = store
        self._unfinished = store.unfinished[row.id]
        self._progress = self._unfinished.progress
        self._audio = self._unfinished.length()
        self._partial: Input | None = None
        self._most_bytes = most_bytes
        self._longest = longest_seconds
        self._log_level = log_level
        self._tell = tell
        self._sources: dict[int, tuple[str, int]] = {
            int(stream): (kind, done) for stream, (kind, done) in orjson.loads(self._progress.note or b"{}").items()}
        """What has been sent compressed and is not all decoded: its kind, and the bytes of samples that are there."""
        self._last_source = max([0, *self._unfinished.lengths])
        self.inputs: set[Input] = set()
        self.idle_since = time.monotonic()
        self.closed: asyncio.Future[SessionRow] = asyncio.get_running_loop().create_future()
        """The final state, once it is completed or has failed; Interrupted where it goes on elsewhere."""
        self.is_closing = False
        self.degraded = row.degraded or self._unfinished.damage
        self.error = ""

    @property
    def seconds(self) -> float:
        """How long its samples last, those included that are not durable yet."""
        return self._unfinished.recording.seconds(self._audio)

    def current(self) -> SessionRow:
        """Return the session as it is acknowledged by now."""
        if self.closed.done() and self.closed.exception() is None:
            return self.closed.result()
        done = self._unfinished.progress
        return replace(self.row, chunks=done.chunks, received=done.received, audio_bytes=self._unfinished.length(),
                       updated=time.time(), degraded=self.degraded, error=self.error)

    def interrupt(self, why: str) -> None:
        """Take nothing any more, and tell all connections: it goes on elsewhere."""
        self.is_closing = True
        if not self.closed.done():
            self.closed.set_exception(Interrupted(why))
            self.closed.exception()  # there may be no connection that looks at it

    def join(self) -> Input:
        """Add a connection."""
        joined = Input(self._unfinished)
        self.inputs.add(joined)
        return joined

    async def take_over(self) -> None:
        """Have all connections end, and return when what they have sent is durable: `current` counts it. Raise
        StoreError.
        """
        others = list(self.inputs)
        for other in others:
            other.is_taken_over.set()
        for other in others:
            await other.has_left.wait()
        await self._store.append(self.row.id, Write((), self._progress))  # behind all that was submitted

    async def leave(self, left: Input) -> None:
        """Remove a connection; what it has sent is complete."""
        self.inputs.discard(left)
        self.idle_since = time.monotonic()
        try:
            await self._finish_source(left)
            rest = left.wav.end()
            if rest and not self.is_closing:
                await self._write(left, rest, 0, 0)
        finally:
            left.has_left.set()

    def add(self, sender: Input, chunk: bytes) -> Taken:
        """Take a chunk; chunks are carried out in the order of the calls. `acknowledged` is called once it is done.

        Raise SessionClosed, FormatError where the chunk is not taken and the session goes on, or QuotaReached.
        """
        if self.is_closing:
            raise SessionClosed("the session is closed")
        begun = time.monotonic()
        if sender.decoder is not None:
            done = self._decode(sender, sender.decoder, chunk, len(chunk))
            return Taken(done, self._progress, begun)
        try:
            samples = sender.wav.take(chunk)
        except Compressed as found:
            self._last_source += 1
            sender.source = self._last_source
            self._sources[sender.source] = (found.kind, 0)
            sender.decoder = self._decoder(sender, found.kind)
            done = self._decode(sender, sender.decoder, found.data, len(chunk))
        else:
            done = self._write(sender, samples, 1, len(chunk))
        return Taken(done, self._progress, begun)

    def acknowledged(self, taken: Taken) -> None:
        """What has been taken is durable, and is told to be."""
        if time.monotonic() - taken.begun > LATE_SECONDS and not self.degraded:
            self.degraded = "storage could not keep up with the audio: it was acknowledged late"

    def _decoder(self, sender: Input, kind: str, skip: int = 0) -> Decoder:
        sender.skip = skip
        return Decoder(kind, self._unfinished.recording, partial(self._decoded, sender), self._log_level,
                       lambda line: self._tell(f"session {self.row.id}: FFmpeg: {line}"))

    def _decode(self, sender: Input, decoder: Decoder, data: bytes, size: int) -> asyncio.Future[Any]:
        """What came compressed is durable as it came, before it is acknowledged: it can be decoded again."""
        self._progress = self._advanced(1, size)
        return asyncio.gather(self._store_it(((sender.source, data),)), decoder.feed(data))

    async def _decoded(self, sender: Input, samples: bytes) -> None:
        left_out = min(sender.skip, len(samples))
        samples, sender.skip = samples[left_out:], sender.skip - left_out
        if self.seconds > self._longest:
            raise FormatError("the audio is longer than a session may last")
        if samples:
            kind, done = self._sources[sender.source]
            self._sources[sender.source] = (kind, done + len(samples))
            sender.under_way.append(self._write(sender, samples, 0, 0))
            if len(sender.under_way) > _MOST_UNDER_WAY:
                await sender.under_way.popleft()

    async def _finish_source(self, sender: Input) -> None:
        """Decode what is left of what a connection has sent."""
        decoder, sender.decoder = sender.decoder, None
        if decoder is None:
            return
        try:
            await decoder.finish()
        except FormatError as error:
            self.degraded = self.degraded or str(error)
        finally:
            written = await asyncio.gather(*sender.under_way, return_exceptions=True)
            sender.under_way.clear()
        for result in written:
            if isinstance(result, BaseException):
                raise result
        self._sources.pop(sender.source, None)

    async def finish_sources(self) -> None:
        """Decode what is left of all connections, before the session is finished."""
        for sender in list(self.inputs):
            await self._finish_source(sender)

    async def decode_again(self) -> None:
        """After a crash: decode what was acknowledged compressed and is not there as samples yet."""
        for source, (kind, done) in list(self._sources.items()):
            sender = Input(self._unfinished)
            sender.source = source
            sender.decoder = self._decoder(sender, kind, done)
            at = 0
            try:
                while piece := await self._store.read(self.row.id, at, 1 << 18, source):
                    await sender.decoder.feed(piece)
                    at += len(piece)
            except FormatError as error:
                self.degraded = self.degraded or str(error)
            await self._finish_source(sender)

    def _advanced(self, chunks: int, size: int) -> Progress:
        note = orjson.dumps({str(source): state for source, state in self._sources.items()}) if self._sources else b""
        return Progress(self._progress.chunks + chunks, self._progress.received + size, note)

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

    def _write(self, sender: Input, samples: bytes, chunks: int, size: int) -> asyncio.Future[Any]:
        samples = samples if sender.source else self._aligned(sender, samples)
        most = self._most_bytes()
        if most is not None and self._audio + len(samples) > most:
            raise QuotaReached("the user's share of the storage is used up: delete recordings, or ask for more")
        self._audio += len(samples)
        self._progress = self._advanced(chunks, size)
        return self._store_it(((AUDIO, samples),) if samples else ())

    def _store_it(self, parts: tuple[tuple[int, bytes], ...]) -> asyncio.Future[Any]:
        return asyncio.ensure_future(self._store.append(self.row.id, Write(parts, self._progress)))
