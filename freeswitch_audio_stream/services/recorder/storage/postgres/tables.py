"""The tables, as the last migration leaves them."""

from __future__ import annotations

from sqlalchemy import (BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, MetaData, Table,
                        Text, and_, not_)

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

REPLICAS = Table("replicas", METADATA, Column("id", Text, primary_key=True), Column("expires", Double, nullable=False))
"""One row a running service, and until when (seconds since 1970) it is believed to run."""

RECORDINGS = Table(
    "recordings", METADATA, Column("id", Text, primary_key=True), Column("rate", Integer, nullable=False),
    Column("channels", Integer, nullable=False), Column("user", Text, nullable=False),
    Column("format", Text, nullable=False), Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False), Column("owner", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False), Column("writes", BigInteger, nullable=False),
    Column("chunks", BigInteger, nullable=False), Column("received", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False), Column("lengths", Text, nullable=False),
    Column("audio_bytes", BigInteger, nullable=False), Column("is_open", Boolean, nullable=False),
    Column("is_composed", Boolean, nullable=False))
"""One row a recording: what it is, how far it is, and which replica writes to it. `epoch` counts its owners, `writes`
what has been committed; `lengths` is JSON, the bytes of each stream.
"""
Index("recordings_open", RECORDINGS.c.owner, postgresql_where=RECORDINGS.c.is_open)
Index("recordings_to_compose", RECORDINGS.c.updated,
      postgresql_where=and_(not_(RECORDINGS.c.is_open), not_(RECORDINGS.c.is_composed)))

SEGMENTS = Table(
    "segments", METADATA,
    Column("recording", Text, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True),
    Column("stream", Integer, primary_key=True), Column("begin", BigInteger, primary_key=True),
    Column("length", BigInteger, nullable=False), Column("object", Text, nullable=False),
    Column("offset", BigInteger, nullable=False))
"""Where bytes of a stream are that no composed object has yet."""
Index("segments_by_object", SEGMENTS.c.object)
