"""What recorders on many machines do in the background: it is done by some of them, also when one has ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Awaitable, Callable

import pytest

pytest.importorskip("procrastinate")
pytest.importorskip("obstore")

from sqlalchemy import text  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

from freeswitch_audio_stream.services.recorder.jobs import queue as queue_module  # noqa: E402
from freeswitch_audio_stream.services.recorder.jobs.queue import JobQueue  # noqa: E402
from freeswitch_audio_stream.services.recorder.jobs.work import Work  # noqa: E402
from freeswitch_audio_stream.services.recorder.storage.object_store.composing import wav_name  # noqa: E402
from tests.engine.harness import until as wait_for  # noqa: E402

from .postgres_server import PostgresServer  # noqa: E402
from .replicas import Replicas  # noqa: E402
from .s3_server import S3Server  # noqa: E402
from .service import PATIENCE  # noqa: E402
from .storage.object_store.opened import OpenedStore, Place  # noqa: E402
from .storage.test_store import recording, write  # noqa: E402
from .test_replicas import close, hello, send  # noqa: E402

pytestmark = pytest.mark.slow


def test_what_is_made_beforehand_is_what_all_replicas_send(tmp_path: Path, postgres: PostgresServer,
                                                           s3: S3Server) -> None:
    replicas = Replicas(tmp_path, postgres, s3, "--encode", "flac")
    recorder = replicas.start()
    audio = b"".join(int(number * 37 % 20_000 - 10_000).to_bytes(2, "little", signed=True) for number in range(50_000))

    async def record() -> str:
        async with connect(recorder.ws("?sample_rate=8000&channels=2")) as connection:
            id = str((await hello(connection))["session_id"])
            await send(connection, audio)
            assert recorder.json(f"/api/audio/sessions/{id}")["audio_bytes"] == len(audio)
            made.append(waveform(id))
            await close(connection)
        return id

    def waveform(id: str) -> Any:
        return recorder.request(f"/api/audio/sessions/{id}/waveform?samples_per_pixel=4096")[1]

    def object_(id: str, suffix: str) -> tuple[int, bytes]:
        path = f"/api/audio/sessions/{id}/audio?format={suffix}"
        return recorder.request(path)[0], recorder.request(path)[1]
    made: list[bytes] = []
    try:
        id = asyncio.run(record())
        names = {f"audio/recordings/{id}/{id}.{suffix}" for suffix in ("wav", "flac", "peaks")}
        place = Place.__new__(Place)
        place.bucket, place.endpoint = replicas.bucket, s3.endpoint
        wait_for(lambda: names <= set(asyncio.run(place.names())), PATIENCE)
        status, flac = object_(id, "flac")
        assert status == 200 and flac[:4] == b"fLaC"
        again = replicas.start()  # one that has not seen the recording
        assert again.request(f"/api/audio/sessions/{id}/audio?format=flac")[1] == flac
        assert again.request(f"/api/audio/sessions/{id}/waveform?samples_per_pixel=4096")[1] == made[0]
        assert recorder.request(f"/api/audio/sessions/{id}", "DELETE")[0] == 204
        assert not [name for name in asyncio.run(place.names()) if id in name]
    finally:
        replicas.stop()


def run(place: Place, use: Callable[[OpenedStore, JobQueue], Awaitable[Any]]) -> list[str]:
    """Have a store with a queue, which `use` opens; return what was done at the times when old recordings go."""
    done: list[str] = []

    async def delete_old() -> None:
        done.append("old ones")

    async def main() -> None:
        store = OpenedStore(place, print)
        jobs = JobQueue(place.database, Work(store, store.known), store.known, (), print)
        try:
            await store.open()
            await jobs.open(delete_old)
            await use(store, jobs)
        finally:
            await jobs.close()
            await store.close()
    asyncio.run(main())
    return done


@pytest.fixture
def place(postgres: PostgresServer, s3: S3Server) -> Place:
    return Place(postgres, s3)


def test_what_nobody_asked_for_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "_FORGOTTEN_SECONDS", 0.0)
    what = recording()

    async def use(store: OpenedStore, jobs: JobQueue) -> None:
        store.compose = nothing
        await store.begin(what)
        await store.append(what.id, write(b"abcd", 1, 4))
        await store.finish(what.id)
        await jobs._look_after(0)
        await composed(store, what.id)
        await jobs._retain(0)
        await jobs._collect(0)
    assert "old ones" in run(place, use)


def test_a_job_whose_process_has_ended_is_done_by_another(place: Place) -> None:
    what = recording()

    async def use(store: OpenedStore, jobs: JobQueue) -> None:
        store.compose = nothing
        await store.begin(what)
        await store.append(what.id, write(b"abcd", 1, 4))
        await store.finish(what.id)
        # As the row is where a process has taken the job, and has ended.
        await store.database.execute(text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts) VALUES "
            "('recorder', 'compose', jsonb_build_object('id', CAST(:id AS text)), 'doing', 1)"), {"id": what.id})
        await jobs._look_after(0)
        await composed(store, what.id)
    run(place, use)


def test_segments_are_joined_by_a_job(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from freeswitch_audio_stream.services.recorder.storage.object_store import store as store_module
    monkeypatch.setattr(store_module, "_WORTH_JOINING", 20)
    what = recording()

    async def use(store: OpenedStore, jobs: JobQueue) -> None:
        store.join, store.compose = jobs.join, jobs.compose
        await store.begin(what)
        for number in range(20):
            await store.append(what.id, write(b"%02d" % number, number + 1, 2 * number + 2))
        while len(await store.known.segments(what.id, 0, 0, 40, 100)) > 1:
            await asyncio.sleep(0.01)
        await store.finish(what.id)
        assert f"audio/{wav_name(what.id)}" in await place.names()
    run(place, use)


async def nothing(id: str) -> None:
    pass


async def composed(store: OpenedStore, id: str) -> None:
    known = await store.known.known(id)
    while known is None or not known.is_composed:
        await asyncio.sleep(0.01)
        known = await store.known.known(id)
