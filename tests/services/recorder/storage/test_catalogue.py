"""What every catalogue does; each implementation goes through all of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Awaitable, Callable

import pytest

from freeswitch_audio_stream.errors import SettingError
from freeswitch_audio_stream.services.recorder.storage.catalogue import (Catalogue, Delivery, SessionFilter,
                                                                         SessionRow, Status)
from freeswitch_audio_stream.services.recorder.storage.sqlite import SqliteCatalogue

from ..postgres_server import PostgresServer

MakeCatalogue = Callable[[], Catalogue]
ROW = SessionRow("a", "alice", 8000, 1, "wav", Status.ACTIVE, 10.0, 11.0)


@pytest.fixture(params=["sqlite", "postgres"])
def make_catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> MakeCatalogue:
    """Opens the same catalogue at every call, on an event loop of its own."""
    if request.param == "sqlite":
        return lambda: SqliteCatalogue(tmp_path / "catalogue.sqlite")
    server: PostgresServer = request.getfixturevalue("postgres")
    return postgres_catalogues(server.database())


def postgres_catalogues(url: str) -> MakeCatalogue:
    from freeswitch_audio_stream.services.recorder.storage.postgres.catalogue import PostgresCatalogue
    from freeswitch_audio_stream.services.recorder.storage.postgres.database import Database
    from freeswitch_audio_stream.services.recorder.storage.postgres.schema import migrate

    class WithItsDatabase(PostgresCatalogue):
        def __init__(self) -> None:
            self.database = Database(url)
            super().__init__(self.database)

        async def close(self) -> None:
            await super().close()
            await self.database.close()

    async def prepare() -> None:
        database = Database(url)
        await migrate(database)
        await database.close()
    asyncio.run(prepare())
    return WithItsDatabase


def run(make_catalogue: MakeCatalogue, use: Callable[[Catalogue], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        catalogue = make_catalogue()
        try:
            return await use(catalogue)
        finally:
            await catalogue.close()
    return asyncio.run(main())


def test_it_remembers_every_field_over_a_restart(make_catalogue: MakeCatalogue) -> None:
    full = SessionRow("b", "b'; --", 48000, 2, "flac", Status.ERROR, 1.5, 2.5, 3.5, 4, 5, 6, "/x.wav", "late", "why")

    async def put(catalogue: Catalogue) -> None:
        await catalogue.put(ROW)
        await catalogue.put(full)
        await catalogue.put(replace(ROW, chunks=9))

    async def look(catalogue: Catalogue) -> None:
        assert await catalogue.get("b") == full and await catalogue.get("a") == replace(ROW, chunks=9)
        assert await catalogue.get("c") is None
        await catalogue.remove("a")
        await catalogue.remove("a")
        assert await catalogue.get("a") is None
    run(make_catalogue, put)
    run(make_catalogue, look)


def test_pages_and_filters(make_catalogue: MakeCatalogue) -> None:
    rows = [replace(ROW, id=f"{number:02d}", user="alice" if number % 2 else "bob", created=float(number),
                    status=Status.COMPLETED if number < 6 else Status.ACTIVE, audio_bytes=10) for number in range(10)]

    async def use(catalogue: Catalogue) -> None:
        for row in rows:
            await catalogue.put(row)

        async def ids(limit: int = 99, offset: int = 0, **which: Any) -> tuple[list[str], int]:
            page, total = await catalogue.find(SessionFilter(**which), limit, offset)
            return [row.id for row in page], total
        assert await ids(3) == (["09", "08", "07"], 10) and await ids(3, 9) == (["00"], 10)
        assert await ids(user="bob", status=Status.ACTIVE) == (["08", "06"], 2)
        assert await ids(since=2.0, before=4.0) == (["03", "02"], 2)
        assert await ids(user="nobody") == ([], 0)
        assert await catalogue.usage("bob") == (30, 2) and await catalogue.usage("nobody") == (0, 0)
    run(make_catalogue, use)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(SettingError, match="repair"):
        SqliteCatalogue(tmp_path / "catalogue.sqlite")


def test_deliveries_are_stored_with_their_session_and_come_in_the_order_in_which_they_are_due(
        make_catalogue: MakeCatalogue) -> None:
    first, second, other = (Delivery(f"msg_{name}", f"http://{host}", "{}", 5.0 + name)
                            for name, host in ((1, "a"), (2, "a"), (3, "b")))

    async def put(catalogue: Catalogue) -> None:
        await catalogue.put(ROW, [second, first, other])
        with pytest.raises(Exception):
            await catalogue.put(replace(ROW, chunks=99), [first])  # all of it or nothing
        assert await catalogue.get(ROW.id) == ROW
        assert await catalogue.next_delivery("http://a") == first
        await catalogue.postpone(first.id, 100.0, 1)
        assert await catalogue.next_delivery("http://a") == second
        await catalogue.delivered(second.id)
        assert await catalogue.next_delivery("http://a") == replace(first, due=100.0, attempts=1)

    async def look(catalogue: Catalogue) -> None:
        await catalogue.retry_deliveries(["http://a"])
        assert await catalogue.next_delivery("http://a") == replace(first, attempts=1)
        assert await catalogue.next_delivery("http://b") is None
        await catalogue.delivered(first.id)
        await catalogue.delivered(first.id)
        assert await catalogue.next_delivery("http://a") is None
    run(make_catalogue, put)
    run(make_catalogue, look)
