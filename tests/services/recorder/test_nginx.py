"""Two recorders behind the proxy of conf/docker: connections of one session meet at one of them, and when it is killed
clients go on at the other, with nothing lost.
"""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any, Iterator

import pytest
from websockets.asyncio.client import connect

from tests.services.nginx import Nginx

from .postgres_server import PostgresServer
from .replicas import Replicas
from .s3_server import S3Server
from .service import PATIENCE
from .test_kills import Client
from .test_replica_kills import Load, check

pytestmark = pytest.mark.slow


class Entrance:
    """The one address that clients know."""

    def __init__(self, nginx: Nginx) -> None:
        self._address = f"127.0.0.1:{nginx.port}"

    def ws(self, path: str = "") -> str:
        return f"ws://{self._address}/api/ws/audio{path}"


@pytest.fixture
def replicas(tmp_path: Path, postgres: PostgresServer, s3: S3Server) -> Iterator[Replicas]:
    replicas = Replicas(tmp_path, postgres, s3)
    for _ in range(2):
        replicas.start()
    yield replicas
    replicas.stop()


@pytest.fixture
def entrance(replicas: Replicas, tmp_path: Path) -> Iterator[Entrance]:
    ports = {f"recorder-{number}:8000": int(recorder.address.rpartition(":")[2])
             for number, recorder in enumerate(replicas.running, 1)}
    nginx = Nginx("recorders-nginx.conf", ports, tmp_path)
    yield Entrance(nginx)
    nginx.close()


def test_a_recorder_is_killed_behind_the_proxy(entrance: Entrance, replicas: Replicas, s3: S3Server) -> None:
    async def main() -> list[Client]:
        load = Load([entrance])
        try:
            await load.wait_for(100)
            await asyncio.to_thread(replicas.kill, random.choice(replicas.running))
            await load.wait_for(100)
        finally:
            await load.stop()
        return load.clients
    clients = asyncio.run(main())
    for client in clients:
        check(s3, client, asyncio.run(client.close(entrance)))
    assert len({client.id for client in clients}) == len(clients)


def test_connections_of_a_session_meet(entrance: Entrance) -> None:
    async def main() -> dict[str, Any]:
        async with connect(entrance.ws("?sample_rate=8000")) as first:
            id = json.loads(await first.recv())["session_id"]
            others = [await connect(entrance.ws(f"/{id}")) for _ in range(4)]
            for connection in others:
                await connection.recv()
            for number, connection in enumerate(others, 1):
                await connection.send(bytes(320))
                answer = json.loads(await connection.recv())
                assert (answer["status"], answer["chunk_count"]) == ("active", number), answer
            await others[0].send('{"type": "control", "action": "close_session"}')
            final: dict[str, Any] = json.loads(await others[0].recv())
            for connection in others:
                await connection.close()
            return final
    final = asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert (final["status"], final["chunk_count"], final["acked_bytes"]) == ("completed", 4, 1280)
