"""The store of many machines: one goes on where another was, and nothing is left behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, Awaitable, Callable

import pytest

pytest.importorskip("obstore")
pytest.importorskip("sqlalchemy")

from sqlalchemy import text  # noqa: E402

from freeswitch_audio_stream.errors import SettingError  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.interface import (Interrupted, Progress,  # noqa: E402
                                                                         UnknownRecording)
from freeswitch_audio_stream.services.recorder.storage.object_store import composing  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.object_store.objects import Objects, ObjectsAway  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.wav import HEADER_BYTES  # noqa: E402

from ...postgres_server import PostgresServer  # noqa: E402
from ...s3_server import S3Server  # noqa: E402
from ..test_store import recording, write  # noqa: E402
from .opened import OpenedStore, Place  # noqa: E402

pytestmark = pytest.mark.slow

WHAT = recording()


@pytest.fixture
def place(postgres: PostgresServer, s3: S3Server) -> Place:
    return Place(postgres, s3)


def run(place: Place, use: Callable[..., Awaitable[Any]], count: int = 2) -> Any:
    async def main() -> Any:
        stores = [OpenedStore(place, print) for _ in range(count)]
        try:
            for store in stores:
                await store.open()
            return await use(*stores)
        finally:
            for store in stores:
                await store.close()
    return asyncio.run(main())


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what nobody announces."""
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.01)
    await asyncio.wait_for(wait(), 60.0)


def test_who_was_left_behind_adds_nothing(place: Place) -> None:
    async def use(one: OpenedStore, other: OpenedStore) -> None:
        await one.begin(WHAT)
        await one.append(WHAT.id, write(b"abcd", 1, 4, b"note"))
        taken = await other.ownership.take(WHAT.id)
        assert taken and (taken.recording, taken.progress) == (WHAT, Progress(1, 4, b"note"))
        with pytest.raises(Interrupted, match="another replica"):
            await one.append(WHAT.id, write(b"LOST", 2, 8))
        assert one.lost == [WHAT.id] and WHAT.id not in one.unfinished
        await other.append(WHAT.id, write(b"efgh", 2, 8))
        with pytest.raises(UnknownRecording):
            await one.finish(WHAT.id)  # it is not its own
        assert await one.read(WHAT.id, 2, 100) == b"cdefgh"  # but every replica reads it
        stored = await other.finish(WHAT.id)
        assert (await one.content(stored))[HEADER_BYTES:] == b"abcdefgh" and await one.stored(WHAT.id) == stored
        assert await one.ownership.take(WHAT.id) is None
    run(place, use)


def test_who_is_left_behind_learns_it_without_writing(place: Place) -> None:
    async def use(one: OpenedStore, other: OpenedStore) -> None:
        await one.begin(WHAT)
        await other.ownership.take(WHAT.id)
        await until(lambda: one.lost)
        with pytest.raises(Interrupted):
            await one.append(WHAT.id, write(b"abcd", 1, 4))
    run(place, use)


def test_what_a_dead_replica_had_is_found(place: Place) -> None:
    async def use(dead: OpenedStore, other: OpenedStore) -> None:
        finished = replace(recording(), user="bob")
        for what in (WHAT, finished):
            await dead.begin(what)
        await dead.finish(finished.id)
        await dead.database.execute(text(
            "INSERT INTO sessions VALUES (:id, 'bob', 8000, 1, 'wav', 'active', 1, 1, NULL, 0, 0, 0, '', '', '')"),
            {"id": finished.id})
        assert await other.ownership.take_orphans() == [] == await other.ownership.take_ended()
        await dead.ownership.leave()
        assert [found.recording for found in await other.ownership.take_orphans()] == [WHAT]
        assert await other.ownership.take_ended() == [finished.id]
        assert await other.ownership.take_orphans() == [] and WHAT.id in other.unfinished
    run(place, use)


def test_segments_are_joined_while_a_recording_goes_on(place: Place) -> None:
    async def use(store: OpenedStore) -> None:
        neighbour = recording()
        for what in (WHAT, neighbour):
            await store.begin(what)
        for number in range(40):
            await asyncio.gather(*(store.append(what.id, write(b"%02d" % number, number + 1, 2 * number + 2))
                                   for what in (WHAT, neighbour)))
        everything = b"".join(b"%02d" % number for number in range(40))
        end = await store.composer.join(WHAT.id, 0)
        assert end == 80 and await store.composer.join(WHAT.id, end) == end  # too few to be worth it
        segments = await store.known.segments(WHAT.id, 0, 0, 80, 100)
        assert [(segment.begin, segment.length) for segment in segments] == [(0, 80)]
        await store.append(WHAT.id, write(b"end!", 41, 84))
        for what in (WHAT, neighbour):
            assert await store.read(what.id, 7, 50) == everything[7:57]
        assert (await store.content(await store.finish(WHAT.id)))[HEADER_BYTES:] == everything + b"end!"
        assert (await store.content(await store.finish(neighbour.id)))[HEADER_BYTES:] == everything
        assert await store._place.names() == sorted(f"audio/{composing.wav_name(what.id)}"
                                                    for what in (WHAT, neighbour))
    run(place, use, 1)


