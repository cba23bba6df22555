"""A finished recording, sealed or not, read from any place in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Protocol

from .folder import SEALED_SUFFIX
from .sealing.layout import finished_bytes
from .sealing.master_keys import MasterKeys
from .sealing.reading import SealedRecording
from .wav import HEADER_BYTES

_PIECE_BYTES = 1 << 20


class FinishedRecording(Protocol):
    """Blocks. Raise OSError, or Damaged."""

    audio_bytes: int

    def read(self, offset: int, most: int) -> bytes:
        """Return up to so many bytes of samples from an offset on."""

    def close(self) -> None:
        """Let go of the file."""


class PlainRecording:
    """A WAV file."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.audio_bytes = os.fstat(self._descriptor).st_size - HEADER_BYTES

    def read(self, offset: int, most: int) -> bytes:
        return os.pread(self._descriptor, max(0, most), HEADER_BYTES + offset)

    def close(self) -> None:
        os.close(self._descriptor)


def is_sealed(path: Path) -> bool:
    """Return whether a file's name says that it is sealed."""
    return path.suffix == SEALED_SUFFIX


def open_finished(path: Path, keys: MasterKeys) -> FinishedRecording:
    """Open the file of a finished recording; raise OSError, KeyMissing, or Damaged."""
    return SealedRecording(path, keys) if is_sealed(path) else PlainRecording(path)


def audio_bytes(path: Path) -> int:
    """Return how many bytes of samples a finished recording has, for which no key is needed; raise OSError."""
    size = path.stat().st_size
    return finished_bytes(size) or 0 if is_sealed(path) else size - HEADER_BYTES


def pieces(recording: FinishedRecording) -> Iterator[bytes]:
    """Yield all samples of a recording."""
    at = 0
    while piece := recording.read(at, _PIECE_BYTES):
        yield piece
        at += len(piece)
