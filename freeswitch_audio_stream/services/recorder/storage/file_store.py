"""The store in a directory: journal, a file for each stream, and one WAV file in the end.

Whatever comes is written twice: into the file of its stream, which the kernel may keep to itself, and into the journal,
which is synced before anything is acknowledged. After a crash the journal says what the files must hold.
A recording is finished where it lies: its header is filled in, the file synced, renamed, and the folder synced. None of
its samples is moved, so it ends within moments however long it is, and on a disk that is full.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

from ....web.worker_lanes import WorkerLane
from . import journal
from .commits import Committer, Pending
from .finished import audio_bytes, open_finished
from .folder import Folder, remove
from .interface import AUDIO, Progress, Recording, Stored, StoreError, Unfinished, UnknownRecording, Write
from .recovery import Recovered, Recovery
from .sealing.master_keys import NO_KEYS, Damaged, MasterKeys, Purpose
from .segments import SYNC_INTERVAL, Policy, Segments, store_error
from .stream_file import StreamFile, open_stream

_STOP_SECONDS = 60.0


@dataclass
class _Open(Recovered):
    """An unfinished recording; on the committing thread, but for what is read of its files."""

    has_failed: bool = False
    """A write could not be done, so none may follow: what is stored has no gap."""
    has_ended: bool = False
    """Nothing can be added any more."""
    dirty: bool = False
    """Its files have been written to since the segment was begun."""


@dataclass(frozen=True)
class _Job:
    """One thing to commit: a beginning, a write, or an end."""

    id: str
    begin: Recording | None = None
    write: Write | None = None


class FileStore:
    """An `AudioStore` in a directory."""

    def __init__(self, path: Path, tell: Callable[[str], None], policy: Policy = Policy(),
                 keys: MasterKeys = NO_KEYS) -> None:
        """Repair what a crash has left. Blocks. Raise SettingError where the directory cannot be used, or a master key
        is missing for what is unfinished. With master keys, new recordings are sealed.
        """
        self.folder = Folder(path)
        self._keys = keys
        self._tell = tell
        recovery = Recovery(self.folder, keys, tell)
        try:
            self._open = {id: _Open(found.unfinished, found.key, found.files) for id, found in recovery.run().items()}
            self._segments = Segments(self.folder, policy, tell, recovery.next_segment, self._states())
        except BaseException:
            self.folder.release()
            raise
        self._beginning: dict[str, _Open] = {}
        self.unfinished: dict[str, Unfinished] = {id: open.unfinished for id, open in self._open.items()}
        self._lane = WorkerLane("files", 4, self._on_fault)
        idle = policy.interval_seconds if policy.sync == SYNC_INTERVAL else None
        self._committer: Committer[_Job] = Committer(self._commit, self._segments.sync_late, idle)

    def place(self, id: str) -> str:
        """Return where the file of a recording is, or will be when it is finished. Any thread."""
        open = self._open.get(id)
        is_sealed = open.key is not None if open is not None else bool(self._keys)
        return str(self.folder.finished(id) or self.folder.place(id, is_sealed))

    # On the event loop.

    async def begin(self, recording: Recording) -> None:
        await self._committer.submit(_Job(recording.id, begin=recording))

    def append(self, id: str, write: Write) -> asyncio.Future[Any]:
        return self._committer.submit(_Job(id, write=write), sum(len(data) for _, data in write.parts))

    async def read(self, id: str, offset: int, most: int, stream: int = AUDIO) -> bytes:
        return await self._lane.run(self._read, id, offset, most, stream)

    async def finish(self, id: str) -> Stored:
        unfinished = self.unfinished.get(id)
        if unfinished is None:
            return await self.stored(id)
        await self._committer.submit(_Job(id, write=Write((), unfinished.progress)))  # behind all that was submitted
        stored = await self._lane.run(self._give_name, self._open[id])
        await self._committer.submit(_Job(id))
        return stored

    async def stored(self, id: str) -> Stored:
        return await self._lane.run(self._stored, id)

    async def delete(self, id: str) -> None:
        if id in self.unfinished:
            await self._committer.submit(_Job(id))
        await self._lane.run(self._remove, id)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    # On the threads of the lane.

    def _read(self, id: str, offset: int, most: int, stream: int) -> bytes:
        open = self._open.get(id)
        try:
            if open is not None:
                file, there = open.files.get(stream), min(most, open.unfinished.length(stream) - offset)
                try:
                    return file.read(offset, there) if file is not None and there > 0 else b""
                except FileNotFoundError:
                    pass  # it has just been finished
            finished = open_finished(self._find(id), self._keys)
            try:
                return finished.read(offset, most)
            finally:
                finished.close()
        except FileNotFoundError as error:
            raise UnknownRecording(f"there is no recording {id}") from error
        except Damaged as error:
            raise Damaged(f"the recording {id} is damaged: {error}") from error
        except OSError as error:
            raise store_error(error) from error

    def _find(self, id: str) -> Path:
        path = self.folder.finished(id)
        if path is None:
            raise UnknownRecording(f"there is no recording {id}")
        return path

    def _give_name(self, open: _Open) -> Stored:
        recording = open.unfinished.recording
        audio = open.unfinished.length() - open.unfinished.length() % recording.frame_bytes
        name = self.folder.place(recording.id, open.key is not None)
        try:
            path = self.folder.stream(recording.id, AUDIO, open.key is not None)
            if path.exists():  # else it has its name already
                self._file(open, AUDIO).finish(audio)
                path.rename(name)
            self.folder.sync()
        except OSError as error:
            raise store_error(error) from error
        return Stored(str(name), audio)

    def _stored(self, id: str) -> Stored:
        path = self._find(id)
        try:
            return Stored(str(path), audio_bytes(path))
        except FileNotFoundError as error:
            raise UnknownRecording(f"there is no recording {id}") from error

    def _remove(self, id: str) -> None:
        try:
            remove([*(self.folder.place(id, is_sealed) for is_sealed in (False, True)), *self.folder.streams_of(id)])
            self.folder.sync()
        except OSError as error:
            raise store_error(error) from error

    # On the committing thread.

    def _commit(self, batch: Sequence[Pending[_Job]]) -> None:
        """Write a round, sync it, and only then count it."""
        records: list[bytes] = []
        by_recording: dict[str, list[Pending[_Job]]] = {}
        for pending in batch:
            by_recording.setdefault(pending.job.id, []).append(pending)
        for id, of_one in by_recording.items():
            records += self._stage(id, of_one)
        try:
            if records:
                self._segments.write(records)
        except StoreError as error:
            for pending in batch:
                pending.error = pending.error or error
            for id, of_one in by_recording.items():
                self._take_back(id, of_one)
            return
        for pending in batch:
            if pending.error is None:
                self._count(pending.job)
        self._beginning.clear()
        if self._segments.is_full:
            self._roll()

    def _stage(self, id: str, batch: Sequence[Pending[_Job]]) -> list[bytes]:
        """Write what has come of one recording into the files of its streams, and return what the journal is to have
        of it. What cannot be done gets its error.
        """
        records: list[bytes] = []
        added: dict[int, list[bytes]] = {}
        try:
            self._segments.check()
            for pending in batch:
                try:
                    records += journal.pack(self._record(pending.job, added), self._segments.number)
                except StoreError as error:
                    pending.error = error  # it comes too late: those before it are none the worse
            for stream, buffers in added.items():
                open = self._open[id]
                open.dirty = True
                self._file(open, stream).write(buffers)
        except (OSError, StoreError) as error:
            for pending in batch:
                pending.error = pending.error or store_error(error)
            self._take_back(id, batch)
            return []
        return records

    def _record(self, job: _Job, added: dict[int, list[bytes]]) -> journal.Record:
        """Return what the journal has to say of a job; `added` is what its round adds to the streams so far."""
        if job.begin is not None:
            self._beginning[job.id] = self._make_file(job.begin)
            key = self._beginning[job.id].key
            return journal.begun(job.begin, key.wrapped if key is not None else None)
        open = self._open.get(job.id)
        if job.write is None:
            if open is not None:
                open.has_ended = True
            return journal.Record(journal.Kind.ENDED, job.id)
        if open is None or open.has_ended:
            raise UnknownRecording(f"the recording {job.id} has been closed or deleted")
        if open.has_failed and job.write.parts:
            raise StoreError("a chunk before this one could not be stored, and nothing may follow a gap: the recording "
                             "ends there; begin another session")
        parts = []
        for stream, data in job.write.parts:
            buffers = added.setdefault(stream, [])
            parts.append((stream, open.unfinished.length(stream) + sum(map(len, buffers)), data))
            buffers.append(data)
        return _added(open, job.write.progress, parts)

    def _make_file(self, recording: Recording) -> _Open:
        key = self._keys.new(recording.id) if self._keys else None
        open_stream(self.folder, recording, key).close()
        return _Open(Unfinished(recording, {AUDIO: 0}), key)

    def _take_back(self, id: str, batch: Sequence[Pending[_Job]]) -> None:
        """Of a round that has failed: what is in the files of a recording, which nothing may follow now."""
        open = self._open.get(id)
        if open is None:
            return
        open.has_failed = open.has_failed or any(pending.job.write is not None for pending in batch)
        for stream, file in open.files.items():
            file.cut(open.unfinished.length(stream))

    def _file(self, open: _Open, stream: int) -> StreamFile:
        if stream not in open.files:
            open.files[stream] = open_stream(self.folder, open.unfinished.recording, open.key, stream)
        return open.files[stream]

    def _count(self, job: _Job) -> None:
        if job.write is None:
            return self._begin_or_end(job)
        unfinished = self._open[job.id].unfinished
        for stream, data in job.write.parts:
            unfinished.lengths[stream] = unfinished.length(stream) + len(data)
        unfinished.progress = job.write.progress

    def _begin_or_end(self, job: _Job) -> None:
        if job.begin is not None:
            self._open[job.id] = self._beginning.pop(job.id)
            self.unfinished = {**self.unfinished, job.id: self._open[job.id].unfinished}
            return
        open = self._open.pop(job.id, None)
        self.unfinished = {id: unfinished for id, unfinished in self.unfinished.items() if id != job.id}
        if open is not None:
            open.close()
            remove(path for path in self.folder.streams_of(job.id))

    def _states(self) -> list[journal.Record]:
        """What a segment begins with: how far recordings are, and what is not in their files yet."""
        states = []
        for open in self._open.values():
            states.append(journal.state(open.unfinished, open.key.wrapped if open.key is not None else None))
            rests = [(stream, *file.rest) for stream, file in open.files.items() if file.rest[1]]
            if rests:
                states.append(_added(open, open.unfinished.progress, rests))
        return states

    def _roll(self) -> None:
        dirty = [open for open in self._open.values() if open.dirty]
        if self._segments.roll(self._states(), [file.descriptor for open in dirty for file in open.files.values()]):
            for open in dirty:
                open.dirty = False

    def _close(self) -> None:
        self._committer.stop()
        self._segments.close()
        self._lane.stop(time.monotonic() + _STOP_SECONDS)
        for open in self._open.values():
            open.close()
        self.folder.release()

    def _on_fault(self, error: BaseException) -> None:
        self._tell(f"defect of the store: {error!r}")


def _added(open: _Open, progress: Progress, parts: Sequence[tuple[int, int, bytes]]) -> journal.Record:
    """Return the record of bytes, each with its stream and offset."""
    key, id = open.key, open.unfinished.recording.id
    if key is None:
        return journal.Record(journal.Kind.ADDED, id, progress, tuple(journal.Part(*part) for part in parts))
    return journal.Record(journal.Kind.SEALED, id, progress, tuple(
        journal.Part(stream, offset, key.seal(Purpose.JOURNAL, stream, offset, data))
        for stream, offset, data in parts))
