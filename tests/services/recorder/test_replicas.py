"""Recorders on many machines: any of them serves any session, and one goes on where another was."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from freeswitch_audio_stream.services.recorder.storage.wav import HEADER_BYTES
from tests.engine.harness import until

from .postgres_server import PostgresServer
from .replicas import Replicas, samples
from .s3_server import S3Server
from .service import PATIENCE, Recorder

pytestmark = pytest.mark.slow


@pytest.fixture
def replicas(tmp_path: Path, postgres: PostgresServer, s3: S3Server) -> Iterator[Replicas]:
    replicas = Replicas(tmp_path, postgres, s3)
    yield replicas
    replicas.stop()


async def hello(connection: ClientConnection) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))
    return said


async def send(connection: ClientConnection, data: bytes) -> dict[str, Any]:
    await connection.send(data)
    return await hello(connection)


async def close(connection: ClientConnection) -> dict[str, Any]:
    await connection.send(json.dumps({"type": "control", "action": "close_session"}))
    return await hello(connection)


def test_a_connection_moves_to_another_replica(replicas: Replicas) -> None:
    one, other = replicas.start(), replicas.start()

    async def main() -> str:
        async with connect(one.ws("?sample_rate=8000&user_id=alice")) as first:
            id = str((await hello(first))["session_id"])
            assert (await send(first, b"abcd"))["acked_bytes"] == 4
            told = other.json(f"/api/audio/sessions/{id}")
            assert (told["status"], told["acked_bytes"], told["audio_bytes"]) == ("active", 4, 4)
            assert samples(other, id)[1][HEADER_BYTES:] == b"abcd"
            async with connect(other.ws(f"/{id}")) as second:
                assert (await hello(second))["acked_bytes"] == 4
                with pytest.raises(ConnectionClosed) as gone:
                    await asyncio.wait_for(first.recv(), PATIENCE)
                assert gone.value.rcvd and gone.value.rcvd.code == 1012
                assert (await send(second, b"efgh"))["chunk_count"] == 2
                final = await close(second)
                assert (final["status"], final["acked_bytes"]) == ("completed", 8)
                assert final["file_path"] == f"s3://{replicas.bucket}/audio/recordings/{id}/{id}.wav"
        return id
    id = asyncio.run(main())
    for recorder in (one, other):
        assert samples(recorder, id)[1][HEADER_BYTES:] == b"abcdefgh"
    assert [row["session_id"] for row in one.json("/api/audio/sessions?user_id=alice")["sessions"]] == [id]
    assert one.request(f"/api/audio/sessions/{id}", "DELETE")[0] == 204
    assert other.request(f"/api/audio/sessions/{id}")[0] == 404 == samples(other, id)[0]


def test_a_killed_replicas_session_goes_on_within_seconds(replicas: Replicas) -> None:
    one, other = replicas.start(), replicas.start()

    async def main() -> None:
        async with connect(one.ws("?sample_rate=8000")) as first:
            id = (await hello(first))["session_id"]
            await send(first, b"abcd")
            await asyncio.to_thread(replicas.kill, one)
            begun = time.monotonic()
            async with connect(other.ws(f"/{id}")) as second:
                assert (await hello(second))["acked_bytes"] == 4
                assert (await send(second, b"efgh"))["acked_bytes"] == 8
                print(f"acknowledged {time.monotonic() - begun:.3f} s after the kill")
                assert (await close(second))["acked_bytes"] == 8
        assert samples(other, id)[1][HEADER_BYTES:] == b"abcdefgh"
    asyncio.run(main())


def test_sessions_that_no_client_comes_back_to_are_completed(replicas: Replicas) -> None:
    one = replicas.start("--connection-timeout-seconds", "1")
    other = replicas.start("--connection-timeout-seconds", "1")
    id = asyncio.run(_left_behind(one))
    replicas.kill(one)
    until(lambda: other.json(f"/api/audio/sessions/{id}")["status"] == "completed", PATIENCE)
    assert samples(other, id)[1][HEADER_BYTES:] == b"abcd"
    assert any("goes on here" in line for line in other.told)


async def _left_behind(recorder: Recorder) -> str:
    connection = await connect(recorder.ws("?sample_rate=8000"))
    id = str((await hello(connection))["session_id"])
    await send(connection, b"abcd")
    connection.transport.abort()
    return id


def test_any_replica_closes_a_session(replicas: Replicas) -> None:
    one, other = replicas.start(), replicas.start()

    async def main() -> None:
        async with connect(one.ws("?sample_rate=8000")) as first:
            id = (await hello(first))["session_id"]
            await send(first, b"abcd")
            closed = await asyncio.to_thread(other.json, f"/api/audio/sessions/{id}/close", "POST")
            assert (closed["success"], closed["status"], closed["audio_bytes"]) == (True, "completed", 4)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(first.recv(), PATIENCE)
            async with connect(one.ws(f"/{id}")) as again:
                assert (await hello(again))["error"] == "Session is closed"
    asyncio.run(main())
