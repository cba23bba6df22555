"""The files of a store in a directory: where each is, and the few steps on them that have to be durable."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Iterable, Sequence

from ....errors import SettingError
from .interface import AUDIO
from .wav import HEADER_BYTES

_MODE = 0o640
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
            self._lock = os.open(self.work / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
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

    def wav(self, id: str) -> Path:
        """Return where the finished recording is."""
        return self.path / f"{id}.wav"

    def stream(self, id: str, stream: int = AUDIO) -> Path:
        """Return where a stream of the unfinished recording is."""
        return self.work / (f"{id}.wav" if stream == AUDIO else f"{id}.{stream}.source")

    def streams_of(self, id: str) -> list[Path]:
        """Return the files of all streams of an unfinished recording."""
        return sorted(self.work.glob(f"{id}.*"))

    def open(self, id: str, stream: int) -> int:
        """Return a descriptor of a stream's file, which is made where there is none."""
        return os.open(self.stream(id, stream), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)

    def take_in(self, id: str, path: Path) -> Path:
        """Make a whole file of our form, which is moved away, a finished recording; return where it is then."""
        sync_path(path)
        os.chmod(path, _MODE)
        path.rename(self.wav(id))
        self.sync()
        return self.wav(id)

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


def in_file(stream: int, offset: int) -> int:
    """Return where a stream's byte is in its file: samples have a header in front."""
    return offset + HEADER_BYTES if stream == AUDIO else offset


def remove(paths: Iterable[Path]) -> None:
    """Remove files that may be gone."""
    for path in paths:
        path.unlink(missing_ok=True)
