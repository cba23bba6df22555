"""Which replica goes on with a recording, and which replicas there are.

A recording has one owner at a time, and its epoch counts them. Whoever is asked to go on with it takes it, and nobody
is waited for: what the owner before writes from then on is refused, as it names an epoch that is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import orjson
from sqlalchemy import text

from ..interface import Progress, Recording, Unfinished
from .database import Database

_NOW = "extract(epoch FROM clock_timestamp())::float8"
_FORGET_SECONDS = 3600.0
_ALIVE = f"EXISTS (SELECT 1 FROM replicas WHERE replicas.id = r.owner AND replicas.expires > {_NOW})"
_MOST_ORPHANS = 10
"""Taken at once, so that the other replicas get some as well."""


@dataclass(frozen=True)
class Owned:
    """A recording, as it is when it is taken."""

    unfinished: Unfinished
    epoch: int
    writes: int


class Owners:
    """For an event loop. All methods raise StoreError where the database is away."""

    def __init__(self, database: Database, replica: str) -> None:
        """`replica` is the name of this process, which no other has."""
        self._database = database
        self._replica = replica

    async def beat(self, seconds: float) -> dict[str, int]:
        """Say that this replica runs, and will for so long; return the epochs of the recordings that it owns."""
        await self._database.execute(text(
            f"INSERT INTO replicas VALUES (:replica, {_NOW} + :seconds) "
            "ON CONFLICT (id) DO UPDATE SET expires = excluded.expires"),
            {"replica": self._replica, "seconds": seconds})
        rows = await self._database.execute(text("SELECT id, epoch FROM recordings WHERE is_open AND owner = :replica"),
                                            {"replica": self._replica})
        return {row.id: row.epoch for row in rows}

    async def take(self, id: str) -> Owned | None:
        """Own an unfinished recording from now on; None where there is none."""
        rows = await self._database.execute(text(
            "UPDATE recordings SET owner = :replica, epoch = epoch + 1 WHERE id = :id AND is_open RETURNING *"),
            {"replica": self._replica, "id": id})
        return next(map(_owned, rows), None)

    async def take_orphans(self) -> Sequence[Owned]:
        """Own and return some unfinished recordings whose owner has ended."""
        rows = await self._database.execute(text(
            "UPDATE recordings SET owner = :replica, epoch = epoch + 1 WHERE id IN (SELECT id FROM recordings r "
            f"WHERE is_open AND NOT {_ALIVE} LIMIT {_MOST_ORPHANS} FOR UPDATE SKIP LOCKED) RETURNING *"),
            {"replica": self._replica})
        return [_owned(row) for row in rows]

    async def take_ended(self) -> Sequence[str]:
        """Own and return recordings that are finished, whose owner has ended before their sessions said so."""
        rows = await self._database.execute(text(
            "UPDATE recordings r SET owner = :replica FROM sessions WHERE sessions.id = r.id AND "
            f"sessions.status = 'active' AND NOT is_open AND (owner = :replica OR NOT {_ALIVE}) RETURNING r.id"),
            {"replica": self._replica})
        return [row.id for row in rows]

    async def leave(self) -> None:
        """Have the others go on at once with what this replica owns."""
        await self._database.execute(text(
            f"WITH old AS (SELECT {_NOW} - {_FORGET_SECONDS} AS time) DELETE FROM replicas USING old "
            "WHERE id = :replica OR expires < old.time"), {"replica": self._replica})


def _owned(row: Any) -> Owned:
    recording = Recording(row.id, row.rate, row.channels, row.user, row.format, row.created)
    lengths = {int(stream): length for stream, length in orjson.loads(row.lengths).items()}
    return Owned(Unfinished(recording, lengths, Progress(row.chunks, row.received, bytes(row.note))), row.epoch,
                 row.writes)