def test_what_is_deleted_leaves_nothing(place: Place) -> None:
    async def use(store: OpenedStore) -> None:
        kept, finished = recording(), recording()
        for what in (kept, WHAT, finished):
            await store.begin(what)
        await asyncio.gather(*(store.append(what.id, write(b"abcd", 1, 4)) for what in (kept, WHAT, finished)))
        await store.finish(finished.id)
        for id in (WHAT.id, finished.id):
            await store.delete(id)
        assert await store.read(kept.id, 0, 4) == b"abcd"
        await store.delete(kept.id)
        assert await store._place.names() == []
        with pytest.raises(Interrupted):
            await store.append(WHAT.id, write(b"efgh", 2, 8))
    run(place, use, 1)


def test_deleted_while_it_is_composed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(store: OpenedStore) -> None:
        await store.begin(WHAT)
        await store.append(WHAT.id, write(b"abcd", 1, 4))
        put = store.objects.write

        async def write_and_delete(name: str, pieces: Any) -> None:
            await put(name, pieces)
            await store.known.delete(WHAT.id)
        monkeypatch.setattr(store.objects, "write", write_and_delete)
        with pytest.raises(UnknownRecording):
            await store.finish(WHAT.id)
        assert not [name for name in await store._place.names() if WHAT.id in name]
    run(place, use, 1)


def test_an_object_store_that_is_away_ends_no_recording(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(store: OpenedStore) -> None:
        await store.begin(WHAT)
        await store.append(WHAT.id, write(b"abcd", 1, 4))

        async def refuse(name: str, data: bytes) -> None:
            raise ObjectsAway("it does not answer")
        with monkeypatch.context() as patch:
            patch.setattr(store.objects, "put", refuse)
            results = await asyncio.gather(*(store.append(WHAT.id, write(b"LOST", 2, 8)) for _ in range(2)),
                                           return_exceptions=True)
        assert [type(result) for result in results] == [Interrupted, Interrupted] and store.lost == [WHAT.id]
        taken = await store.ownership.take(WHAT.id)
        assert taken and taken.progress == Progress(1, 4)
        await store.append(WHAT.id, write(b"efgh", 2, 8))
        assert (await store.content(await store.finish(WHAT.id)))[HEADER_BYTES:] == b"abcdefgh"
    run(place, use, 1)


def test_composing_that_fails_is_made_up_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(store: OpenedStore) -> None:
        await store.begin(WHAT)
        await store.append(WHAT.id, write(b"abcde", 1, 5))

        async def refuse(name: str, pieces: Any) -> None:
            raise ObjectsAway("it does not answer")
        with monkeypatch.context() as patch:
            patch.setattr(store.objects, "write", refuse)
            stored = await store.finish(WHAT.id)
        assert stored.audio_bytes == 4 and await store.read(WHAT.id, 0, 100) == b"abcd"  # from where it was before
        assert await store.known.to_compose(0.0) == [WHAT.id]
        for _ in range(2):  # twice does no harm
            await store.composer.compose(WHAT.id)
        assert (await store.content(stored))[HEADER_BYTES:] == b"abcd" == await store.read(WHAT.id, 0, 100)
        assert await store.known.to_compose(0.0) == []
    run(place, use, 1)


def test_what_crashes_leave_is_collected(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(store: OpenedStore) -> None:
        await store.begin(WHAT)
        await store.append(WHAT.id, write(b"abcd", 1, 4))
        await store.objects.put(f"{composing.PACKS}/dead/1", b"never committed")
        assert await store.composer.collect() == 0  # it is young
        monkeypatch.setattr(composing, "_LEFT_ALONE", timedelta(seconds=-60))
        assert await store.composer.collect() == 1
        assert await store.read(WHAT.id, 0, 4) == b"abcd"
    run(place, use, 1)


def test_a_store_that_cannot_be() -> None:
    with pytest.raises(SettingError, match="cannot be used"):
        Objects("nonsense://bucket")
