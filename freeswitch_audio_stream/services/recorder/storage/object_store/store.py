"""The store for many machines: bytes in an object store, and in PostgreSQL where they are.

Whatever has come in a few milliseconds, of whichever recordings, becomes one object, and one transaction says which of
its bytes are whose. Then it is acknowledged. The transaction names the epoch in which this replica owns each recording:
where another one has taken it meanwhile, it adds nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Awaitable, Callable, Mapping, Sequence

from ..interface import (AUDIO, Interrupted, Recording, Stored, StoreError, Unfinished, UnknownRecording, Write)
from ..postgres.owners import Owned
from ..postgres.recordings import Recordings, Segment, Step
from ..wav import HEADER_BYTES
from .composing import PACKS, Composer, wav_name
from .derived import StoredDerived
from .objects import Objects
from .reading import SegmentReader
from .rounds import Pending, Rounds

GATHER_SECONDS = 0.02
_WORTH_JOINING = 256
"""Segments of one recording."""
_READ_AGAIN = 3
"""Bytes may move to another object between the look for them and the reading."""

_ELSEWHERE = "another replica goes on with it"

OnLost = Callable[[str, str], None]


@dataclass
class _Held:
    """A recording that this replica owns."""

    unfinished: Unfinished
    epoch: int
    writes: int
    """Rounds that have been begun."""
    lengths: dict[int, int] = field(default_factory=dict)
    """Bytes, with those that are under way."""
    error: str = ""
    """Why it was let go of."""
    is_finishing: bool = False
    segments: int = 0
    """That have come since they were joined last."""
    last: asyncio.Future[None] | None = None
    """The last write."""


@dataclass
class _Part:
    """What one recording has in a round."""

    held: _Held
    step: Step
    pending: list[Pending]


class ObjectStore:
    """An `AudioStore` of many processes. Recordings that it owns are `unfinished`."""

    def __init__(self, objects: Objects, recordings: Recordings, tell: Callable[[str], None],
                 gather_seconds: float = GATHER_SECONDS) -> None:
        """`on_lost` is to be set before it is used: it gets the ids of recordings that go on elsewhere, and why."""
        self.unfinished: dict[str, Unfinished] = {}
        self.on_lost: OnLost = lambda id, why: None
        self.compose: Callable[[str], Awaitable[None]]
        """Called when a recording has been finished; returns when it is composed, or when that takes too long."""
        self.reader = SegmentReader(objects, recordings)
        self.composer = Composer(objects, recordings, self.reader)
        self.compose = self.composer.compose
        self.join: Callable[[str], Awaitable[None]] | None = None
        """Called when so many segments have come that they are worth joining."""
        self.derived = StoredDerived(objects)
        self._joining: set[asyncio.Task[None]] = set()
        self._objects = objects
        self._recordings = recordings
        self._tell = tell
        self._held: dict[str, _Held] = {}
        self._names = uuid.uuid4().hex
        self._count = 0
        self._is_open = True
        self._rounds = Rounds(self._prepare, gather_seconds, lambda error: tell(f"defect of the store: {error!r}"))

    def hold(self, owned: Owned) -> Unfinished:
        """Go on with a recording that this replica owns from now on."""
        id = owned.unfinished.recording.id
        self._held[id] = _Held(owned.unfinished, owned.epoch, owned.writes, dict(owned.unfinished.lengths))
        self.unfinished[id] = owned.unfinished
        return owned.unfinished

    def epochs(self) -> dict[str, int]:
        """Return the epochs of the recordings that are held, and are not being finished."""
        return {id: held.epoch for id, held in self._held.items() if not held.is_finishing}

    def check(self, before: Mapping[str, int], owned: Mapping[str, int]) -> None:
        """Let go of recordings that were held `before` it was asked which are `owned`, and are not among those."""
        for id, epoch in before.items():
            held = self._held.get(id)
            if held is not None and held.epoch == epoch != owned.get(id) and not held.is_finishing:
                self._lose(id, held, _ELSEWHERE)

    def _lose(self, id: str, held: _Held, why: str) -> None:
        held.error = held.error or why
        if self._held.get(id) is held:
            self._forget(id)
            self.on_lost(id, why)

    def _forget(self, id: str) -> None:
        self._held.pop(id, None)
        self.unfinished.pop(id, None)

    async def begin(self, recording: Recording) -> None:
        self._check_open()
        await self._recordings.begin(recording)
        self.hold(Owned(Unfinished(recording, {AUDIO: 0}), 1, 0))

    def _check_open(self) -> None:
        if not self._is_open:
            raise Interrupted("the service is being shut down: connect again in a moment")

    async def append(self, id: str, write: Write) -> None:
        self._check_open()
        held = self._held.get(id)
        if held is None or held.is_finishing:
            raise Interrupted(f"the recording {id} goes on elsewhere, is finished, or has been deleted")
        held.last = self._rounds.add(id, write)
        await held.last

    # A round.

    def _prepare(self, batch: list[Pending]) -> _Round:
        name = f"{PACKS}/{self._names}/{self._count:010d}"
        self._count += 1
        by_id: dict[str, list[Pending]] = {}
        for pending in batch:
            by_id.setdefault(pending.id, []).append(pending)
        data: list[bytes] = []
        parts = []
        offset = 0
        for id, of_one in by_id.items():
            held = self._held.get(id)
            if held is None:
                for pending in of_one:
                    pending.settle(Interrupted(f"the recording {id} goes on elsewhere"))
                continue
            segments: list[tuple[int, Segment]] = []
            for stream in sorted({stream for pending in of_one for stream, _ in pending.write.parts}):
                joined = b"".join(bytes_ for pending in of_one for which, bytes_ in pending.write.parts
                                  if which == stream)
                if not joined:
                    continue
                begin = held.lengths.get(stream, 0)
                segments.append((stream, Segment(begin, len(joined), name, offset)))
                held.lengths[stream] = begin + len(joined)
                data.append(joined)
                offset += len(joined)
            held.writes += 1
            step = Step(id, held.epoch, held.writes, of_one[-1].write.progress, dict(held.lengths), segments)
            parts.append(_Part(held, step, of_one))
        return _Round(self, name, b"".join(data), parts)

    async def upload(self, name: str, data: bytes) -> None:
        """Store the object of a round."""
        await self._objects.put(name, data)

    async def commit(self, parts: Sequence[_Part]) -> None:
        """Say whose the bytes of a round are, and tell those who wait."""
        going = [part for part in parts if not part.held.error]
        done: set[str] = set()
        why = _ELSEWHERE
        try:
            done = await self._recordings.commit([part.step for part in going]) if going else set()
        except StoreError as error:
            why = str(error)
        for part in parts:
            if part.step.id in done:
                part.held.unfinished.lengths.update(part.step.lengths)
                part.held.unfinished.progress = part.step.progress
                self._count_segments(part)
            else:
                self._lose(part.step.id, part.held, why)
            refusal = None if part.step.id in done else Interrupted(part.held.error)
            for pending in part.pending:
                pending.settle(refusal)

    def _count_segments(self, part: _Part) -> None:
        part.held.segments += len(part.step.segments)
        if part.held.segments >= _WORTH_JOINING and self.join is not None:
            part.held.segments = 0
            task = asyncio.ensure_future(self._join(part.step.id, self.join))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)

    async def _join(self, id: str, join: Callable[[str], Awaitable[None]]) -> None:
        try:
            await join(id)
        except StoreError as error:
            self._tell(f"segments of recording {id} are not joined for now: {error}")

    def fail(self, parts: Sequence[_Part], why: str) -> None:
        """A round's bytes could not be stored: nothing may follow them."""
        for part in parts:
            self._lose(part.step.id, part.held, why)

    # What has been stored.

    async def read(self, id: str, offset: int, most: int, stream: int = AUDIO) -> bytes:
        for attempt in range(_READ_AGAIN):
            known = await self._recordings.known(id)
            if known is None:
                raise UnknownRecording(f"there is no recording {id}")
            try:
                if known.is_composed and stream == AUDIO:
                    length = min(most, known.audio_bytes - offset)
                    return await self._objects.read(wav_name(id), HEADER_BYTES + offset, length) if length > 0 else b""
                end = offset + most
                if stream == AUDIO and not known.is_open:
                    end = min(end, known.audio_bytes)
                return await self.reader.read(id, stream, offset, end)
            except UnknownRecording:
                if attempt == _READ_AGAIN - 1:
                    raise
        raise AssertionError("not reached")

    async def finish(self, id: str) -> Stored:
        held = self._held.get(id)
        if held is None:
            return await self.stored(id)
        self._check_open()
        held.is_finishing = True
        if held.last is not None:
            await asyncio.wait({held.last})
        if held.error:
            raise Interrupted(held.error)
        if not await self._recordings.finish(id, held.epoch):
            self._lose(id, held, _ELSEWHERE)
            raise Interrupted(held.error)
        self._forget(id)
        try:
            await self.compose(id)
        except StoreError as error:
            self._tell(f"recording {id} is not composed yet ({error}): it is tried again")
        return await self.stored(id)

    async def stored(self, id: str) -> Stored:
        known = await self._recordings.known(id)
        if known is None or known.is_open:
            raise UnknownRecording(f"there is no finished recording {id}")
        return Stored(self.place(id), known.audio_bytes)

    def place(self, id: str) -> str:
        """Return where a recording's WAV file is, or will be."""
        return self._objects.place(wav_name(id))

    async def delete(self, id: str) -> None:
        held = self._held.get(id)
        if held is not None:
            held.error = "it has been deleted"
            self._forget(id)
        await self.composer.delete(id)

    async def close(self) -> None:
        self._is_open = False
        await self._rounds.drain()
        await asyncio.gather(*self._joining)


@dataclass(frozen=True)
class _Round:
    """See `rounds.Round`."""

    store: ObjectStore
    name: str
    data: bytes
    parts: list[_Part]

    async def upload(self) -> None:
        if self.data:
            try:
                await self.store.upload(self.name, self.data)
            except StoreError as error:
                self.store.fail(self.parts, str(error))

    async def commit(self) -> None:
        await self.store.commit(self.parts)
