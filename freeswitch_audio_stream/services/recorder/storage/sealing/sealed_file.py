"""A stream of an unfinished recording as a sealed file.

Only whole blocks are written, each once. What a block has before it is whole is in memory, and in the journal: a
segment of it begins with that part. So nothing that is in the file is ever written over by what has come since.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Sequence

from ..folder import FILE_MODE, write_all, write_buffers
from ..interface import Recording
from .layout import BLOCK_BYTES, HEADER_BYTES, SEALED_BYTES, block_place, make_header, pack_slot, read_header
from .master_keys import Damaged, Purpose, RecordingKey


class SealedFile:
    """A `StreamFile`; see there."""

    def __init__(self, path: Path, recording: Recording, key: RecordingKey, stream: int, length: int) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        self._key = key
        self._stream = stream
        self._shape = (length // BLOCK_BYTES, b"")
        """Whole blocks, and what follows them; replaced at once, as other threads read it."""
        try:
            read_header(os.pread(self.descriptor, HEADER_BYTES, 0))
        except Damaged:  # it is new, or a crash has come before its header was durable
            write_all(self.descriptor, pack_slot(make_header(recording, key)).ljust(HEADER_BYTES, b"\0"), 0)

    @property
    def length(self) -> int:
        blocks, rest = self._shape
        return blocks * BLOCK_BYTES + len(rest)

    @property
    def rest(self) -> tuple[int, bytes]:
        blocks, rest = self._shape
        return blocks * BLOCK_BYTES, rest

    def write(self, buffers: Sequence[bytes]) -> None:
        blocks, rest = self._shape
        data = b"".join((rest, *buffers))
        whole = len(data) // BLOCK_BYTES
        sealed = [self._key.seal(Purpose.BLOCK, self._stream, blocks + index,
                                 data[index * BLOCK_BYTES:(index + 1) * BLOCK_BYTES]) for index in range(whole)]
        write_buffers(self.descriptor, sealed, block_place(blocks))
        self._shape = (blocks + whole, data[whole * BLOCK_BYTES:])

    def restore(self, offset: int, data: bytes) -> bool:
        is_missing = self._bridge(offset)
        known = self.length - offset
        if known < len(data):
            self.write([data[known:]])
        return is_missing

    def _bridge(self, offset: int) -> bool:
        """Go on to an offset with what the file has behind the known blocks; return whether it does not have it."""
        is_missing = False
        while self.length < offset:
            blocks, rest = self._shape
            try:
                block = self._block(blocks)
            except Damaged:
                block, is_missing = bytes(BLOCK_BYTES), True
            self.write([block[len(rest):][:offset - self.length]])
        return is_missing

    def _block(self, index: int) -> bytes:
        return self._key.open(Purpose.BLOCK, self._stream, index,
                              os.pread(self.descriptor, SEALED_BYTES, block_place(index)))

    def cut(self, length: int) -> None:
        blocks, rest = self._shape
        wanted, more = divmod(length, BLOCK_BYTES)
        if wanted < blocks:
            rest = self._block(wanted) if more else b""
        self._shape = (wanted, rest[:more])
        os.ftruncate(self.descriptor, block_place(wanted))

    def read(self, offset: int, most: int) -> bytes:
        blocks, rest = shape = self._shape
        in_file = max(0, min(most, blocks * BLOCK_BYTES - offset))
        try:
            with open(self.path, "rb", buffering=0) as file:
                data = read_blocks(file.fileno(), self._key, self._stream, offset, in_file)
        except Damaged:
            if shape is self._shape:
                raise
            return self.read(offset, most)  # it has been cut meanwhile
        begin = max(0, offset - blocks * BLOCK_BYTES)
        return data + rest[begin:begin + most - len(data)]

    def finish(self, audio_bytes: int) -> None:
        self.cut(audio_bytes)
        blocks, rest = self._shape
        last = self._key.seal(Purpose.LAST_BLOCK, self._stream, blocks, rest)
        write_all(self.descriptor, last, block_place(blocks))
        os.ftruncate(self.descriptor, block_place(blocks) + len(last))
        os.fsync(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


def read_blocks(descriptor: int, key: RecordingKey, stream: int, offset: int, most: int) -> bytes:
    """Return bytes of a stream that are in whole blocks; raise Damaged."""
    if most <= 0:
        return b""
    first, last = offset // BLOCK_BYTES, (offset + most - 1) // BLOCK_BYTES
    sealed = os.pread(descriptor, (last + 1 - first) * SEALED_BYTES, block_place(first))
    data = b"".join(key.open(Purpose.BLOCK, stream, first + index,
                             sealed[index * SEALED_BYTES:(index + 1) * SEALED_BYTES])
                    for index in range(last + 1 - first))
    begin = offset - first * BLOCK_BYTES
    return data[begin:begin + most]
