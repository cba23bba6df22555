"""The catalogue: sessions, and what is to be told to webhooks."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY, "user" TEXT NOT NULL, rate INTEGER NOT NULL, channels INTEGER NOT NULL,
            format TEXT NOT NULL, status TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
            updated DOUBLE PRECISION NOT NULL, closed DOUBLE PRECISION, chunks BIGINT NOT NULL,
            received BIGINT NOT NULL, audio_bytes BIGINT NOT NULL, place TEXT NOT NULL, degraded TEXT NOT NULL,
            error TEXT NOT NULL)""")
    op.execute("CREATE INDEX sessions_by_time ON sessions (created DESC, id)")
    op.execute('CREATE INDEX sessions_by_user ON sessions ("user", created DESC)')
    op.execute("CREATE INDEX sessions_by_end ON sessions (closed)")
    op.execute("CREATE INDEX sessions_active ON sessions (created) WHERE status = 'active'")
    op.execute("""
        CREATE TABLE deliveries (
            id TEXT PRIMARY KEY, url TEXT NOT NULL, body TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
            due DOUBLE PRECISION NOT NULL, attempts INTEGER NOT NULL, claimed DOUBLE PRECISION NOT NULL DEFAULT 0,
            claimant TEXT NOT NULL DEFAULT '')""")
    op.execute("CREATE INDEX deliveries_by_time ON deliveries (url, due, created)")
