"""Recordings that are encrypted, as clients and operators see them: as others are, unless the key is not there."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Callable

import pytest
from websockets.sync.client import connect

from freeswitch_audio_stream.services.recorder.program import main

from .service import Recorder
from .test_clients import make_wav, read_wav
from .test_endpoints import answer, close

pytestmark = pytest.mark.slow

OLD, NEW = (f"{name}:{base64.b64encode(name.encode() * 16).decode()}" for name in ("ol", "nw"))
SAMPLES = bytes(range(1, 251)) * 400
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg here: apt-get install ffmpeg")

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit status of a command with these master keys on the folder of the test, and all that it has said."""
    def run(keys: str, *arguments: str) -> tuple[int, str]:
        monkeypatch.setenv("RECORDER_MASTER_KEYS", keys)
        status = main([*arguments, "--audio-storage-path", str(tmp_path / "store")])
        said = capsys.readouterr()
        assert not any(key.partition(":")[2] in said.out + said.err for key in (OLD, NEW))
        return status, said.out + said.err
    return run


def start(tmp_path: Path, keys: str) -> Recorder:
    (tmp_path / "store").mkdir(exist_ok=True)
    return Recorder(tmp_path / "store", RECORDER_MASTER_KEYS=keys)


def record(recorder: Recorder, query: str = "?sample_rate=8000", data: bytes = SAMPLES) -> str:
    with connect(recorder.ws(query)) as connection:
        id = answer(connection)["session_id"]
        for at in range(0, len(data), 7000):
            connection.send(data[at:at + 7000])
            answer(connection)
        said = close(connection)
        assert said["status"] == "completed" and said["file_path"].endswith(f"{id}.sealed")
    return str(id)


