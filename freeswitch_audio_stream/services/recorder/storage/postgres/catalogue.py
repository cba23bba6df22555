"""The catalogue in PostgreSQL, which many services share."""

from __future__ import annotations

import uuid
from dataclasses import asdict, fields
from typing import Any, Sequence

from sqlalchemy import Select, and_, delete, func, not_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ..catalogue import Delivery, SessionFilter, SessionRow, Status
from .database import Database
from .tables import DELIVERIES, RECORDINGS, SESSIONS

_CLAIM_SECONDS = 60.0
"""For which a delivery is whose service has asked for it: longer than a webhook may take to answer."""
_CURRENT = {"chunks", "received", "audio_bytes", "updated"}
"""What an active session's recording knows better: it is written with each acknowledgement."""
_ROW = [func.coalesce(RECORDINGS.c[field.name], SESSIONS.c[field.name]).label(field.name) if field.name in _CURRENT
        else SESSIONS.c[field.name] for field in fields(SessionRow)]
_ROWS = select(*_ROW).select_from(SESSIONS.outerjoin(
    RECORDINGS, and_(RECORDINGS.c.id == SESSIONS.c.id, SESSIONS.c.status == Status.ACTIVE.value)))
_CLAIM = text("""
    WITH now AS (SELECT extract(epoch FROM clock_timestamp())::float8 AS now), chosen AS (
        SELECT id FROM deliveries, now WHERE url = :url AND due <= now AND claimed <= now
        ORDER BY due, created LIMIT 1 FOR UPDATE OF deliveries SKIP LOCKED)
    UPDATE deliveries SET claimed = now + :seconds, claimant = :claimant FROM chosen, now
    WHERE deliveries.id = chosen.id
    RETURNING deliveries.id, url, body, created, due, attempts""")
_NEXT = text("""
    SELECT id, url, body, created, greatest(due, claimed) AS due, attempts FROM deliveries WHERE url = :url
    ORDER BY greatest(due, claimed), created LIMIT 1""")


class PostgresCatalogue:
    """A `Catalogue` of many services. What one of them is delivering, no other does meanwhile."""

    def __init__(self, database: Database) -> None:
        """`database` is closed by whoever made it, after this."""
        self._database = database
        self._claimant = uuid.uuid4().hex

    async def put(self, row: SessionRow, deliveries: Sequence[Delivery] = ()) -> None:
        values = {**asdict(row), "status": row.status.value}
        upsert = insert(SESSIONS).values(values).on_conflict_do_update(index_elements=["id"], set_=values)
        adding = insert(DELIVERIES)
        is_first = True

        async def work(connection: AsyncConnection) -> None:
            nonlocal is_first
            await connection.execute(upsert)
            if deliveries:
                # The second time they may be there already: the answer to a commit was lost.
                statement = adding if is_first else adding.on_conflict_do_nothing()
                is_first = False
                await connection.execute(statement, [asdict(delivery) for delivery in deliveries])
        await self._database.run(work)

    async def get(self, id: str) -> SessionRow | None:
        rows = await self._database.execute(_ROWS.where(SESSIONS.c.id == id))
        return _row(rows[0]) if rows else None

    async def find(self, which: SessionFilter, limit: int, offset: int = 0) -> tuple[Sequence[SessionRow], int]:
        page = _where(_ROWS, which).order_by(SESSIONS.c.created.desc(), SESSIONS.c.id)
        rows = await self._database.execute(page.limit(limit).offset(offset))
        total = await self._database.execute(_where(select(func.count()).select_from(SESSIONS), which))
        return [_row(row) for row in rows], total[0][0]

    async def usage(self, user: str) -> tuple[int, int]:
        is_active = SESSIONS.c.status == Status.ACTIVE.value
        active = func.count().filter(is_active)
        size = func.coalesce(func.sum(SESSIONS.c.audio_bytes).filter(not_(is_active)), 0)
        rows = await self._database.execute(select(size, active).where(SESSIONS.c.user == user))
        return int(rows[0][0]), rows[0][1]

    async def remove(self, id: str) -> None:
        await self._database.execute(delete(SESSIONS).where(SESSIONS.c.id == id))

    async def retry_deliveries(self, urls: Sequence[str]) -> None:
        await self._database.execute(text("DELETE FROM deliveries WHERE NOT url = ANY(:urls)"), {"urls": list(urls)})
        await self._database.execute(text(
            "UPDATE deliveries SET due = 0 WHERE claimed <= extract(epoch FROM clock_timestamp())"))

    async def next_delivery(self, url: str) -> Delivery | None:
        rows = await self._database.execute(_CLAIM, {"url": url, "seconds": _CLAIM_SECONDS,
                                                     "claimant": self._claimant})
        rows = rows or await self._database.execute(_NEXT, {"url": url})
        return Delivery(*rows[0]) if rows else None

    async def postpone(self, id: str, due: float, attempts: int) -> None:
        await self._database.execute(text("UPDATE deliveries SET due = :due, attempts = :attempts, claimed = 0 "
                                          "WHERE id = :id"), {"id": id, "due": due, "attempts": attempts})

    async def delivered(self, id: str) -> None:
        await self._database.execute(delete(DELIVERIES).where(DELIVERIES.c.id == id))

    async def close(self) -> None:
        await self._database.execute(text("UPDATE deliveries SET claimed = 0 WHERE claimant = :claimant"),
                                     {"claimant": self._claimant})


def _where(statement: Select[Any], which: SessionFilter) -> Select[Any]:
    columns = SESSIONS.c
    for condition in (which.user is not None and columns.user == which.user,
                      which.status is not None and columns.status == which.status.value,
                      which.since is not None and columns.created >= which.since,
                      which.before is not None and columns.created < which.before,
                      which.closed_before is not None and columns.closed < which.closed_before):
        if condition is not False:
            statement = statement.where(condition)
    return statement


def _row(values: Any) -> SessionRow:
    return SessionRow(**{**values._mapping, "status": Status(values.status)})
