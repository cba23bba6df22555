"""Run by alembic, with the connection that whoever asked for the migration has put into its configuration."""

from __future__ import annotations

from alembic import context

from freeswitch_audio_stream.services.recorder.storage.postgres.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, compare_type=True,
                  compare_server_default=True)
with context.begin_transaction():
    context.run_migrations()
