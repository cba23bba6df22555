"""Compressed audio, through FFmpeg: what FFmpeg makes of the whole file is what is recorded."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from freeswitch_audio_stream.services.recorder.sessions.session import Session
from freeswitch_audio_stream.services.recorder.storage.catalogue import SessionRow, Status
from freeswitch_audio_stream.services.recorder.storage.file_store import FileStore
from freeswitch_audio_stream.services.recorder.storage.interface import Recording, Write

from .service import PATIENCE, Recorder
from .test_clients import make_wav, read_wav
from .test_endpoints import answer, close

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg here: apt-get install ffmpeg")]

KINDS = {"mp3": ["-f", "mp3"], "flac": ["-f", "flac"], "aac": ["-f", "adts"], "ogg": ["-c:a", "libopus", "-f", "ogg"],
         "webm": ["-c:a", "libopus", "-f", "webm"], "wav": ["-c:a", "pcm_s24le", "-ar", "44100", "-f", "wav"]}


def ffmpeg(data: bytes, *options: str) -> bytes:
    return subprocess.run(["ffmpeg", "-loglevel", "error", "-i", "pipe:0", *options, "pipe:1"], input=data,
                          stdout=subprocess.PIPE, check=True).stdout


def compressed(folder: Path, kind: str) -> tuple[bytes, bytes]:
    """Two seconds of it, and the samples that FFmpeg makes of it at 16 kHz."""
    make_wav(folder / "in.wav", 48000, 1, 96_000)
    data = ffmpeg((folder / "in.wav").read_bytes(), *KINDS[kind])
    return data, ffmpeg(data, "-f", "s16le", "-ar", "16000", "-ac", "1")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(recorder: Recorder, tmp_path: Path, kind: str) -> None:
    data, samples = compressed(tmp_path, kind)
    named = kind if kind in ("mp3", "aac", "flac") else "wav"
    with connect(recorder.ws(f"?sample_rate=16000&format={named}")) as connection:
        answer(connection)
        for at in range(0, len(data), 4000):
            connection.send(data[at:at + 4000])
            said = answer(connection)
            assert said["status"] == "active", said
        assert said["acked_bytes"] == len(data)
        final = close(connection)
    assert final["degraded"] is None
    recorded = np.frombuffer(read_wav(final["file_path"])[2], np.int16).astype(int)
    wanted = np.frombuffer(samples, np.int16).astype(int)
    assert abs(len(recorded) - len(wanted)) <= 1600  # a tenth of a second: what an encoder tells of its delay
    shared = min(len(recorded), len(wanted))
    assert np.abs(recorded[:shared] - wanted[:shared]).mean() < 50


def test_one_process_for_a_connection_and_none_afterwards(recorder: Recorder, tmp_path: Path) -> None:
    data, _ = compressed(tmp_path, "flac")
    service = psutil.Process(recorder.process.pid)
    with connect(recorder.ws("?format=flac")) as connection:
        answer(connection)
        for at in range(0, 40_000, 4000):
            connection.send(data[at:at + 4000])
            answer(connection)
            assert [child.name() for child in service.children()] == ["ffmpeg"]
        limits = (Path("/proc") / str(service.children()[0].pid) / "limits").read_text()
        assert "Max address space         1073741824" in limits
        close(connection)
    assert service.children() == []


def test_decoding_does_not_wait_for_each_write(tmp_path: Path) -> None:
    data, samples = compressed(tmp_path, "flac")

    async def main() -> bytes:
        store, what = FileStore(tmp_path / "store", print), Recording(str(uuid.uuid4()), 16000, 1)
        real, is_open = store.append, asyncio.Event()

        async def append(id: str, write: Write) -> None:
            await is_open.wait()
            await real(id, write)
        store.append = append  # type: ignore[method-assign]
        await store.begin(what)
        row = SessionRow(what.id, "", 16000, 1, "flac", Status.ACTIVE, 0.0, 0.0)
        session = Session(row, store, lambda: None, 3600.0, "error", print)
        sender = session.join()
        taken = session.add(sender, data)
        until = time.monotonic() + PATIENCE
        while session.seconds < 1.0:  # decoded, though nothing is durable
            await asyncio.sleep(0.01)
            assert time.monotonic() < until
        is_open.set()
        await taken.done
        assert taken.progress.received == len(data)
        await session.leave(sender)
        place = (await store.finish(what.id)).place
        await store.close()
        return read_wav(place)[2]
    assert asyncio.run(main()) == samples


def test_what_is_acknowledged_compressed_survives_a_kill(tmp_path: Path) -> None:
    data, samples = compressed(tmp_path, "mp3")
    recorder = Recorder(tmp_path)
    with connect(recorder.ws("?sample_rate=16000&format=mp3")) as connection:
        id = answer(connection)["session_id"]
        for at in range(0, len(data), 4000):
            connection.send(data[at:at + 4000])
            answer(connection)
        recorder.kill()
    recorder = Recorder(tmp_path)
    final = recorder.json(f"/api/audio/sessions/{id}/close", "POST")
    assert final["acked_bytes"] == len(data)
    recorded = read_wav(final["file_path"])[2]
    assert abs(len(recorded) - len(samples)) <= 3200 and recorded[:40_000] == ffmpeg(
        data, "-f", "s16le", "-ar", "16000", "-ac", "1")[:40_000]
    recorder.stop()


def test_what_is_no_audio_ends_the_connection_not_the_session(recorder: Recorder) -> None:
    with connect(recorder.ws("?format=flac")) as connection:
        id = answer(connection)["session_id"]
        with pytest.raises(ConnectionClosed):
            for _ in range(1000):
                connection.send(b"fLaC" + bytes(20_000))
                said = json.loads(connection.recv(PATIENCE))
        assert (said["status"], connection.close_code) == ("error", 1008)
    assert "cannot decode this as flac" in said["error"] and "(FFmpeg: " in said["error"]
    with connect(recorder.ws(f"/{id}")) as connection:
        assert answer(connection)["status"] == "active"
    recorder.stop()
    heard = [line for line in recorder.told if line.startswith(f"session {id}: FFmpeg: ")]
    assert 0 < len(heard) <= 21  # of a flood of complaints, the first
