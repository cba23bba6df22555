"""What may be wrong with a finished recording: its file, and what the catalogue says of it. Changes nothing."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import AsyncIterator, Iterator, Mapping

from ..storage.catalogue import Catalogue, SessionFilter, SessionRow, Status
from ..storage.finished import is_sealed
from ..storage.folder import SEALED_SUFFIX
from ..storage.sealing.master_keys import Damaged, KeyMissing, MasterKeys
from ..storage.sealing.reading import SealedRecording
from ..storage.wav import HEADER_BYTES, WavHeader, read_header, write_header

_PAGE = 10_000


class Fault(enum.Enum):
    """What is wrong, in words that follow the recording's id."""

    UNREADABLE = "its file does not begin as a recording does"
    HEADER = "the header of its file does not say what the file holds"
    UNKNOWN = "the catalogue does not know it"
    DIFFERS = "the catalogue says something else than its file"
    KEY = "it cannot be opened"
    DAMAGED = "what is sealed in its file is damaged"
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
    for path in sorted([*folder.glob("*.wav"), *folder.glob(f"*{SEALED_SUFFIX}")]):
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


def inspect(id: str, path: Path, row: SessionRow | None, keys: MasterKeys) -> Iterator[Finding]:
    """Yield what is wrong with a recording that has a file; one that is sealed is read from end to end. Blocks."""
    try:
        yield from _sealed(id, path, row, keys) if is_sealed(path) else _plain(id, path, row)
    except OSError as error:
        yield Finding(id, Fault.UNREADABLE, error.strerror or str(error))


def _plain(id: str, path: Path, row: SessionRow | None) -> Iterator[Finding]:
    head, size = head_and_size(path)
    header = our_header(head)
    if header is None:
        yield Finding(id, Fault.UNREADABLE)
        return
    audio = size - HEADER_BYTES
    whole = audio - audio % (2 * header.channels)
    if head != write_header(header.rate, header.channels, whole) or audio != whole:
        yield Finding(id, Fault.HEADER, f"{audio} bytes of samples")
    yield from _against_row(id, (header.rate, header.channels, whole), row)


def _sealed(id: str, path: Path, row: SessionRow | None, keys: MasterKeys) -> Iterator[Finding]:
    try:
        recording = SealedRecording(path, keys)
    except Damaged as error:
        yield Finding(id, Fault.UNREADABLE, str(error))
    except KeyMissing as error:
        yield Finding(id, Fault.KEY, str(error))
    else:
        try:
            damage = recording.damage()
            if damage:
                yield Finding(id, Fault.DAMAGED, damage)
            what = recording.recording
            yield from _against_row(id, (what.rate, what.channels, recording.audio_bytes), row)
        finally:
            recording.close()


def _against_row(id: str, found: tuple[int, int, int], row: SessionRow | None) -> Iterator[Finding]:
    if row is None:
        yield Finding(id, Fault.UNKNOWN)
    elif row.status is not Status.ACTIVE:
        said = (row.rate, row.channels, row.audio_bytes)
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
