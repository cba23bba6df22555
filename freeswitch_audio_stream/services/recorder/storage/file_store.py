"""The store in a directory: journal, a file for each stream, and one WAV file in the end.

Whatever comes is written twice: into the file of its stream, which the kernel may keep to itself, and into the journal,
which is synced before anything is acknowledged. After a crash the journal says what the files must hold.
A recording is finished where it lies: its header is filled in, the file synced, renamed, and the folder synced. None of
its samples is moved, so it ends within moments however long it is, and on a disk that is full.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Sequence

from ....web.worker_lanes import WorkerLane
from . import journal
from .commits import Committer, Pending
from .folder import Folder, in_file, remove, write_all, write_buffers
from .interface import AUDIO, Recording, Stored, StoreError, Unfinished, UnknownRecording, Write
from .recovery import Recovery
from .segments import SYNC_INTERVAL, Policy, Segments, store_error
from .wav import HEADER_BYTES, write_header

_STOP_SECONDS = 60.0


@dataclass
class _Open:
    """An unfinished recording, and the descriptors of its streams; on the committing thread."""

    unfinished: Unfinished
    files: dict[int, int] = field(default_factory=dict)
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

    def __init__(self, path: Path, tell: Callable[[str], None], policy: Policy = Policy()) -> None:
        """Repair what a crash has left. Blocks. Raise SettingError where the directory cannot be used."""
        self.folder = Folder(path)
        self._tell = tell
        recovery = Recovery(self.folder, tell)
        try:
            self._open = {id: _Open(found) for id, found in recovery.run().items()}
            self._segments = Segments(self.folder, policy, tell, recovery.next_segment, self._states())
        except BaseException:
            self.folder.release()
            raise
        self.unfinished: dict[str, Unfinished] = {id: open.unfinished for id, open in self._open.items()}
        self._lane = WorkerLane("files", 4, self._on_fault)
        idle = policy.interval_seconds if policy.sync == SYNC_INTERVAL else None
        self._committer: Committer[_Job] = Committer(self._commit, self._segments.sync_late, idle)

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
        stored = await self._lane.run(self._give_name, unfinished)
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
        unfinished = self.unfinished.get(id)
        if unfinished is not None:
            most = min(most, unfinished.length(stream) - offset)
            path = self.folder.stream(id, stream)
        else:
            path = self.folder.wav(id)
        try:
            with open(path, "rb", buffering=0) as file:
                return os.pread(file.fileno(), max(0, most), in_file(stream, offset))
        except FileNotFoundError as error:
            if unfinished is not None and self.folder.wav(id).exists():  # it has just been finished
                return self._read_finished(id, offset, most)
            raise UnknownRecording(f"there is no recording {id}") from error
        except OSError as error:
            raise store_error(error) from error

    def _read_finished(self, id: str, offset: int, most: int) -> bytes:
        with open(self.folder.wav(id), "rb", buffering=0) as file:
            return os.pread(file.fileno(), max(0, most), in_file(AUDIO, offset))

    def _give_name(self, unfinished: Unfinished) -> Stored:
        recording = unfinished.recording
        audio = unfinished.length() - unfinished.length() % recording.frame_bytes
        path, name = self.folder.stream(recording.id), self.folder.wav(recording.id)
        try:
            if path.exists():
                with open(path, "r+b", buffering=0) as file:
                    file.truncate(HEADER_BYTES + audio)
                    write_all(file.fileno(), write_header(recording.rate, recording.channels, audio), 0)
                    os.fsync(file.fileno())
                path.rename(name)
            self.folder.sync()
        except OSError as error:
            raise store_error(error) from error
        return Stored(str(name), audio)

    def _stored(self, id: str) -> Stored:
        path = self.folder.wav(id)
        try:
            return Stored(str(path), path.stat().st_size - HEADER_BYTES)
        except FileNotFoundError as error:
            raise UnknownRecording(f"there is no recording {id}") from error

    def _remove(self, id: str) -> None:
        try:
            remove([self.folder.wav(id), *self.folder.streams_of(id)])
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
                write_buffers(self._file(open, stream), buffers, in_file(stream, open.unfinished.length(stream)))
        except (OSError, StoreError) as error:
            for pending in batch:
                pending.error = pending.error or store_error(error)
            self._take_back(id, batch)
            return []
        return records

    def _record(self, job: _Job, added: dict[int, list[bytes]]) -> journal.Record:
        """Return what the journal has to say of a job; `added` is what its round adds to the streams so far."""
        if job.begin is not None:
            self._make_file(job.begin)
            return journal.begun(job.begin)
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
            parts.append(journal.Part(stream, open.unfinished.length(stream) + sum(map(len, buffers)), data))
            buffers.append(data)
        return journal.Record(journal.Kind.ADDED, job.id, job.write.progress, tuple(parts))

    def _make_file(self, recording: Recording) -> None:
        descriptor = self.folder.open(recording.id, AUDIO)
        try:
            write_all(descriptor, write_header(recording.rate, recording.channels, None), 0)
        finally:
            os.close(descriptor)

    def _take_back(self, id: str, batch: Sequence[Pending[_Job]]) -> None:
        """Of a round that has failed: what is in the files of a recording, which nothing may follow now."""
        open = self._open.get(id)
        if open is None:
            return
        open.has_failed = open.has_failed or any(pending.job.write is not None for pending in batch)
        for stream, descriptor in open.files.items():
            os.ftruncate(descriptor, in_file(stream, open.unfinished.length(stream)))

    def _file(self, open: _Open, stream: int) -> int:
        if stream not in open.files:
            open.files[stream] = self.folder.open(open.unfinished.recording.id, stream)
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
            unfinished = Unfinished(job.begin, {AUDIO: 0})
            self._open[job.id] = _Open(unfinished)
            self.unfinished = {**self.unfinished, job.id: unfinished}
            return
        open = self._open.pop(job.id, None)
        self.unfinished = {id: unfinished for id, unfinished in self.unfinished.items() if id != job.id}
        if open is not None:
            for descriptor in open.files.values():
                os.close(descriptor)
            remove(path for path in self.folder.streams_of(job.id))

    def _states(self) -> list[journal.Record]:
        return [journal.state(open.unfinished.recording, open.unfinished.lengths, open.unfinished.progress,
                              open.unfinished.damage) for open in self._open.values()]

    def _roll(self) -> None:
        dirty = [open for open in self._open.values() if open.dirty]
        if self._segments.roll(self._states(), [file for open in dirty for file in open.files.values()]):
            for open in dirty:
                open.dirty = False

    def _close(self) -> None:
        self._committer.stop()
        self._segments.close()
        self._lane.stop(time.monotonic() + _STOP_SECONDS)
        for open in self._open.values():
            for descriptor in open.files.values():
                os.close(descriptor)
        self.folder.release()

    def _on_fault(self, error: BaseException) -> None:
        self._tell(f"defect of the store: {error!r}")
