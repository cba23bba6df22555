"""The catalogue in SQLite: one file, one thread."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Iterator, Sequence

from ....errors import SettingError
from ....web.worker_lanes import WorkerLane
from .catalogue import Delivery, SessionFilter, SessionRow, Status

_COLUMNS = tuple(field.name for field in fields(SessionRow))
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, rate INTEGER NOT NULL, channels INTEGER NOT NULL, format TEXT NOT NULL,
    status TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, closed REAL, chunks INTEGER NOT NULL,
    received INTEGER NOT NULL, audio_bytes INTEGER NOT NULL, place TEXT NOT NULL, degraded TEXT NOT NULL,
    error TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (created DESC, id);
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user, created DESC);
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (closed);
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, body TEXT NOT NULL, created REAL NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (url, due, created);
"""
_PUT = f"INSERT OR REPLACE INTO sessions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_STOP_SECONDS = 30.0
_BUSY_SECONDS = 30.0
"""How long it waits for another process that writes: a command, beside the service."""


class SqliteCatalogue:
    """A `Catalogue` in a file."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open the file, or make it unless it is `read_only`. Blocks. Raise SettingError where it cannot be used."""
        try:
            address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._database = sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None,
                                             timeout=_BUSY_SECONDS)
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise SettingError(f"{path} was made by a later version of the recorder: use that one")
            if not read_only:
                self._prepare()
        except sqlite3.Error as error:
            raise SettingError(f"the catalogue {path} cannot be used: {error}; run 'freeswitch-audio-stream recorder "
                               "repair', which makes it anew") from error
        self._lane = WorkerLane("catalogue", 1, _raise)

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)
        self._database.execute(f"PRAGMA user_version={_VERSION}")

    async def put(self, row: SessionRow, deliveries: Sequence[Delivery] = ()) -> None:
        await self._lane.run(self._put, row, deliveries)

    async def get(self, id: str) -> SessionRow | None:
        rows = await self._lane.run(self._execute, f"SELECT {', '.join(_COLUMNS)} FROM sessions WHERE id = ?", (id,))
        return _row(rows[0]) if rows else None

    async def find(self, which: SessionFilter, limit: int, offset: int = 0) -> tuple[Sequence[SessionRow], int]:
        where, values = _where(which)
        rows = await self._lane.run(self._execute, f"SELECT {', '.join(_COLUMNS)} FROM sessions {where} ORDER BY "
                                    "created DESC, id LIMIT ? OFFSET ?", (*values, limit, offset))
        total = await self._lane.run(self._execute, f"SELECT COUNT(*) FROM sessions {where}", values)
        return [_row(row) for row in rows], total[0][0]

    async def usage(self, user: str) -> tuple[int, int]:
        rows = await self._lane.run(self._execute, "SELECT COALESCE(SUM((status <> 'active') * audio_bytes), "
                                    "0), COALESCE(SUM(status = 'active'), 0) FROM sessions WHERE user = ?", (user,))
        return rows[0][0], rows[0][1]

    async def remove(self, id: str) -> None:
        await self._lane.run(self._execute, "DELETE FROM sessions WHERE id = ?", (id,))

    async def retry_deliveries(self, urls: Sequence[str]) -> None:
        places = ", ".join("?" * len(urls))
        await self._lane.run(self._execute, f"DELETE FROM deliveries WHERE url NOT IN ({places})", urls)
        await self._lane.run(self._execute, "UPDATE deliveries SET due = 0", ())

    async def next_delivery(self, url: str) -> Delivery | None:
        rows = await self._lane.run(self._execute, "SELECT id, url, body, created, due, attempts FROM deliveries "
                                    "WHERE url = ? ORDER BY due, created LIMIT 1", (url,))
        return Delivery(*rows[0]) if rows else None

    async def postpone(self, id: str, due: float, attempts: int) -> None:
        await self._lane.run(self._execute, "UPDATE deliveries SET due = ?, attempts = ? WHERE id = ?",
                             (due, attempts, id))

    async def delivered(self, id: str) -> None:
        await self._lane.run(self._execute, "DELETE FROM deliveries WHERE id = ?", (id,))

    async def close(self) -> None:
        await self._lane.run(self._database.close)
        self._lane.stop(time.monotonic() + _STOP_SECONDS)

    def _put(self, row: SessionRow, deliveries: Sequence[Delivery]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.execute(_PUT, (*astuple(row)[:5], row.status.value, *astuple(row)[6:]))
            self._database.executemany("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?)", map(astuple, deliveries))
            self._database.execute("COMMIT")
        except BaseException:
            self._database.rollback()
            raise

    def _execute(self, statement: str, values: Sequence[Any]) -> list[Any]:
        return self._database.execute(statement, values).fetchall()


def read_rows(database: sqlite3.Connection) -> Iterator[SessionRow]:
    """Yield what can be read of a catalogue that may be damaged; raise sqlite3.Error at the first that cannot."""
    for values in database.execute(f"SELECT {', '.join(_COLUMNS)} FROM sessions"):
        yield _row(values)


def _where(which: SessionFilter) -> tuple[str, tuple[Any, ...]]:
    conditions = [(text, value) for text, value in (
        ("user = ?", which.user), ("status = ?", which.status.value if which.status else None),
        ("created >= ?", which.since), ("created < ?", which.before),
        ("closed < ?", which.closed_before)) if value is not None]
    if not conditions:
        return "", ()
    return "WHERE " + " AND ".join(text for text, _ in conditions), tuple(value for _, value in conditions)


def _row(values: Sequence[Any]) -> SessionRow:
    named = dict(zip(_COLUMNS, values))
    return SessionRow(**{**named, "status": Status(named["status"])})


def _raise(error: BaseException) -> None:
    raise error
