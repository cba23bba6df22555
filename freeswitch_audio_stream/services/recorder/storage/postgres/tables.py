"""The tables, as the last migration leaves them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, Table, Text

METADATA = MetaData()

SESSIONS = Table(
    "sessions", METADATA, Column("id", Text, primary_key=True), Column("user", Text, nullable=False),
    Column("rate", Integer, nullable=False), Column("channels", Integer, nullable=False),
    Column("format", Text, nullable=False), Column("status", Text, nullable=False),
    Column("created", Double, nullable=False), Column("updated", Double, nullable=False), Column("closed", Double),
    Column("chunks", BigInteger, nullable=False), Column("received", BigInteger, nullable=False),
    Column("audio_bytes", BigInteger, nullable=False), Column("place", Text, nullable=False),
    Column("degraded", Text, nullable=False), Column("error", Text, nullable=False))
"""One row a session: `SessionRow`."""
Index("sessions_by_time", SESSIONS.c.created.desc(), SESSIONS.c.id)
Index("sessions_by_user", SESSIONS.c.user, SESSIONS.c.created.desc())
Index("sessions_by_end", SESSIONS.c.closed)
Index("sessions_active", SESSIONS.c.created, postgresql_where=SESSIONS.c.status == "active")

DELIVERIES = Table(
    "deliveries", METADATA, Column("id", Text, primary_key=True), Column("url", Text, nullable=False),
    Column("body", Text, nullable=False), Column("created", Double, nullable=False),
    Column("due", Double, nullable=False), Column("attempts", Integer, nullable=False),
    Column("claimed", Double, nullable=False, server_default="0"), Column("claimant", Text, nullable=False,
                                                                          server_default=""))
"""One row for what is to be told: `Delivery`, and until when (seconds since 1970) which process is telling it."""
Index("deliveries_by_time", DELIVERIES.c.url, DELIVERIES.c.due, DELIVERIES.c.created)
