"""Says what is wrong with the recordings of a folder. Changes nothing; the service may run."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Callable

from ....errors import SettingError
from ..storage.catalogue import SessionRow
from ..storage.folder import Folder
from ..storage.journal import Segment
from ..storage.sealing.master_keys import MasterKeys
from ..storage.sqlite import SqliteCatalogue
from .inspection import all_rows, inspect, missing, recordings

CATALOGUE = "catalogue.sqlite"


async def verify(path: Path, keys: MasterKeys, say: Callable[[str], None]) -> int:
    """Say what is wrong, and how much was checked; return how many things are wrong. Blocks.

    Raise SettingError where there is no folder.
    """
    if not (path / "unfinished").is_dir():
        raise SettingError(f"there are no recordings in {path}: name their folder (--audio-storage-path)")
    problems = [*damaged_catalogue(path), *_damaged_journals(path)]
    rows = await _rows(path)
    files = dict(recordings(path))
    for id, file in files.items():
        problems += map(str, inspect(id, file, (rows or {}).get(id), keys))
    problems += map(str, missing(rows or {}, files))
    for problem in problems:
        say(problem)
    remedy = "; the command repair makes right what can be" if problems else ""
    say(f"{len(files)} finished recordings checked, {len(problems) or 'no'} problems{remedy}")
    if Folder.is_in_use(path):
        say("the service is running: what is unfinished was not checked")
    return len(problems)


def damaged_catalogue(path: Path) -> list[str]:
    """Return what is wrong with the catalogue as a file."""
    file = path / CATALOGUE
    if not file.exists():
        return ["there is no catalogue"] if any(recordings(path)) else []
    try:
        database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(10)")]
        finally:
            database.close()
    except sqlite3.Error as error:
        return [f"the catalogue {file} cannot be read: {error}"]
    return [] if found == ["ok"] else [f"the catalogue {file} is damaged: {text}" for text in found]


async def _rows(path: Path) -> dict[str, SessionRow] | None:
    """What the catalogue says; None where it cannot be read."""
    if not (path / CATALOGUE).exists():
        return None
    try:
        catalogue = SqliteCatalogue(path / CATALOGUE, read_only=True)
    except SettingError:
        return None
    try:
        return {row.id: row async for row in all_rows(catalogue)}
    except sqlite3.Error:
        return None
    finally:
        await catalogue.close()


def _damaged_journals(path: Path) -> list[str]:
    if Folder.is_in_use(path):
        return []
    damaged = []
    for journal in sorted((path / "unfinished").glob("journal-*")):
        segment = Segment(journal.read_bytes())
        for _ in segment:
            pass
        if segment.skipped or (segment.data and not segment.is_one):
            damaged.append(f"the journal {journal} is damaged: {segment.skipped or segment.torn} bytes are no records")
    return damaged
