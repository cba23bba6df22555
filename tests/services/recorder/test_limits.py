"""What ends a connection, and what does not: limits, a full disk, a storage that fails, a service that stops."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .service import PATIENCE, Recorder
from .test_clients import read_wav
from .test_endpoints import answer, close

pytestmark = pytest.mark.slow

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg here: apt-get install ffmpeg")


def close_code(connection: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        while True:
            connection.recv(PATIENCE)
    return connection.close_code


def test_a_message_that_is_too_long_ends_its_connection_only(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, MAX_MESSAGE_SIZE_BYTES="1024")
    with connect(recorder.ws()) as connection:
        id = answer(connection)["session_id"]
        connection.send(bytes(1024))
        assert answer(connection)["chunk_count"] == 1
        connection.send(bytes(1025))
        assert close_code(connection) == 1009
    with connect(recorder.ws(f"/{id}")) as connection:
        assert answer(connection)["acked_bytes"] == 1024
    recorder.stop()


def test_a_service_that_stops_says_1012_and_goes_on(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with connect(recorder.ws()) as connection:
        id = answer(connection)["session_id"]
        connection.send(b"abcd")
        answer(connection)
        stopping = threading.Thread(target=recorder.stop)
        stopping.start()
        assert close_code(connection) == 1012
    stopping.join(PATIENCE)
    recorder = Recorder(tmp_path)
    with connect(recorder.ws(f"/{id}")) as connection:
        assert answer(connection)["acked_bytes"] == 4
    recorder.stop()


def test_many_wrong_keys_are_answered_429(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, RECORDER_API_KEYS="0123456789abcdef")
    statuses = []
    while 429 not in statuses:
        status, body, _ = recorder.request("/api/audio/sessions", X_API_Key=f"wrong-key-{len(statuses):06d}")
        statuses.append(status)
        assert len(statuses) < 1000
    assert set(statuses) == {401, 429} and json.loads(body)["retry_after_seconds"] > 0
    recorder.stop()


def test_a_storage_that_fails_is_answered_500_in_json(recorder: Recorder, tmp_path: Path) -> None:
    with connect(recorder.ws()) as connection:
        id = answer(connection)["session_id"]
        connection.send(b"abcd")
        answer(connection)
        close(connection)
    (tmp_path / f"{id}.wav").unlink()
    (tmp_path / f"{id}.wav").mkdir()
    for path in ("audio", "waveform"):
        status, body, _ = recorder.request(f"/api/audio/sessions/{id}/{path}")
        assert status == 500 and "the disk does not take it" in json.loads(body)["error"]


def test_a_session_that_lasts_too_long_is_completed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, MAX_SESSION_DURATION_HOURS="1")
    chunk = bytes(7_200_000)
    with connect(recorder.ws("?sample_rate=8000")) as connection:
        answer(connection)
        for number in range(1, 9):
            connection.send(chunk)
            assert answer(connection)["chunk_count"] == number
        connection.send(b"ab")  # an hour and a sample
        said = answer(connection)
        while said["status"] == "active":
            said = answer(connection)
        assert said["status"] == "completed" and said["duration_seconds"] == 3600.0 + 1 / 8000
        assert close_code(connection) == 1000
    recorder.stop()


@needs_ffmpeg
def test_a_small_file_that_decodes_to_a_long_one_is_stopped(tmp_path: Path) -> None:
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=5000", "-f", "flac",
               "-compression_level", "0", "-frame_size", "16384", "pipe:1"]
    bomb = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    assert len(bomb) < 200_000  # 80 MB of samples
    recorder = Recorder(tmp_path, MAX_SESSION_DURATION_HOURS="1")
    with connect(recorder.ws("?sample_rate=8000&format=flac")) as connection:
        id = answer(connection)["session_id"]
        try:
            for at in range(0, len(bomb), 4096):
                connection.send(bomb[at:at + 4096])
        except ConnectionClosed:
            pass
        said = [answer(connection)]
        with pytest.raises(ConnectionClosed):
            while True:
                said.append(answer(connection))
    final = recorder.json(f"/api/audio/sessions/{id}/close", "POST")
    assert final["duration_seconds"] < 3700
    assert said[-1]["status"] in ("error", "completed") and connection.close_code in (1000, 1008)
    recorder.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "recorder-test", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_from_end_to_end(small_disk: Path) -> None:
    recorder = Recorder(small_disk)
    with connect(recorder.ws("?sample_rate=8000")) as connection:
        id = answer(connection)["session_id"]
        acknowledged = sent = 0
        while True:
            chunk = bytes([sent % 251]) * 100_000
            connection.send(chunk)
            said = answer(connection)
            if said["status"] != "active":
                break
            sent, acknowledged = sent + 1, said["acked_bytes"]
        assert "the disk is full" in said["error"] and close_code(connection) == 1011
        assert acknowledged == sent * 100_000 > 500_000
    info = recorder.json(f"/api/audio/sessions/{id}")
    assert info["status"] == "error" and "the disk is full" in info["error"]
    wanted = b"".join(bytes([number % 251]) * 100_000 for number in range(sent))
    assert read_wav(info["file_path"]) == (8000, 1, wanted)
    assert recorder.request(f"/api/audio/sessions/{id}", "DELETE")[0] == 204  # which makes room
    with connect(recorder.ws()) as connection:
        answer(connection)
        connection.send(bytes(100_000))
        assert answer(connection)["status"] == "active"
        assert close(connection)["status"] == "completed"
    recorder.stop()


def test_a_folder_that_cannot_be_written_to_is_told_at_the_start(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "freeswitch_audio_stream", "recorder", "--port", "0",
                           "--audio-storage-path", "/proc/recordings"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "recordings cannot be stored in /proc/recordings" in done.stderr
