"""What may be wrong with a finished recording: its file, and what the catalogue says of it. Changes nothing."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import AsyncIterator, Iterator, Mapping

from ..storage.catalogue import Catalogue, SessionFilter, SessionRow, Status
from ..storage.wav import HEADER_BYTES, WavHeader, read_header, write_header

_PAGE = 10_000


class Fault(enum.Enum):
    """What is wrong, in words that follow the recording's id."""

    UNREADABLE = "its file does not begin as a recording does"
    HEADER = "the header of its file does not say what the file holds"
    UNKNOWN = "the catalogue does not know it"
    DIFFERS = "the catalogue says something else than its file"
    GONE = "the catalogue knows it, but its file is gone"


@dataclass(frozen=True)
class Finding:
    """One recording with something wrong."""

    id: str
    fault: Fault
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.id}: {self.fault.value}" + (f" ({self.detail})" if self.detail else "")


def recordings(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield id and file of every finished recording; files that are called otherwise are none of ours."""
    for path in sorted(folder.glob("*.wav")):
        if is_id(path.stem):
            yield path.stem, path


def is_id(text: str) -> bool:
    """Return whether it is a UUID in its usual form, lower case."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


async def all_rows(catalogue: Catalogue, which: SessionFilter = SessionFilter()) -> AsyncIterator[SessionRow]:
    """Yield the sessions of a catalogue."""
    offset = 0
    while True:
        rows, _ = await catalogue.find(which, _PAGE, offset)
        for row in rows:
            yield row
        offset += len(rows)
        if not rows:
            return


def inspect(id: str, path: Path, row: SessionRow | None) -> Iterator[Finding]:
    """Yield what is wrong with a recording that has a file. Blocks."""
    try:
        head, size = head_and_size(path)
    except OSError as error:
        yield Finding(id, Fault.UNREADABLE, error.strerror or str(error))
        return
    header = our_header(head)
    if header is None:
        yield Finding(id, Fault.UNREADABLE)
        return
    audio = size - HEADER_BYTES
    frame = 2 * header.channels
    if head != write_header(header.rate, header.channels, audio - audio % frame) or audio % frame:
        yield Finding(id, Fault.HEADER, f"{audio} bytes of samples")
    if row is None:
        yield Finding(id, Fault.UNKNOWN)
    elif row.status is not Status.ACTIVE:
        said, found = (row.rate, row.channels, row.audio_bytes), (header.rate, header.channels, audio - audio % frame)
        if said != found:
            yield Finding(id, Fault.DIFFERS, "%d Hz, %d channels, %d bytes; not %d, %d, %d" % (*found, *said))


def head_and_size(path: Path) -> tuple[bytes, int]:
    """Return the bytes where a recording's header is, and the size of the file."""
    with open(path, "rb") as file:
        return file.read(HEADER_BYTES), path.stat().st_size


def our_header(head: bytes) -> WavHeader | None:
    """Return the header, if it is one of the form that the recorder writes."""
    try:
        header = read_header(head)
    except ValueError:
        return None
    ours = header is not None and header.offset == HEADER_BYTES and header.is_pcm and header.bits == 16
    return header if ours else None


def missing(rows: Mapping[str, SessionRow], files: Mapping[str, Path]) -> Iterator[Finding]:
    """Yield the sessions that have ended and whose file is gone."""
    for id, row in rows.items():
        if row.status is Status.COMPLETED and id not in files:
            yield Finding(id, Fault.GONE, row.place)
