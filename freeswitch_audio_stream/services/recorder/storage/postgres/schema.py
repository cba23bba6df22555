"""Brings a database to the present: every service does so when it starts, one after the other."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from .....errors import SettingError
from .database import Database

_LOCK = 0x66736172
"""Of PostgreSQL's advisory locks: who migrates."""


def configuration(connection: Connection) -> Config:
    """Return alembic's configuration for a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


async def migrate(database: Database) -> None:
    """Make the tables, or change them to what this version needs. Raise SettingError where that cannot be."""
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await connection.run_sync(lambda sync: command.upgrade(configuration(sync), "head"))
    try:
        await database.run(work)
    except CommandError as error:
        raise SettingError(f"the database was made by a later version of the recorder ({error}): use that one"
                           ) from error
