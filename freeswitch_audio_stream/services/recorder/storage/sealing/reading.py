"""A finished sealed recording, read from any place in it."""

from __future__ import annotations

import os
from pathlib import Path

from ..interface import AUDIO, Recording
from .layout import BLOCK_BYTES, HEADER_BYTES, Header, block_place, finished_bytes, read_header, whole_blocks
from .master_keys import Damaged, MasterKeys, Purpose
from .sealed_file import read_blocks


class SealedRecording:
    """A `FinishedRecording`; see there."""

    def __init__(self, path: Path, keys: MasterKeys) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = read_path_header(self._descriptor)
            self._key = keys.unwrap(header.id, header.wrapped)
            self.recording: Recording = header.recording(self._key)
        except BaseException:
            os.close(self._descriptor)
            raise
        size = os.fstat(self._descriptor).st_size
        found = finished_bytes(size)
        self._blocks = whole_blocks(size)
        self.is_finished = found is not None
        self.audio_bytes = self._blocks * BLOCK_BYTES if found is None else found

    def read(self, offset: int, most: int) -> bytes:
        most = max(0, min(most, self.audio_bytes - offset))
        in_blocks = max(0, min(most, self._blocks * BLOCK_BYTES - offset))
        data = read_blocks(self._descriptor, self._key, AUDIO, offset, in_blocks)
        if len(data) < most:
            begin = offset + len(data) - self._blocks * BLOCK_BYTES
            data += self.last_block()[begin:begin + most - len(data)]
        return data

    def last_block(self) -> bytes:
        """Return the samples of the last block; raise Damaged."""
        sealed = os.pread(self._descriptor, BLOCK_BYTES * 2, block_place(self._blocks))
        return self._key.open(Purpose.LAST_BLOCK, AUDIO, self._blocks, sealed)

    def damage(self) -> str:
        """Return what is not as it was written, in words; empty: nothing. Reads all of it."""
        damaged = [index for index in range(self._blocks) if not self._is_whole(index)]
        if damaged:
            at = self.recording.seconds(damaged[0] * BLOCK_BYTES)
            return f"{len(damaged)} of {self._blocks} blocks, the first of them at {at:.1f} s"
        try:
            self.last_block()
        except Damaged:
            return "its end, or it was cut off"
        return ""

    def _is_whole(self, index: int) -> bool:
        try:
            read_blocks(self._descriptor, self._key, AUDIO, index * BLOCK_BYTES, BLOCK_BYTES)
        except Damaged:
            return False
        return True

    def close(self) -> None:
        os.close(self._descriptor)


def read_path_header(descriptor: int) -> Header:
    """Return the header of a file; raise Damaged."""
    return read_header(os.pread(descriptor, HEADER_BYTES, 0))
