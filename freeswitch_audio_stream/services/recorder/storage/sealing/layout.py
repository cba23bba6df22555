"""How a sealed file is made up: a header, and blocks behind it. Pure.

    header  two slots of `SLOT_BYTES`; the newer one that is whole counts, so it can be changed, and there is one at
            any moment
    slot    magic, checksum (CRC-32 of what follows), length, JSON: which master key wraps the recording's key, and what
            the recording is, sealed
    blocks  `BLOCK_BYTES` of the stream, sealed, which makes `SEALED_BYTES` of them; the last one, which has fewer or
            none, is sealed as the last, and is there when the file is finished. So a file that was cut off is known.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import asdict, dataclass, replace

import orjson

from ..interface import Recording
from .master_keys import OVERHEAD, Damaged, Purpose, RecordingKey, WrappedKey

BLOCK_BYTES = 16_384
SEALED_BYTES = BLOCK_BYTES + OVERHEAD
SLOT_BYTES = 4096
HEADER_BYTES = 2 * SLOT_BYTES
_MAGIC = b"fsaseal\x01"
_HEAD = struct.Struct("<8sII")
_CHECKED_FROM = 12


@dataclass(frozen=True)
class Header:
    """What a sealed file says of itself."""

    id: str
    wrapped: WrappedKey
    about: bytes
    """What the recording is, sealed."""
    generation: int = 0
    """How often the header was written anew."""

    def recording(self, key: RecordingKey) -> Recording:
        """Return what the recording is; raise Damaged."""
        return Recording(**orjson.loads(key.open(Purpose.ABOUT, 0, 0, self.about)))

    @property
    def place(self) -> int:
        """Where its slot is in the file."""
        return self.generation % 2 * SLOT_BYTES

    def rewrapped(self, wrapped: WrappedKey) -> Header:
        """Return the header that follows this one, with another master key."""
        return replace(self, wrapped=wrapped, generation=self.generation + 1)


def make_header(recording: Recording, key: RecordingKey) -> Header:
    """Return the header of a new file."""
    return Header(recording.id, key.wrapped, key.seal(Purpose.ABOUT, 0, 0, orjson.dumps(asdict(recording))))


def pack_slot(header: Header) -> bytes:
    """Return a header as it is in its slot."""
    said = orjson.dumps({"id": header.id, "generation": header.generation, "key": pack_key(header.wrapped),
                         "about": base64.b64encode(header.about).decode()})
    head = _HEAD.pack(_MAGIC, 0, len(said))
    checksum = zlib.crc32(said, zlib.crc32(head[_CHECKED_FROM:]))
    packed = head[:8] + checksum.to_bytes(4, "little") + head[_CHECKED_FROM:] + said
    return packed.ljust(SLOT_BYTES, b"\0")


def read_header(data: bytes) -> Header:
    """Return the header that counts of the first `HEADER_BYTES` of a file; raise Damaged where none is whole."""
    slots = [_read_slot(data[begin:begin + SLOT_BYTES]) for begin in (0, SLOT_BYTES)]
    found = [slot for slot in slots if slot is not None]
    if not found:
        raise Damaged("it does not begin as a sealed recording does")
    return max(found, key=lambda header: header.generation)


def _read_slot(data: bytes) -> Header | None:
    if len(data) < _HEAD.size:
        return None
    magic, checksum, length = _HEAD.unpack_from(data)
    said = data[_HEAD.size:_HEAD.size + length]
    if magic != _MAGIC or zlib.crc32(said, zlib.crc32(data[_CHECKED_FROM:_HEAD.size])) != checksum:
        return None
    known = orjson.loads(said)
    return Header(known["id"], unpack_key(known["key"]), base64.b64decode(known["about"]), known["generation"])


def pack_key(wrapped: WrappedKey) -> list[str]:
    """Return a wrapped key as JSON has it."""
    return [wrapped.master, base64.b64encode(wrapped.sealed).decode()]


def unpack_key(said: list[str]) -> WrappedKey:
    """Return what `pack_key` has made JSON of."""
    return WrappedKey(said[0], base64.b64decode(said[1]))


def block_place(index: int) -> int:
    """Return where a block is in the file."""
    return HEADER_BYTES + index * SEALED_BYTES


def whole_blocks(size: int) -> int:
    """Return how many blocks a file of that size has, the last one of a finished file not among them."""
    return max(0, size - HEADER_BYTES) // SEALED_BYTES


def finished_bytes(size: int) -> int | None:
    """Return the bytes of the stream in a finished file of that size; None where the last block is not there."""
    rest = max(0, size - HEADER_BYTES) % SEALED_BYTES
    return whole_blocks(size) * BLOCK_BYTES + rest - OVERHEAD if rest >= OVERHEAD else None
