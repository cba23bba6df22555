"""Audio that servers sent, as files for the application: private, whole, and removed when the call is over."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

_EXTENSIONS = {8000: "r8", 16000: "r16", 24000: "r24", 32000: "r32", 48000: "r48", 64000: "r64"}
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # FAT, for one
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there, or set temp_dir to a folder with more of it"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "create it, or set temp_dir to a folder that is there"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "let FreeSWITCH's user write there, or set temp_dir to a "
                    "folder where it may")}


@dataclass(frozen=True)
class StreamFiles:
    """Whose a file is: one stream after the other may have the same id."""

    uuid: str
    stream_id: str
    generation: int
    """Later streams have a larger one."""
    numbers: Iterator[int] = field(default_factory=itertools.count, compare=False)

    def follows(self, other: StreamFiles) -> bool:
        """Return whether `other` is of a stream that came before, with the same id on the same call."""
        return (self.uuid, self.stream_id) == (other.uuid, other.stream_id) and self.generation > other.generation


class SoundFiles:
    """The files of all calls. Any thread of ours."""

    def __init__(self) -> None:
        self._files: dict[str, dict[Path, StreamFiles]] = {}
        self._generations = itertools.count()
        self._lock = threading.Lock()

    def of_stream(self, uuid: str, stream_id: str) -> StreamFiles:
        """Return what `write` needs: the stream's files are numbered from 0, because servers count along."""
        return StreamFiles(uuid, stream_id, next(self._generations))

    def write(self, owner: StreamFiles, folder: str | None, audio: bytes, kind: str, rate: int | None) -> Path:
        """Write audio to a new file, which appears whole, named as the community module names it; return it.

        Raise OSError, and then nothing of it is left, but its number is used up.
        """
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in owner.uuid)
        extension = _EXTENSIONS.get(rate or 0, "r") if kind == "raw" else kind
        place, number = _folder(folder), next(owner.numbers)
        part = _write_part(place, audio)
        try:
            with self._lock:
                while True:
                    file = place / f"{safe}_{number}.tmp.{extension}"
                    try:
                        self._name(part, file, owner)
                    except FileExistsError:
                        number = next(owner.numbers)
                        continue
                    break
                self._files.setdefault(owner.uuid, {})[file] = owner
        finally:
            part.unlink(missing_ok=True)
        return file

    def _name(self, part: Path, file: Path, owner: StreamFiles) -> None:
        """Give a file its name, also where one of a stream before has it: who is playing that hears it to the end."""
        other = self._files.get(owner.uuid, {}).get(file)
        if other is not None and owner.follows(other):
            part.replace(file)
        else:
            _name(part, file)

    def has(self, uuid: str) -> bool:
        """Return whether files of that call are there."""
        return uuid in self._files

    def remove(self, uuid: str) -> None:
        """The call is over: remove its files; what is gone already is no error."""
        with self._lock:
            files = self._files.pop(uuid, {})
        for file in files:
            file.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Remove the files of all calls."""
        for uuid in list(self._files):
            self.remove(uuid)


def explain(error: OSError, folder: str | None) -> str:
    """Return why `write` could not, and what helps."""
    remedy = _REMEDIES.get(error.errno or 0, "set temp_dir to a folder where FreeSWITCH may write")
    return (f"audio from the server could not be kept as a file in {_folder(folder)}: {error.strerror or error}: "
            f"{remedy}")


def _folder(folder: str | None) -> Path:
    return Path(folder or tempfile.gettempdir())


def _write_part(place: Path, audio: bytes) -> Path:
    """Write all of it under a name that nobody looks for, and return that."""
    descriptor, name = tempfile.mkstemp(prefix=".audio_stream_", suffix=".part", dir=place)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(audio)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return part


def _name(part: Path, file: Path) -> None:
    """Give a file its name, never one that somebody else has put there: FileExistsError."""
    try:
        os.link(part, file)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        part.replace(file)
