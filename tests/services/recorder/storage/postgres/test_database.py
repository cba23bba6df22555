"""The database: its tables are what the migrations make, it may be away for a while, and its services share it."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("alembic")

from alembic.autogenerate import compare_metadata  # noqa: E402
from alembic.migration import MigrationContext  # noqa: E402
from sqlalchemy import text  # noqa: E402

from freeswitch_audio_stream.errors import SettingError  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.catalogue import Delivery, SessionRow, Status  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.postgres.catalogue import PostgresCatalogue  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.postgres.database import (Database, DatabaseAway,  # noqa: E402
                                                                                 engine_url)
from freeswitch_audio_stream.services.recorder.storage.postgres.schema import migrate  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.postgres.tables import METADATA  # noqa: E402

from ...postgres_server import PostgresServer  # noqa: E402


def run(url: str, use: Callable[[Database], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        database = Database(url, **options)
        try:
            return await use(database)
        finally:
            await database.close()
    return asyncio.run(main())


@pytest.mark.slow
def test_the_migrations_make_what_the_code_thinks_there_is(postgres: PostgresServer) -> None:
    async def use(database: Database) -> list[Any]:
        await asyncio.gather(*(migrate(database) for _ in range(3)))  # services that start at the same time

        def compare(connection: Any) -> list[Any]:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            names = {table.name for table in METADATA.sorted_tables}
            return [difference for difference in compare_metadata(context, METADATA)
                    if difference[0] != "remove_table" or difference[1].name in names]

        async def look(connection: Any) -> list[Any]:
            return list(await connection.run_sync(compare))
        return list(await database.run(look))
    differences = [difference for difference in run(postgres.database(), use) if "procrastinate" not in str(difference)]
    assert differences == []


def test_a_later_versions_database_is_left_alone(postgres: PostgresServer) -> None:
    async def use(database: Database) -> None:
        await migrate(database)
        await database.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(SettingError, match="later version"):
            await migrate(database)
    run(postgres.database(), use)


def test_a_database_that_is_away_for_a_while_is_waited_for(postgres: PostgresServer) -> None:
    url = postgres.database()

    async def use(database: Database) -> None:
        assert await database.execute(text("SELECT 1")) == [(1,)]
        await asyncio.to_thread(postgres.stop)
        waiting = asyncio.ensure_future(database.execute(text("SELECT 2")))
        await asyncio.sleep(0)
        await asyncio.to_thread(postgres.start)
        assert await waiting == [(2,)]
    run(url, use)

    async def give_up(database: Database) -> None:
        with pytest.raises(DatabaseAway, match="does not answer"):
            await database.execute(text("SELECT 1"))
    run("postgresql://recorder@127.0.0.1:1/none", give_up, patience=0.0)


def test_a_delivery_is_of_one_service_at_a_time(postgres: PostgresServer) -> None:
    row = SessionRow("a", "", 8000, 1, "wav", Status.COMPLETED, 1.0, 1.0)
    url = "http://a"

    async def use(database: Database) -> None:
        await migrate(database)
        one, other = PostgresCatalogue(database), PostgresCatalogue(database)
        await one.put(row, [Delivery("msg_1", url, "{}", 1.0), Delivery("msg_2", url, "{}", 2.0)])
        first, second = await one.next_delivery(url), await other.next_delivery(url)
        assert first and second and (first.id, second.id) == ("msg_1", "msg_2")
        waiting = await other.next_delivery(url)
        assert waiting and waiting.id == "msg_1" and waiting.due > 1e9  # not now: when the other has had its time
        await other.retry_deliveries([url])
        assert await other.next_delivery(url) == waiting
        await one.close()
        again = await other.next_delivery(url)
        assert again and (again.id, again.due) == ("msg_1", 0.0)
    run(postgres.database(), use)


def test_urls() -> None:
    assert str(engine_url("postgresql://u@h/d?sslmode=require")) == "postgresql+asyncpg://u@h/d?ssl=require"
    with pytest.raises(SettingError, match="postgresql://"):
        engine_url("nonsense")
