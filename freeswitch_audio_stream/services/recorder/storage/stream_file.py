"""A stream of an unfinished recording as a file: samples behind the header of a WAV file, or what came compressed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, Sequence

from .folder import FILE_MODE, Folder, write_all, write_buffers
from .interface import AUDIO, Recording
from .sealing.master_keys import MasterKeys, RecordingKey
from .sealing.sealed_file import SealedFile
from .wav import HEADER_BYTES, write_header


class StreamFile(Protocol):
    """For one thread at a time, but for `read`, which is for any. Blocks; all methods raise OSError."""

    path: Path
    descriptor: int

    @property
    def length(self) -> int:
        """Bytes of the stream, from its beginning; what is written next follows them."""

    @property
    def rest(self) -> tuple[int, bytes]:
        """Where the bytes begin that are not in the file yet, and those bytes."""

    def write(self, buffers: Sequence[bytes]) -> None:
        """Add bytes. What an error leaves behind is to be cut off."""

    def restore(self, offset: int, data: bytes) -> bool:
        """Have bytes where the journal says that they are; return whether what is in front of them is missing."""

    def cut(self, length: int) -> None:
        """Take back what is behind so many bytes."""

    def read(self, offset: int, most: int) -> bytes:
        """Return bytes that are there; raise FileNotFoundError where the recording has just been finished."""

    def finish(self, audio_bytes: int) -> None:
        """Make it the file of a finished recording with so many bytes of samples; on return it is durable."""

    def close(self) -> None:
        """Let go of the descriptor."""


class PlainFile:
    """Not sealed."""

    def __init__(self, path: Path, recording: Recording, stream: int, length: int) -> None:
        self.path = path
        self.length = length
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        self._recording = recording
        self._offset = HEADER_BYTES if stream == AUDIO else 0
        if stream == AUDIO:
            write_all(self.descriptor, write_header(recording.rate, recording.channels, None), 0)

    @property
    def rest(self) -> tuple[int, bytes]:
        return self.length, b""

    def write(self, buffers: Sequence[bytes]) -> None:
        self.length += write_buffers(self.descriptor, buffers, self._offset + self.length)

    def restore(self, offset: int, data: bytes) -> bool:
        is_missing = os.fstat(self.descriptor).st_size < self._offset + offset
        write_all(self.descriptor, data, self._offset + offset)
        self.length = max(self.length, offset + len(data))
        return is_missing

    def cut(self, length: int) -> None:
        os.ftruncate(self.descriptor, self._offset + length)
        self.length = length

    def read(self, offset: int, most: int) -> bytes:
        with open(self.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), most, self._offset + offset)

    def finish(self, audio_bytes: int) -> None:
        self.cut(audio_bytes)
        write_all(self.descriptor, write_header(self._recording.rate, self._recording.channels, audio_bytes), 0)
        os.fsync(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


def open_stream(folder: Folder, recording: Recording, key: RecordingKey | None, stream: int = AUDIO,
                length: int = 0) -> StreamFile:
    """Open the file of a stream, or make it; of what it has, `length` bytes count. Raise OSError."""
    path = folder.stream(recording.id, stream, key is not None)
    if key is not None:
        return SealedFile(path, recording, key, stream, length)
    return PlainFile(path, recording, stream, length)


def new_file(path: Path, recording: Recording, keys: MasterKeys) -> StreamFile:
    """Return a new file of samples anywhere, sealed where there are master keys. Raise OSError."""
    if keys:
        return SealedFile(path, recording, keys.new(recording.id), AUDIO, 0)
    return PlainFile(path, recording, AUDIO, 0)
