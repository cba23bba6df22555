"""Recordings whose audio is in an object store: how far they are, where their bytes are, and who goes on with them."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE replicas (id TEXT PRIMARY KEY, expires DOUBLE PRECISION NOT NULL)")
    op.execute("""
        CREATE TABLE recordings (
            id TEXT PRIMARY KEY, rate INTEGER NOT NULL, channels INTEGER NOT NULL, "user" TEXT NOT NULL,
            format TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, updated DOUBLE PRECISION NOT NULL,
            owner TEXT NOT NULL, epoch BIGINT NOT NULL, writes BIGINT NOT NULL, chunks BIGINT NOT NULL,
            received BIGINT NOT NULL, note BYTEA NOT NULL, lengths TEXT NOT NULL, audio_bytes BIGINT NOT NULL,
            is_open BOOLEAN NOT NULL, is_composed BOOLEAN NOT NULL)""")
    op.execute("CREATE INDEX recordings_open ON recordings (owner) WHERE is_open")
    op.execute("CREATE INDEX recordings_to_compose ON recordings (updated) WHERE NOT is_open AND NOT is_composed")
    op.execute("""
        CREATE TABLE segments (
            recording TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE, stream INTEGER NOT NULL,
            begin BIGINT NOT NULL, length BIGINT NOT NULL, object TEXT NOT NULL, "offset" BIGINT NOT NULL,
            PRIMARY KEY (recording, stream, begin))""")
    op.execute("CREATE INDEX segments_by_object ON segments (object)")
