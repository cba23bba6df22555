"""Audio that servers sent, as files for the application: private, and removed when the call is over."""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
from pathlib import Path

_EXTENSIONS = {8000: "r8", 16000: "r16", 24000: "r24", 32000: "r32", 48000: "r48", 64000: "r64"}


class SoundFiles:
    """The files of all calls. Any thread of ours."""

    def __init__(self) -> None:
        self._files: dict[str, list[Path]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def write(self, uuid: str, folder: str | None, audio: bytes, kind: str, rate: int | None) -> Path:
        """Write audio of call `uuid` to a new file, named as the community module names it. Raises OSError."""
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in uuid)
        extension = _EXTENSIONS.get(rate or 0, "r") if kind == "raw" else kind
        place = Path(folder or tempfile.gettempdir())
        with self._lock:
            while True:
                file = place / f"{safe}_{next(self._numbers)}.tmp.{extension}"
                try:
                    # Never through a name that somebody else has put there.
                    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                except FileExistsError:
                    continue
                break
            self._files.setdefault(uuid, []).append(file)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(audio)
        return file

    def has(self, uuid: str) -> bool:
        """Whether files of that call are there."""
        return uuid in self._files

    def remove(self, uuid: str) -> None:
        """The call is over: remove its files; what is gone already is no error."""
        with self._lock:
            files = self._files.pop(uuid, [])
        for file in files:
            file.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Remove the files of all calls."""
        for uuid in list(self._files):
            self.remove(uuid)
