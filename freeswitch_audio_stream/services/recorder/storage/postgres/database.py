"""Connections to PostgreSQL, and what is tried again where one is lost."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Awaitable, Callable, TypeVar

from asyncpg import InterfaceError as DriverError
from asyncpg import PostgresError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from .....errors import SettingError
from ..interface import Interrupted

PATIENCE_SECONDS = 20.0
"""How long it is tried again while the database is away: a restart, or a standby that takes over."""
_PAUSE_SECONDS = 0.1
_CONNECT_SECONDS = 5.0
_COMMAND_SECONDS = 30.0
_TRANSIENT = ("08", "40001", "40P01", "53300", "57P01", "57P02", "57P03")
"""SQLSTATEs, or their classes: no connection, deadlock, too many connections, shutting down, starting."""

T = TypeVar("T")


class DatabaseAway(Interrupted):
    """The database has not answered for as long as it is waited for."""


def engine_url(text: str) -> URL:
    """Return SQLAlchemy's form of a URL as PostgreSQL's own programs take it; raise SettingError."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingError(f"the database URL is none: write postgresql://user:password@host/database ({error})"
                           ) from error
    if "sslmode" in url.query:
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    return url.set(drivername="postgresql+asyncpg")


class Database:
    """One for a process; for one event loop."""

    def __init__(self, url: str, connections: int = 8, patience: float = PATIENCE_SECONDS) -> None:
        """Connect to nothing yet. At most so many connections are open at once. Raise SettingError."""
        self._patience = patience
        self._running: set[asyncio.Task[Any]] = set()
        self._engine = create_async_engine(
            engine_url(url), pool_size=connections, max_overflow=0, pool_timeout=_COMMAND_SECONDS,
            connect_args={"timeout": _CONNECT_SECONDS, "command_timeout": _COMMAND_SECONDS,
                          "server_settings": {"application_name": "freeswitch_audio_stream recorder"}})

    async def run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what `work` returns, which is carried out in one transaction.

        Where the connection is lost it is carried out again, maybe after a commit whose answer was lost: it has to bear
        that. Where whoever waits is cancelled, it is carried out all the same. Raise DatabaseAway, or what `work`
        raises.
        """
        task = asyncio.ensure_future(self._run(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                async with self._engine.begin() as connection:
                    return await work(connection)
            except (DBAPIError, DriverError, PostgresError, OSError, asyncio.TimeoutError) as error:
                if not is_transient(error):
                    raise
                if time.monotonic() >= deadline:
                    raise DatabaseAway(f"the database does not answer ({_words(error)}): look after it; nothing that "
                                       "was acknowledged is lost") from error
            await asyncio.sleep(_PAUSE_SECONDS)

    async def execute(self, statement: Any, values: dict[str, Any] | None = None) -> list[Any]:
        """Return the rows of one statement, which has to bear being carried out twice; raise as `run` does."""
        async def work(connection: AsyncConnection) -> list[Any]:
            result = await connection.execute(statement, values)
            return list(result) if result.returns_rows else []
        return await self.run(work)

    async def close(self) -> None:
        """Let go of all connections; what has been begun is carried out before."""
        while self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()


def is_transient(error: BaseException) -> bool:
    """Return whether it may work in a moment."""
    if isinstance(error, DBAPIError):
        original = getattr(error.orig, "__cause__", None) or error.orig
        return error.connection_invalidated or original is not None and is_transient(original)
    if isinstance(error, PostgresError):
        return str(getattr(error, "sqlstate", "")).startswith(_TRANSIENT)
    return isinstance(error, (OSError, asyncio.TimeoutError, DriverError))


def _words(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(original).strip() or type(original).__name__
