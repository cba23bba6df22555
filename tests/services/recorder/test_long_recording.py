"""A recording of many hours takes no more memory than one of a minute."""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from pathlib import Path

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from freeswitch_audio_stream.services.recorder.storage.wav import HEADER_BYTES, read_header

from .service import Recorder

pytestmark = pytest.mark.slow

_HOURS = float(os.environ.get("RECORDER_HOURS", "0.1"))  # 6 take two minutes, and 4.5 GB
_CHUNK = 1 << 16
_IN_FLIGHT = 32
_LOOKS = 24
_MOST_GROWTH = 32 << 20
_MASTER_KEY = "long:b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28="


class Audio:
    """As many bytes as are wanted, of which no two chunks are alike."""

    def __init__(self, size: int) -> None:
        self._noise = os.urandom(4 << 20)
        self._size = size
        self.checksum = 0

    def chunks(self) -> list[tuple[int, int]]:
        """Begin and end of each."""
        return [(begin, min(begin + _CHUNK, self._size)) for begin in range(0, self._size, _CHUNK)]

    def read(self, begin: int, end: int) -> bytes:
        at = begin // _CHUNK * 4099 % (len(self._noise) - _CHUNK)
        data = self._noise[at:at + end - begin]
        self.checksum = zlib.crc32(data, self.checksum)
        return data


async def stream(connection: ClientConnection, audio: Audio, process: psutil.Process) -> list[int]:
    """Send it as fast as it is answered; return the resident memory of the service meanwhile, in bytes."""
    chunks, sizes = audio.chunks(), []
    for number, chunk in enumerate(chunks):
        await connection.send(audio.read(*chunk))
        if number >= _IN_FLIGHT:
            assert json.loads(await connection.recv())["status"] == "active"
        if number % max(1, len(chunks) // _LOOKS) == 0:
            sizes.append(process.memory_info().rss)
    for _ in range(min(_IN_FLIGHT, len(chunks))):
        said = json.loads(await connection.recv())
    assert said["acked_bytes"] == chunks[-1][1]
    return sizes


async def record(recorder: Recorder, rate: int, channels: int, audio: Audio) -> tuple[str, list[int]]:
    async with connect(recorder.ws(f"?sample_rate={rate}&channels={channels}"), compression=None) as connection:
        id: str = json.loads(await connection.recv())["session_id"]
        sizes = await stream(connection, audio, psutil.Process(recorder.process.pid))
        await connection.send(json.dumps({"type": "control", "action": "close_session"}))
        assert json.loads(await connection.recv())["status"] == "completed"
        return id, sizes


@pytest.mark.parametrize("rate, channels, key", [(8000, 1, ""), (48000, 2, ""), (48000, 2, _MASTER_KEY)],
                         ids=["telephone", "48 kHz stereo", "encrypted"])
def test_memory_is_flat(tmp_path: Path, rate: int, channels: int, key: str) -> None:
    recorder = Recorder(tmp_path, RECORDER_MASTER_KEYS=key)
    size = int(_HOURS * 3600 * rate) * channels * 2
    audio = Audio(size)
    id, sizes = asyncio.run(record(recorder, rate, channels, audio))
    print(f"{_HOURS:g} h, {rate} Hz, {channels} channels: MiB resident: {[size >> 20 for size in sizes]}")
    warm = len(sizes) // 6
    assert max(sizes[warm:]) - sizes[warm] < _MOST_GROWTH
    if not key:
        checksum = 0
        with open(tmp_path / f"{id}.wav", "rb") as file:
            header = read_header(file.read(HEADER_BYTES))
            assert header is not None and header.data_bytes == size
            while data := file.read(1 << 20):
                checksum = zlib.crc32(data, checksum)
        assert checksum == audio.checksum
    assert recorder.json(f"/api/audio/sessions/{id}")["audio_bytes"] == size
    recorder.stop()
