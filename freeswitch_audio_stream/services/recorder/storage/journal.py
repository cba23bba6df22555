"""The journal: what has been taken in, before anybody is told that it has.

A segment is a file of records, each with a checksum, and is only ever appended to. Records are of a recording's
beginning, of its state when the segment was begun, of bytes that were added to it, and of its end. A segment is
complete by itself: it begins with the state of all recordings that are unfinished, so those before it can go once the
files that they tell of are safe.

    segment  MAGIC, version, number (little-endian, 16 bytes), then records
    record   head (`_HEAD`), note, then for each part its stream, offset and length (`_PART`) and its bytes

The checksum (CRC-32, begun with the segment's number) covers everything behind itself.
"""

from __future__ import annotations

import enum
import struct
import uuid
import zlib
from dataclasses import dataclass
from typing import Iterator

import orjson

from .interface import Progress, Recording, Unfinished
from .sealing.layout import pack_key, unpack_key
from .sealing.master_keys import WrappedKey

MAGIC = b"fsarecj\x01"
_SEGMENT = struct.Struct("<8sQ")
_MARK = b"\xf5REC"
_HEAD = struct.Struct("<4sIBBHIQQ16s")
"""Mark, checksum, kind, length of the note, parts, length of what follows the head, chunks, received, id."""
_PART = struct.Struct("<HQI")
_CHECKED_FROM = 8
LONGEST_BODY = 1 << 30


class Kind(enum.IntEnum):
    """What a record says."""

    BEGUN = 1
    """A recording began; its body is the recording as JSON."""
    STATE = 2
    """How far a recording was when the segment was begun: JSON, with the lengths of its streams."""
    ADDED = 3
    """Bytes were added."""
    ENDED = 4
    """It is finished, or deleted."""
    SEALED = 5
    """As ADDED; the bytes are sealed by the recording's key."""


@dataclass(frozen=True)
class Part:
    """Bytes at their place in a stream."""

    stream: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Record:
    """One record, as it is written and as it is read again."""

    kind: Kind
    id: str
    progress: Progress = Progress()
    parts: tuple[Part, ...] = ()
    body: bytes = b""
    """JSON of BEGUN and STATE."""


def segment_head(number: int) -> bytes:
    """Return what a segment begins with."""
    return _SEGMENT.pack(MAGIC, number)


def pack(record: Record, segment: int) -> list[bytes]:
    """Return a record as it is written into the segment of that number, in pieces."""
    note = record.progress.note
    if not record.parts:
        pieces = [note + record.body]
    else:
        pieces = []
        for part in record.parts:
            pieces += (note + _PART.pack(part.stream, part.offset, len(part.data)), part.data)
            note = b""
    head = _HEAD.pack(_MARK, 0, record.kind, len(record.progress.note), len(record.parts), sum(map(len, pieces)),
                      record.progress.chunks, record.progress.received, uuid.UUID(record.id).bytes)
    checksum = zlib.crc32(head[_CHECKED_FROM:], segment & 0xFFFFFFFF)
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    first, *others = pieces
    return [head[:4] + checksum.to_bytes(4, "little") + head[_CHECKED_FROM:] + first, *others]


@dataclass
class Segment:
    """Iterate over the records of a segment, as far as they are whole.

    What is broken at the end is what a crash has interrupted, and was never acknowledged. What is broken before whole
    records is damage to the disk: it is skipped, and counted.
    """

    data: bytes
    number: int = 0
    skipped: int = 0
    """Bytes that are none of any record, with whole records behind them; valid after the iteration."""
    torn: int = 0
    """Bytes at the end that are no record; valid after the iteration."""

    @property
    def is_one(self) -> bool:
        """Whether it begins as a segment does."""
        return len(self.data) >= _SEGMENT.size and self.data[:len(MAGIC)] == MAGIC

    def __iter__(self) -> Iterator[Record]:
        if not self.is_one:
            self.torn = len(self.data)
            return
        self.number = _SEGMENT.unpack_from(self.data)[1]
        at = good = _SEGMENT.size
        while at < len(self.data):
            found = self._record(at)
            if found is not None:
                record, end = found
                self.skipped += at - good
                yield record
                at = good = end
            else:
                at = self.data.find(_MARK, at + 1)
                if at < 0:
                    break
        self.torn = len(self.data) - good

    def _record(self, at: int) -> tuple[Record, int] | None:
        if len(self.data) < at + _HEAD.size:
            return None
        mark, checksum, kind, note, parts, length, chunks, received, id = _HEAD.unpack_from(self.data, at)
        begin, end = at + _HEAD.size, at + _HEAD.size + length
        if mark != _MARK or end > len(self.data) or note > length:
            return None
        with memoryview(self.data) as view:
            if zlib.crc32(view[at + _CHECKED_FROM:end], self.number & 0xFFFFFFFF) != checksum:
                return None
        progress = Progress(chunks, received, self.data[begin:begin + note])
        record = Record(Kind(kind), str(uuid.UUID(bytes=id)), progress)
        body = self.data[begin + note:end]
        if record.kind not in (Kind.ADDED, Kind.SEALED):
            return Record(record.kind, record.id, progress, body=body), end
        return Record(record.kind, record.id, progress, tuple(_parts(body, parts))), end


def _parts(body: bytes, count: int) -> Iterator[Part]:
    at = 0
    for _ in range(count):
        stream, offset, length = _PART.unpack_from(body, at)
        at += _PART.size
        yield Part(stream, offset, body[at:at + length])
        at += length


def begun(recording: Recording, key: WrappedKey | None) -> Record:
    """Return the record of a recording's beginning; with a `key` it is sealed."""
    return Record(Kind.BEGUN, recording.id, body=orjson.dumps({"recording": recording, **_key(key)}))


def state(known: Unfinished, key: WrappedKey | None) -> Record:
    """Return the record of how far a recording is."""
    lengths = {str(stream): length for stream, length in known.lengths.items()}
    body = orjson.dumps({"recording": known.recording, "lengths": lengths, "damage": known.damage, **_key(key)})
    return Record(Kind.STATE, known.recording.id, known.progress, body=body)


def _key(key: WrappedKey | None) -> dict[str, list[str]]:
    return {"key": pack_key(key)} if key is not None else {}


def read_begun(record: Record) -> Recording:
    """Return the recording of a record BEGUN."""
    return Recording(**orjson.loads(record.body)["recording"])


def read_state(record: Record) -> tuple[Recording, dict[int, int], str]:
    """Return recording, lengths by stream, and damage of a record STATE."""
    said = orjson.loads(record.body)
    return (Recording(**said["recording"]), {int(stream): length for stream, length in said["lengths"].items()},
            said["damage"])


def read_key(record: Record) -> WrappedKey | None:
    """Return the key of the recording of a record BEGUN or STATE; None where it is not sealed."""
    said = orjson.loads(record.body).get("key")
    return unpack_key(said) if said else None
