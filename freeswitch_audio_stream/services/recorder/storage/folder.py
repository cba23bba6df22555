"""The files of a store in a directory: where each is, and the few steps on them that have to be durable."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Iterable, Sequence

from ....errors import SettingError
from .interface import AUDIO

FILE_MODE = 0o640
SEALED_SUFFIX = ".sealed"
_LOCK = "lock"
_MOST_BUFFERS = os.sysconf("SC_IOV_MAX")


class Folder:
    """Finished recordings lie in the folder itself, what is unfinished in one below. Blocks."""

    def __init__(self, path: Path, exclusive: bool = True) -> None:
        """Make the folders, and take them for this process alone. Raise SettingError where that cannot be.

        Not `exclusive`: the service may use them meanwhile; `release` is not called then.
        """
        self.path = path.absolute()
        self.work = self.path / "unfinished"
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            if not exclusive:
                return
            self._lock = os.open(self.work / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise SettingError(f"recordings cannot be stored in {self.path}: {error.strerror or error}; choose a "
                               "folder that the service's user may write to (AUDIO_STORAGE_PATH)") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SettingError(f"another recorder uses {self.path}: stop it, or choose another folder "
                               "(AUDIO_STORAGE_PATH)") from error

    @staticmethod
    def is_in_use(path: Path) -> bool:
        """Return whether a service uses the folder. Its lock is looked up, not tried: a service may start right now."""
        try:
            inode = (path / "unfinished" / _LOCK).stat().st_ino
            locks = Path("/proc/locks").read_text()
        except OSError:
            return False
        return any(f":{inode} " in line and "FLOCK" in line for line in locks.splitlines())

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def place(self, id: str, is_sealed: bool) -> Path:
        """Return where the finished recording will be, or is."""
        return self.path / (id + (SEALED_SUFFIX if is_sealed else ".wav"))

    def finished(self, id: str) -> Path | None:
        """Return where the finished recording is; None where there is none."""
        places = (self.place(id, is_sealed) for is_sealed in (False, True))
        return next((place for place in places if place.exists()), None)

    def stream(self, id: str, stream: int, is_sealed: bool) -> Path:
        """Return where a stream of the unfinished recording is."""
        suffix = SEALED_SUFFIX if is_sealed else ".wav" if stream == AUDIO else ".source"
        return self.work / (id + (f".{stream}" if stream != AUDIO else "") + suffix)

    def streams_of(self, id: str) -> list[Path]:
        """Return the files of all streams of an unfinished recording."""
        return sorted(self.work.glob(f"{id}.*"))

    def take_in(self, id: str, path: Path, is_sealed: bool) -> Path:
        """Make a whole file of our form, which is moved away, a finished recording; return where it is then."""
        sync_path(path)
        os.chmod(path, FILE_MODE)
        place = self.place(id, is_sealed)
        path.rename(place)
        self.sync()
        return place

    def segment(self, number: int) -> Path:
        """Return where a segment of the journal is."""
        return self.work / f"journal-{number:010d}"

    def segments(self) -> list[tuple[int, Path]]:
        """Return the journal's segments, the oldest first."""
        found = ((path.name.partition("-")[2], path) for path in self.work.glob("journal-*"))
        return sorted((int(number), path) for number, path in found if number.isdigit())

    def spare(self, number: int) -> Path:
        """Return where the segment of that number is kept to be written to again."""
        return self.work / f"spare-{number:010d}"

    def spares(self) -> list[Path]:
        """Return the segments that are kept to be written to again."""
        return sorted(self.work.glob("spare-*"))

    def sync(self) -> None:
        """Make names durable: what has been made, renamed or removed."""
        for path in (self.work, self.path):
            sync_path(path)


def sync_path(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it at an offset; raise OSError where only a part can be."""
    with memoryview(data) as view:
        done = 0
        while done < len(data):
            done += os.pwrite(descriptor, view[done:], offset + done)


def write_buffers(descriptor: int, buffers: Sequence[bytes], offset: int) -> int:
    """Write all of them at an offset, one behind the other, and return how many bytes that is; raise OSError where only
    a part can be. One call of the system takes as many as it can: each would cost a thread its turn.
    """
    size = 0
    for begin in range(0, len(buffers), _MOST_BUFFERS):
        some = buffers[begin:begin + _MOST_BUFFERS]
        whole = sum(map(len, some))
        written = os.pwritev(descriptor, some, offset + size)
        if written < whole:
            write_all(descriptor, b"".join(some)[written:], offset + size + written)
        size += whole
    return size


def remove(paths: Iterable[Path]) -> None:
    """Remove files that may be gone."""
    for path in paths:
        path.unlink(missing_ok=True)
