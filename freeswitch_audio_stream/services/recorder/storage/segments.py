"""The journal on disk: the segment that is written to, and how one follows the other.

A segment that is full is followed by a new one, and needed no more when the files that it tells of have been synced. It
is not removed then, but written to again later, from its beginning: a disk makes bytes durable far sooner where a file
has them already than where it has to grow. What an old use has left is never taken for records of the new one, because
their checksums begin with the segment's number.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Sequence

from . import journal
from .folder import FILE_MODE, Folder, remove, write_buffers
from .interface import StorageFull, StoreError

SYNC_ALWAYS, SYNC_INTERVAL, SYNC_NEVER = "always", "interval", "never"
SYNC_POLICIES = (SYNC_ALWAYS, SYNC_INTERVAL, SYNC_NEVER)
_FULL = {errno.ENOSPC, errno.EDQUOT}
_MOST_SPARES = 2


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


class Segments:
    """All methods are for one thread, and block."""

    def __init__(self, folder: Folder, policy: Policy, tell: Callable[[str], None], number: int,
                 states: Iterable[journal.Record]) -> None:
        """Begin the segment of that number with the state of all recordings, and keep those before it no longer: what
        they tell of is in files that are durable. Raise OSError.
        """
        self._folder = folder
        self._policy = policy
        self._tell = tell
        self._broken = ""
        self._unsynced = False
        self._synced_at = time.monotonic()
        self._checkpoint: threading.Thread | None = None
        self.number = number
        self._descriptor, self._size = self._begin(number, states)
        self._let_go()

    def check(self) -> None:
        """Raise StoreError where nothing can be made durable any more."""
        if self._broken:
            raise StoreError(self._broken)

    def write(self, records: Sequence[bytes]) -> None:
        """Add records, in pieces; on return they are durable where the policy says so. Raise StoreError: then none of
        them is there.
        """
        try:
            size = write_buffers(self._descriptor, records, self._size)
            self._unsynced = True
            if self._is_due():
                self._sync()
        except (OSError, StoreError) as error:
            os.ftruncate(self._descriptor, self._size)
            raise store_error(error) from error
        self._size += size

    def sync_late(self) -> None:
        """Make durable what the policy has left for later."""
        if self._unsynced and not self._broken:
            try:
                self._sync()
            except StoreError:
                pass  # it has been told, and whoever writes next gets it

    @property
    def is_full(self) -> bool:
        """Whether it is time for `roll`."""
        return self._size >= self._policy.segment_bytes and self._checkpoint is None

    def roll(self, states: Iterable[journal.Record], dirty: Iterable[int]) -> bool:
        """Go on in a new segment, and let the old ones go once the `dirty` files are durable, on a thread of its own.
        Return False where it cannot be, as on a full disk: the segment that is there does as well.
        """
        try:
            self.sync_late()
            descriptor, size = self._begin(self.number + 1, states)
        except OSError:
            return False
        os.close(self._descriptor)
        self._descriptor, self._size, self.number = descriptor, size, self.number + 1
        self._checkpoint = threading.Thread(target=self._check, args=([os.dup(file) for file in dirty], self.number),
                                            name="audio-stream-checkpoint", daemon=True)
        self._checkpoint.start()
        return True

    def close(self) -> None:
        """Make everything durable, and let go of it."""
        self.sync_late()
        checkpoint = self._checkpoint
        if checkpoint is not None:
            checkpoint.join()
        os.close(self._descriptor)

    def _is_due(self) -> bool:
        if self._policy.sync == SYNC_INTERVAL:
            return time.monotonic() - self._synced_at >= self._policy.interval_seconds
        return self._policy.sync == SYNC_ALWAYS

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            # What the kernel has dropped it does not report twice: nothing written since can be trusted.
            self._broken = (f"the disk does not store what is written ({error.strerror}): repair it, then start the "
                            "service again; what was acknowledged is in the journal")
            self._tell(self._broken)
            raise StoreError(self._broken) from error
        self._unsynced, self._synced_at = False, time.monotonic()

    def _begin(self, number: int, states: Iterable[journal.Record]) -> tuple[int, int]:
        """Return the descriptor of a segment that begins with these records, and its size so far. Its name is durable
        when its beginning is, so a spare is never taken for the segment that it was.
        """
        head = [journal.segment_head(number)]
        for record in states:
            head += journal.pack(record, number)
        spare = next(iter(self._folder.spares()), None) or self._folder.spare(number)
        descriptor = os.open(spare, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            size = write_buffers(descriptor, head, 0)
            os.fsync(descriptor)
            spare.rename(self._folder.segment(number))
            self._folder.sync()
        except OSError:
            os.close(descriptor)
            remove([spare, self._folder.segment(number)])
            raise
        return descriptor, size

    def _check(self, dirty: Sequence[int], number: int) -> None:
        try:
            for descriptor in dirty:
                os.fsync(descriptor)
            self._let_go()
        except OSError as error:
            self._tell(f"files of unfinished recordings cannot be synced ({error.strerror}): the journal is kept")
        finally:
            for descriptor in dirty:
                os.close(descriptor)
            self._checkpoint = None

    def _let_go(self) -> None:
        """Of all segments but the one that is written to."""
        old = [path for number, path in self._folder.segments() if number < self.number]
        kept = old[:max(0, _MOST_SPARES - len(self._folder.spares()))]
        for path in kept:
            self._make_spare(path)
        remove(path for path in old if path not in kept)
        self._folder.sync()

    def _make_spare(self, path: Path) -> None:
        if path.stat().st_size > self._policy.segment_bytes:
            os.truncate(path, self._policy.segment_bytes)
        path.rename(self._folder.spare(int(path.name.rpartition("-")[2])))


def store_error(error: OSError | StoreError) -> StoreError:
    """Return what to tell of an error of the disk."""
    if isinstance(error, StoreError):
        return error
    if error.errno in _FULL:
        return StorageFull("the disk is full: make room in the folder of the recordings, and connect again")
    return StoreError(f"the disk does not take it ({error.strerror or error}): look after the folder of the recordings")
