"""Makes right what can be: unfinished recordings, headers of files, and the catalogue. The service must not run."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator

from ..storage.catalogue import Catalogue, SessionRow, Status
from ..storage.file_store import FileStore
from ..storage.finished import is_sealed
from ..storage.folder import sync_path, write_all
from ..storage.interface import Recording, StoreError, Unfinished
from ..storage.sealing.master_keys import MasterKeys
from ..storage.sealing.reading import SealedRecording
from ..storage.sqlite import SqliteCatalogue, read_rows
from ..storage.wav import HEADER_BYTES, read_header, write_header
from .inspection import Fault, Finding, all_rows, head_and_size, inspect, missing, our_header, recordings
from .verify import CATALOGUE, damaged_catalogue

Say = Callable[[str], None]


async def repair(path: Path, keys: MasterKeys, say: Say) -> int:
    """Say what was done, and return how many problems are left. Blocks. Raise SettingError where the service runs, or
    where the folder cannot be used.
    """
    store = FileStore(path, say, keys=keys)  # which takes up what the journal has
    try:
        for left in (path / "unfinished").glob("import-*"):
            left.unlink()
            say(f"{left} was removed: an import that was interrupted has left it")
        salvaged = _set_aside(path, say)
        catalogue = SqliteCatalogue(path / CATALOGUE)
        try:
            for row in salvaged:
                await catalogue.put(row)
            left_over = await _Repair(path, catalogue, store.unfinished.copy(), keys, say).run()
        finally:
            await catalogue.close()
        for unfinished in store.unfinished.values():
            say(f"{unfinished.recording.id}: unfinished; it goes on when the service is started")
        return left_over
    finally:
        await store.close()


def _set_aside(path: Path, say: Say) -> list[SessionRow]:
    """Move a damaged catalogue away, and return what could be read of it."""
    complaints = damaged_catalogue(path)
    if not complaints or not (path / CATALOGUE).exists():
        return []
    rows = list(_salvage(path / CATALOGUE))
    name = f"{CATALOGUE}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("", "-wal", "-shm"):
        if (path / (CATALOGUE + suffix)).exists():
            (path / (CATALOGUE + suffix)).rename(path / (name + suffix))
    say(f"{complaints[0]}; it is now {name}, and a new one was made; {len(rows)} of its sessions could be read")
    return rows


def _salvage(file: Path) -> Iterator[SessionRow]:
    try:
        database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            yield from read_rows(database)
        finally:
            database.close()
    except (sqlite3.Error, ValueError, TypeError):
        return  # no more than this


class _Repair:
    """Of files and rows, one recording after the other."""

    def __init__(self, path: Path, catalogue: Catalogue, unfinished: dict[str, Unfinished], keys: MasterKeys,
                 say: Say) -> None:
        self._path = path
        self._catalogue = catalogue
        self._unfinished = unfinished
        self._keys = keys
        self._say = say

    async def run(self) -> int:
        """Return how many findings are left."""
        rows = {row.id: row async for row in all_rows(self._catalogue)}
        files = dict(recordings(self._path))
        left = 0
        for id, file in files.items():
            row = rows.get(id)
            for finding in list(inspect(id, file, row, self._keys)):
                left += not self._mend_file(finding, file, row)
            await self._mend_row(id, file, row)
        for id, row in rows.items():
            if row.status is Status.ACTIVE and id not in files and id not in self._unfinished:
                await self._give_up(row)
        for finding in list(missing(rows, files)):
            await self._give_up(rows[finding.id])
        return left

    def _mend_file(self, finding: Finding, file: Path, row: SessionRow | None) -> bool:
        if finding.fault in (Fault.KEY, Fault.DAMAGED) or (finding.fault is Fault.UNREADABLE and is_sealed(file)):
            self._say(f"{finding}: it is kept as it is")
            return False
        if finding.fault not in (Fault.HEADER, Fault.UNREADABLE):
            return True  # the row is made to say what the file has
        head, size = head_and_size(file)
        header = our_header(head)
        if header is None and (row is None or size < HEADER_BYTES or _is_foreign(head)):
            self._say(f"{finding}: it is kept as it is; if it holds audio, import it")
            return False
        known = header or row
        assert known is not None
        rate, channels = known.rate, known.channels
        audio = size - HEADER_BYTES
        audio -= audio % (2 * channels)
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_all(descriptor, write_header(rate, channels, audio), 0)
            os.ftruncate(descriptor, HEADER_BYTES + audio)
        finally:
            os.close(descriptor)
        sync_path(file)
        self._say(f"{finding}: the header was written anew")
        return True

    async def _mend_row(self, id: str, file: Path, row: SessionRow | None) -> None:
        found = self._content(file)
        if found is None:
            return
        (rate, channels, audio), ended = found, file.stat().st_mtime
        begun = ended - Recording(id, rate, channels).seconds(audio)
        known = row or SessionRow(id, "", rate, channels, "wav", Status.COMPLETED, begun, ended, ended)
        status = Status.COMPLETED if known.status is Status.ACTIVE else known.status
        mended = replace(known, rate=rate, channels=channels, audio_bytes=audio, status=status,
                         place=str(file.absolute()), closed=known.closed if known.closed is not None else ended)
        if mended != row:
            await self._catalogue.put(mended)
            self._say(f"{id}: {'the catalogue was corrected' if row else 'it is in the catalogue again'}")

    def _content(self, file: Path) -> tuple[int, int, int] | None:
        """Rate, channels, and bytes of samples; None where it cannot be told."""
        if is_sealed(file):
            try:
                sealed = SealedRecording(file, self._keys)
            except StoreError:
                return None
            sealed.close()
            return sealed.recording.rate, sealed.recording.channels, sealed.audio_bytes
        head, size = head_and_size(file)
        header = our_header(head)
        return (header.rate, header.channels, size - HEADER_BYTES) if header else None

    async def _give_up(self, row: SessionRow) -> None:
        self._say(f"{row.id}: {Fault.GONE.value}; the session says so now")
        await self._catalogue.put(replace(row, status=Status.ERROR, closed=row.closed or time.time(),
                                          error="the file of the recording is gone"))


def _is_foreign(head: bytes) -> bool:
    """A WAV file of others: its samples begin somewhere else."""
    try:
        header = read_header(head)
    except ValueError:
        return False
    return header is not None and header.offset != HEADER_BYTES
