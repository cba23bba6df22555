"""Audio that the server sent, as files for the application: private, and removed when the call is over."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

_EXTENSIONS = {8000: "r8", 16000: "r16", 24000: "r24", 32000: "r32", 48000: "r48", 64000: "r64"}


class SoundFiles:
    """The files of one call; any thread of ours, one at a time."""

    def __init__(self, folder: Path, uuid: str) -> None:
        self._folder = folder
        self._uuid = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in uuid)
        self._numbers = itertools.count()
        self._files: list[Path] = []

    def write(self, audio: bytes, kind: str, rate: int | None) -> Path:
        """Write audio to a new file named after the call, as the community module names it. Raises OSError."""
        extension = _EXTENSIONS.get(rate or 0, "r") if kind == "raw" else kind
        while True:
            file = self._folder / f"{self._uuid}_{next(self._numbers)}.tmp.{extension}"
            try:
                # Never through a name that somebody else has put there.
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except FileExistsError:
                continue
            break
        self._files.append(file)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(audio)
        return file

    def remove_all(self) -> None:
        """Remove what was written; what is gone already is no error."""
        files, self._files = self._files, []
        for file in files:
            file.unlink(missing_ok=True)