def test_clients_notice_nothing(tmp_path: Path) -> None:
    recorder = start(tmp_path, OLD)
    id = record(recorder)
    path = f"/api/audio/sessions/{id}/audio"
    status, body, _ = recorder.request(path)
    (tmp_path / "heard.wav").write_bytes(body)
    assert status == 200 and read_wav(str(tmp_path / "heard.wav")) == (8000, 1, SAMPLES)
    for first, last in ((0, 99), (70, 40_000), (16_000, 33_000), (99_000, 100_079)):
        status, part, headers = recorder.request(path, Range=f"bytes={first}-{last}")
        assert status == 206 and part == body[first:last + 1]
    waveform = recorder.json(f"/api/audio/sessions/{id}/waveform?samples_per_pixel=4096")
    assert waveform["length"] == -(-len(SAMPLES) // 2 // 4096)
    with connect(recorder.ws("?sample_rate=8000")) as connection:  # one that goes on is heard as well
        live = answer(connection)["session_id"]
        connection.send(SAMPLES[:20_001])
        answer(connection)
        assert recorder.request(f"/api/audio/sessions/{live}/audio")[1][80:] == SAMPLES[:20_000]
    recorder.stop()
    assert not any(SAMPLES[:64] in path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())


@needs_ffmpeg
def test_compressed_audio_is_encrypted_both_ways(tmp_path: Path) -> None:
    make_wav(tmp_path / "in.wav", 8000, 1, 40_000)
    data = (tmp_path / "in.wav").read_bytes()
    recorder = start(tmp_path, OLD)
    id = record(recorder, "?sample_rate=16000", data)  # another rate: FFmpeg decodes it
    assert abs(recorder.json(f"/api/audio/sessions/{id}")["duration_seconds"] - 5.0) < 0.1
    flac = recorder.request(f"/api/audio/sessions/{id}/audio?format=flac")[1]
    recorder.stop()
    assert flac.startswith(b"fLaC") and not list((tmp_path / "store" / "unfinished").glob("*.sealed"))


def test_what_operators_do(tmp_path: Path, run: Run) -> None:
    recorder = start(tmp_path, OLD)
    id = record(recorder)
    recorder.stop()
    status, said = run(OLD, "verify")
    assert status == 0 and "1 finished recordings checked, no problems" in said
    status, said = run("", "verify")
    assert status == 1 and f"{id}: it cannot be opened" in said and "'ol'" in said
    status, said = run("", "repair")
    assert status == 1 and "kept as it is" in said
    status, said = run(OLD, "export", id, "--to", str(tmp_path / "out"))
    assert status == 0 and read_wav(str(tmp_path / "out" / f"{id}.wav")) == (8000, 1, SAMPLES)
    status, said = run("", "export", id, "--to", str(tmp_path / "none"))
    assert status == 1 and "'ol'" in said and not list((tmp_path / "none").iterdir())
    status, said = run(OLD, "import", str(tmp_path / "out" / f"{id}.wav"))
    assert status == 0 and len(list((tmp_path / "store").glob("*.sealed"))) == 2
    assert run(OLD, "verify")[0] == 0 and not list((tmp_path / "store").glob("*.wav"))
    file = tmp_path / "store" / f"{id}.sealed"
    damaged = bytearray(file.read_bytes())
    damaged[30_000] ^= 1
    file.write_bytes(damaged)
    status, said = run(OLD, "verify")
    assert status == 1
    assert f"{id}: what is sealed in its file is damaged (1 of 6 blocks, the first of them at 1.0 s)" in said


def test_the_catalogue_is_made_anew_from_encrypted_files(tmp_path: Path, run: Run) -> None:
    recorder = start(tmp_path, OLD)
    id = record(recorder, "?sample_rate=16000&channels=2")
    recorder.stop()
    for file in (tmp_path / "store").glob("catalogue*"):
        file.unlink()
    status, said = run(OLD, "repair")
    assert status == 0 and f"{id}: it is in the catalogue again" in said
    assert run(OLD, "verify")[0] == 0


def test_master_keys_are_changed(tmp_path: Path, run: Run) -> None:
    recorder = start(tmp_path, OLD)
    first = record(recorder)
    recorder.kill()
    assert run(NEW, "rekey")[0] == 1
    recorder = start(tmp_path, f"{NEW} {OLD}")
    second = record(recorder)
    status, said = run(f"{NEW} {OLD}", "rekey")  # beside the service
    assert status == 0 and "1 recordings are sealed with the master key 'nw' now" in said
    recorder.stop()
    assert "\n0 recordings are" in "\n" + run(f"{NEW} {OLD}", "rekey")[1]
    recorder = start(tmp_path, NEW)
    for id in (first, second):
        assert recorder.request(f"/api/audio/sessions/{id}/audio")[1][80:] == SAMPLES
    recorder.stop()


def test_without_the_key_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = start(tmp_path, OLD)
    done = record(recorder)
    with connect(recorder.ws("?sample_rate=8000")) as connection:
        going = answer(connection)["session_id"]
        connection.send(SAMPLES)
        answer(connection)
        recorder.kill()
    assert main(["--port", "0", "--audio-storage-path", str(tmp_path / "store")]) == 1
    said = capsys.readouterr().err
    assert going in said and "'ol'" in said and "nothing is lost" in said
    recorder = start(tmp_path, OLD)
    assert recorder.json(f"/api/audio/sessions/{going}/close", "POST")["audio_bytes"] == len(SAMPLES)
    recorder.stop()
    recorder = start(tmp_path, NEW)
    for id in (done, going):
        status, body, _ = recorder.request(f"/api/audio/sessions/{id}/audio")
        assert status == 500 and "'ol'" in json.loads(body)["error"]
    recorder.stop()


def test_keys_that_cannot_be_used_end_the_service(tmp_path: Path, run: Run) -> None:
    status, said = run("no key at all", "--port", "0")
    assert status == 1 and "cannot be used" in said  # and it does not record without encryption
    with pytest.raises(SystemExit):
        run("", "--master-keys", OLD)
