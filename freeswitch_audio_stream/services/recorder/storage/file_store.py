"""The store in a directory: journal, a file for each stream, and one WAV file in the end.

Whatever comes is written twice: into the file of its stream, which the kernel may keep to itself, and into the journal,
which is synced before anything is acknowledged. After a crash the journal says what the files must hold. A segment of
the journal that has grown large is followed by a new one, and removed when the files it tells of have been synced.
A recording is finished where it lies: its header is filled in, the file synced, renamed, and the folder synced. None of
its samples is moved, so it ends within moments however long it is, and on a disk that is full.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ....web.worker_lanes import WorkerLane
from . import journal
from .commits import Committer, Pending
from .folder import Folder, in_file, remove, write_all
from .interface import (AUDIO, Recording, StorageFull, Stored, StoreError, Unfinished, UnknownRecording, Write)
from .recovery import Recovery
from .wav import HEADER_BYTES, write_header

SYNC_ALWAYS, SYNC_INTERVAL, SYNC_NEVER = "always", "interval", "never"
SYNC_POLICIES = (SYNC_ALWAYS, SYNC_INTERVAL, SYNC_NEVER)
_FULL = {errno.ENOSPC, errno.EDQUOT}
_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Policy:
    """When what is written becomes durable."""

    sync: str = SYNC_ALWAYS
    """``always``: before it is acknowledged. ``interval``: within `interval_seconds`, which is what a crash of the
    machine, though not of the service, may lose. ``never``: when the kernel sees fit.
    """
    interval_seconds: float = 1.0
    segment_bytes: int = 64 << 20
    """A segment of the journal that has so many is followed by a new one."""


@dataclass
class _Open:
    """An unfinished recording, and the descriptors of its streams; on the committing thread."""

    unfinished: Unfinished
    files: dict[int, int] = field(default_factory=dict)
    has_failed: bool = False
    """A write could not be done, so none may follow: what is stored has no gap."""
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
        self._policy = policy
        recovery = Recovery(self.folder, tell)
        try:
            self._open = {id: _Open(found) for id, found in recovery.run().items()}
            self._old = self.folder.segments()
            self._begin_segment(recovery.next_segment)
            self._drop(self._old)
        except BaseException:
            self.folder.release()
            raise
        self.unfinished: dict[str, Unfinished] = {id: open.unfinished for id, open in self._open.items()}
        self._broken: str = ""
        self._unsynced = False
        self._synced_at = time.monotonic()
        self._checkpoint: threading.Thread | None = None
        self._lane = WorkerLane("files", 4, self._on_fault)
        idle = policy.interval_seconds if policy.sync == SYNC_INTERVAL else None
        self._committer: Committer[_Job] = Committer(self._commit, self._sync_late, idle)

    # On the event loop.

    async def begin(self, recording: Recording) -> None:
        await self._committer.submit(_Job(recording.id, begin=recording))

    async def append(self, id: str, write: Write) -> None:
        await self._committer.submit(_Job(id, write=write), sum(len(data) for _, data in write.parts))

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
            raise _store_error(error) from error

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
            raise _store_error(error) from error
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
            raise _store_error(error) from error

    # On the committing thread.

    def _commit(self, batch: Sequence[Pending[_Job]]) -> None:
        """Write a round, sync it, and only then count it."""
        records: list[bytes] = []
        written: list[tuple[Pending[_Job], Write]] = []
        lengths: dict[tuple[str, int], int] = {}
        for pending in batch:
            try:
                if self._broken:
                    raise StoreError(self._broken)
                records += journal.pack(self._prepare(pending.job, lengths), self._number)
            except (OSError, StoreError) as error:
                pending.error = _store_error(error)
                self._fail(pending.job)
                continue
            if pending.job.write is not None:
                written.append((pending, pending.job.write))
        if records and not self._write_journal(b"".join(records)):
            for pending in batch:
                pending.error = pending.error or self._refusal
                self._fail(pending.job)
            self._cut_off(lengths)
            return
        self._count(written)
        for pending in batch:
            if pending.error is None and pending.job.write is None:
                self._begin_or_end(pending.job)
        if self._size >= self._policy.segment_bytes and self._checkpoint is None:
            self._roll()

    def _prepare(self, job: _Job, lengths: dict[tuple[str, int], int]) -> journal.Record:
        """Write into the files of streams, and return what the journal has to say of a job."""
        if job.begin is not None:
            descriptor = self.folder.open(job.id, AUDIO)
            try:
                write_all(descriptor, write_header(job.begin.rate, job.begin.channels, None), 0)
            finally:
                os.close(descriptor)
            return journal.begun(job.begin)
        if job.write is None:
            return journal.Record(journal.Kind.ENDED, job.id)
        open = self._open.get(job.id)
        if open is None:
            raise UnknownRecording(f"the recording {job.id} has been closed or deleted")
        if open.has_failed and job.write.parts:
            raise StoreError("a chunk before this one could not be stored, and nothing may follow a gap: the recording "
                             "ends there; begin another session")
        parts = []
        begun = {stream: lengths.get((job.id, stream), open.unfinished.length(stream)) for stream, _ in job.write.parts}
        at = dict(begun)
        open.dirty = True
        try:
            for stream, data in job.write.parts:
                write_all(self._file(open, stream), data, in_file(stream, at[stream]))
                parts.append(journal.Part(stream, at[stream], data))
                at[stream] += len(data)
        except OSError:
            for stream, length in begun.items():
                if stream in open.files:
                    os.ftruncate(open.files[stream], in_file(stream, length))
            raise
        lengths.update({(job.id, stream): length for stream, length in at.items()})
        return journal.Record(journal.Kind.ADDED, job.id, job.write.progress, tuple(parts))

    def _fail(self, job: _Job) -> None:
        if job.write is not None and job.id in self._open:
            self._open[job.id].has_failed = True

    def _file(self, open: _Open, stream: int) -> int:
        if stream not in open.files:
            open.files[stream] = self.folder.open(open.unfinished.recording.id, stream)
        return open.files[stream]

    def _write_journal(self, data: bytes) -> bool:
        """Return whether all of it is in the journal, and durable where the policy says so."""
        try:
            write_all(self._journal, data, self._size)
        except OSError as error:
            self._refusal = _store_error(error)
            os.ftruncate(self._journal, self._size)
            return False
        self._unsynced = True
        due = self._policy.sync == SYNC_ALWAYS or (
            self._policy.sync == SYNC_INTERVAL and time.monotonic() - self._synced_at >= self._policy.interval_seconds)
        if due and not self._sync():
            os.ftruncate(self._journal, self._size)
            return False
        self._size += len(data)
        return True

    def _sync(self) -> bool:
        try:
            os.fdatasync(self._journal)
        except OSError as error:
            # What the kernel has dropped it does not report twice: nothing written since can be trusted.
            self._broken = (f"the disk does not store what is written ({error.strerror}): repair it, then start the "
                            "service again; what was acknowledged is in the journal")
            self._refusal = StoreError(self._broken)
            self._tell(self._broken)
            return False
        self._unsynced, self._synced_at = False, time.monotonic()
        return True

    def _sync_late(self) -> None:
        if self._unsynced and not self._broken:
            self._sync()

    def _cut_off(self, lengths: Mapping[tuple[str, int], int]) -> None:
        for id, stream in lengths:
            open = self._open[id]
            os.ftruncate(self._file(open, stream), in_file(stream, open.unfinished.length(stream)))

    def _count(self, written: Sequence[tuple[Pending[_Job], Write]]) -> None:
        for pending, write in written:
            unfinished = self._open[pending.job.id].unfinished
            for stream, data in write.parts:
                unfinished.lengths[stream] = unfinished.length(stream) + len(data)
            unfinished.progress = write.progress

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

    # Segments.

    def _begin_segment(self, number: int) -> None:
        """Begin a segment with the state of all recordings; raise OSError where there is no room for it."""
        states = (journal.state(open.unfinished.recording, open.unfinished.lengths, open.unfinished.progress,
                                open.unfinished.damage) for open in self._open.values())
        head = b"".join([journal.segment_head(number), *(b"".join(journal.pack(record, number)) for record in states)])
        path = self.folder.segment(number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            write_all(descriptor, head, 0)
            os.fsync(descriptor)
            self.folder.sync()
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        self._journal, self._number, self._size = descriptor, number, len(head)

    def _roll(self) -> None:
        """Go on in a new segment; the old ones go when the files are durable, on a thread of its own."""
        before = self._journal
        try:
            self._sync_late()
            self._begin_segment(self._number + 1)
        except OSError:
            return  # a full disk: the segment that is there does as well
        os.close(before)
        dirty = [os.dup(descriptor) for open in self._open.values() if open.dirty
                 for descriptor in open.files.values()]
        for open in self._open.values():
            open.dirty = False
        old = [(number, path) for number, path in self.folder.segments() if number < self._number]
        self._checkpoint = threading.Thread(target=self._check, args=(dirty, old), name="audio-stream-checkpoint",
                                            daemon=True)
        self._checkpoint.start()

    def _check(self, dirty: Sequence[int], old: Sequence[tuple[int, Path]]) -> None:
        try:
            for descriptor in dirty:
                os.fsync(descriptor)
            self._drop(old)
        except OSError as error:
            self._tell(f"files of unfinished recordings cannot be synced ({error.strerror}): the journal is kept")
        finally:
            for descriptor in dirty:
                os.close(descriptor)
            self._checkpoint = None

    def _drop(self, old: Sequence[tuple[int, Path]]) -> None:
        remove(path for number, path in old if number < self._number)
        self.folder.sync()

    def _close(self) -> None:
        self._committer.stop()
        if not self._broken:
            self._sync_late()
        checkpoint = self._checkpoint
        if checkpoint is not None:
            checkpoint.join()
        self._lane.stop(time.monotonic() + _STOP_SECONDS)
        for open in self._open.values():
            for descriptor in open.files.values():
                os.close(descriptor)
        os.close(self._journal)
        self.folder.release()

    def _on_fault(self, error: BaseException) -> None:
        self._tell(f"defect of the store: {error!r}")


def _store_error(error: OSError | StoreError) -> StoreError:
    if isinstance(error, StoreError):
        return error
    if error.errno in _FULL:
        return StorageFull("the disk is full: make room in the folder of the recordings, and connect again")
    return StoreError(f"the disk does not take it ({error.strerror or error}): look after the folder of the recordings")
