"""Nothing acknowledged is lost with many machines: replicas are killed at random instants under load, their clients go
on at others, and what is in the bucket is compared with what the clients were told.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Sequence

import pytest

from freeswitch_audio_stream.services.recorder.storage.wav import HEADER_BYTES, write_header

from .postgres_server import PostgresServer
from .replicas import Replicas
from .s3_server import S3Server
from .service import PATIENCE
from .test_kills import Address, Client

pytestmark = pytest.mark.slow

_KILLS = int(os.environ.get("RECORDER_REPLICA_KILLS", "3"))  # 20 take two minutes
_CLIENTS = 6


class Load:
    """Clients that stream, each to any of the recorders that there are, and to any when its connection is lost."""

    def __init__(self, recorders: Sequence[Address]) -> None:
        self._recorders = recorders
        self.clients = [Client(number, random.Random(number)) for number in range(_CLIENTS)]
        self.acknowledged = asyncio.Semaphore(0)
        self.gaps: list[float] = []
        """Seconds from a connection's loss to the next acknowledgement."""
        self._tasks = [asyncio.create_task(self._stream(client)) for client in self.clients]

    async def _stream(self, client: Client) -> None:
        lost = 0.0
        while True:
            counted = asyncio.Semaphore(0)
            first = asyncio.ensure_future(counted.acquire())
            streaming = asyncio.ensure_future(client.stream(random.choice(self._recorders), counted))
            await asyncio.wait({first, streaming}, return_when=asyncio.FIRST_COMPLETED)
            if first.done() and lost:
                self.gaps.append(time.monotonic() - lost)
                lost = 0.0
            passing = asyncio.ensure_future(self._pass_on(counted))
            try:
                await streaming
            finally:
                for task in (first, streaming, passing):
                    task.cancel()
            lost = lost or time.monotonic()

    async def _pass_on(self, counted: asyncio.Semaphore) -> None:
        while True:
            await counted.acquire()
            self.acknowledged.release()

    async def wait_for(self, acknowledgements: int) -> None:
        """Return after so many more; raise what went wrong for a client."""
        async def count() -> None:
            for _ in range(acknowledgements):
                await self.acknowledged.acquire()
        counting = asyncio.create_task(asyncio.wait_for(count(), PATIENCE))
        done, _ = await asyncio.wait({counting, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def test_replicas_killed_at_random_instants_under_load(tmp_path: Path, postgres: PostgresServer, s3: S3Server) -> None:
    chance = random.Random()
    replicas = Replicas(tmp_path, postgres, s3)

    async def main() -> tuple[list[Client], list[float]]:
        for _ in range(2):
            await asyncio.to_thread(replicas.start)
        load = Load(replicas.running)
        try:
            for _ in range(_KILLS):
                await load.wait_for(chance.randrange(20, 200))
                await asyncio.to_thread(replicas.kill, chance.choice(replicas.running))
                await load.wait_for(20)  # at the other one
                await asyncio.to_thread(replicas.start)
        finally:
            await load.stop()
        return load.clients, load.gaps
    try:
        clients, gaps = asyncio.run(main())
        for client in clients:
            check(s3, client, asyncio.run(client.close(chance.choice(replicas.running))))
    finally:
        replicas.stop()
    print(f"{_KILLS} kills, {sum(client.acknowledged[-1][0] for client in clients)} chunks acknowledged, "
          f"{sum(client.acknowledged[-1][1] for client in clients)} bytes; sessions went on after "
          f"{sorted(gaps)[len(gaps) // 2]:.2f} s in the middle, {max(gaps):.2f} s at most")


def check(s3: S3Server, client: Client, final: dict[str, Any]) -> None:
    """Compare a client's log with the object in the bucket, past the service."""
    chunks, size = client.acknowledged[-1]
    assert (final["status"], final["chunk_count"], final["acked_bytes"]) == ("completed", chunks, size)
    wav = content(f"{s3.endpoint}/{str(final['file_path']).removeprefix('s3://')}")
    audio = size - size % 2
    assert wav[:HEADER_BYTES] == write_header(8000, 1, audio) and not final["degraded"]
    assert wav[HEADER_BYTES:] == bytes(client.sent[:audio])  # every byte, in order, once


def content(url: str) -> bytes:
    """What is in an object, once it is there: a replica that was killed may have been composing it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404 or time.monotonic() > deadline:
                raise
        time.sleep(0.1)
