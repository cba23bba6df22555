"""Nothing acknowledged is lost: the service is killed at random instants under load, and the files are compared with
what its clients were told.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from .service import PATIENCE, Recorder

pytestmark = pytest.mark.slow

_KILLS = int(os.environ.get("RECORDER_KILLS", "16"))  # 200 take four minutes
_MASTER_KEY = "kills:b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28="
_CLIENTS = 6
_IN_FLIGHT = 8


class Address(Protocol):
    """Where a recorder is, or a proxy before recorders."""

    def ws(self, path: str = "") -> str:
        """Return the URL of a WebSocket."""


@dataclass
class Client:
    """Sends one endless sequence of bytes, from where the service says that it is; logs what was acknowledged."""

    number: int
    random: random.Random
    id: str = ""
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    """Chunks and bytes, as the acknowledgements had them."""
    sent: bytearray = field(default_factory=bytearray)

    def _next(self, begin: int) -> bytes:
        end = begin + self.random.choice((1, 3, 160, 1600, 4096, 9001))
        while len(self.sent) < end:
            self.sent += self.random.randbytes(1 << 16)
        return bytes(self.sent[begin:end])

    def _log(self, said: dict[str, object]) -> None:
        assert said["status"] == "active", said
        chunks, size = int(str(said["chunk_count"])), int(str(said["acked_bytes"]))
        if self.acknowledged:  # what was acknowledged once stays
            assert (chunks, size) >= self.acknowledged[-1]
        self.acknowledged.append((chunks, size))

    def _path(self) -> str:
        """Where it goes on. What its last connection still holds unread must not be taken behind its back."""
        return f"/{self.id}?takeover=true"

    async def stream(self, recorder: Address, on_acknowledged: asyncio.Semaphore) -> None:
        """Until the service is gone."""
        try:
            path = self._path() if self.id else "?sample_rate=8000"
            async with connect(recorder.ws(path)) as connection:
                hello = json.loads(await connection.recv())
                self.id = hello["session_id"]
                self._log(hello)
                position, waiting = hello["acked_bytes"], 0
                while True:
                    while waiting < _IN_FLIGHT:
                        chunk = self._next(position)
                        await connection.send(chunk)
                        position, waiting = position + len(chunk), waiting + 1
                    self._log(json.loads(await connection.recv()))
                    waiting -= 1
                    on_acknowledged.release()
        except (ConnectionClosed, OSError, EOFError):
            pass

    async def close(self, recorder: Address) -> dict[str, object]:
        async with connect(recorder.ws(self._path())) as connection:
            self._log(json.loads(await connection.recv()))
            await connection.send(json.dumps({"type": "control", "action": "close_session"}))
            final: dict[str, object] = json.loads(await connection.recv())
            return final


async def load(recorder: Recorder, clients: list[Client], acknowledgements: int) -> None:
    """All clients stream until the service is killed, behind so many acknowledgements."""
    counted = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(client.stream(recorder, counted)) for client in clients]

    async def count() -> None:
        for _ in range(acknowledgements):
            await counted.acquire()
    counting = asyncio.create_task(asyncio.wait_for(count(), PATIENCE))
    done, _ = await asyncio.wait({counting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    assert counting in done, "a client was sent away while the service ran"
    await asyncio.to_thread(recorder.kill)
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)


def heard(recorder: Recorder, id: str) -> tuple[int, int, bytes]:
    status, body, _ = recorder.request(f"/api/audio/sessions/{id}/audio")
    assert status == 200
    with wave.open(io.BytesIO(body)) as file:
        return file.getframerate(), file.getnchannels(), file.readframes(1 << 30)


def check(clients: list[Client], recorder: Recorder) -> int:
    """Compare the clients' logs with the files; return how many chunks were acknowledged."""
    total = 0
    for client in clients:
        final = asyncio.run(client.close(recorder))
        chunks, size = client.acknowledged[-1]
        assert (final["status"], final["chunk_count"], final["acked_bytes"]) == ("completed", chunks, size)
        rate, channels, samples = heard(recorder, client.id)
        assert (rate, channels) == (8000, 1) and not final["degraded"]
        assert samples == bytes(client.sent[:size - size % 2])  # every byte, in order, once
        total += chunks
    return total


@pytest.mark.parametrize("variables", [{}, {"RECORDER_MASTER_KEYS": _MASTER_KEY}], ids=["plain", "encrypted"])
def test_killed_at_random_instants_under_load(tmp_path: Path, variables: dict[str, str]) -> None:
    chance = random.Random()
    clients = [Client(number, random.Random(number)) for number in range(_CLIENTS)]
    for _ in range(_KILLS):
        asyncio.run(load(Recorder(tmp_path, **variables), clients, chance.randrange(1, 300)))
    recorder = Recorder(tmp_path, **variables)
    print(f"{_KILLS} kills, {check(clients, recorder)} chunks acknowledged, "
          f"{sum(client.acknowledged[-1][1] for client in clients)} bytes")
    recorder.stop()


def test_a_stop_in_between_is_no_end(tmp_path: Path) -> None:
    client = Client(1, random.Random(1))

    async def stop() -> None:
        recorder, counted = Recorder(tmp_path), asyncio.Semaphore(0)
        task = asyncio.create_task(client.stream(recorder, counted))
        await counted.acquire()
        await asyncio.to_thread(recorder.stop)
        await task
    asyncio.run(stop())
    recorder = Recorder(tmp_path)
    assert recorder.json(f"/api/audio/sessions/{client.id}")["status"] == "active"
    check([client], recorder)
    recorder.stop()
