"""The clients of the API's specification, unchanged but for the address."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.node import install_ws

from .service import PATIENCE, Recorder

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parent / "clients"


def make_wav(path: Path, rate: int, channels: int, frames: int) -> bytes:
    samples = np.random.default_rng(7).integers(-20000, 20000, frames * channels, np.int16).tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)
    return samples


def read_wav(path: str) -> tuple[int, int, bytes]:
    with wave.open(path) as file:
        return file.getframerate(), file.getnchannels(), file.readframes(1 << 30)


def program(name: str, recorder: Recorder) -> str:
    return (CLIENTS / name).read_text().replace("localhost:8000", recorder.address)


def only_session(recorder: Recorder) -> str:
    sessions = recorder.json("/api/audio/sessions")["sessions"]
    assert [session["status"] for session in sessions] == ["completed"]
    return str(sessions[0]["file_path"])


def run_python(name: str, recorder: Recorder, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", program(name, recorder)], cwd=folder, capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_basic_python_client(recorder: Recorder, tmp_path: Path) -> None:
    samples = make_wav(tmp_path / "audio_file.wav", 44100, 1, 50_000)
    said = run_python("basic_client.py", recorder, tmp_path)
    assert "Session ID: " in said and "Session closed: " in said and "Timeout" not in said
    assert read_wav(only_session(recorder)) == (44100, 1, samples)


def test_the_advanced_python_client(recorder: Recorder, tmp_path: Path) -> None:
    samples = make_wav(tmp_path / "example.wav", 48000, 2, 50_000)
    said = run_python("advanced_client.py", recorder, tmp_path)
    assert "Session created: " in said and "Processed 20 chunks" in said and "'status': 'completed'" in said
    assert read_wav(only_session(recorder)) == (48000, 2, samples)


def test_the_javascript_client(recorder: Recorder, tmp_path: Path) -> None:
    install_ws(tmp_path)
    samples = make_wav(tmp_path / "example.wav", 48000, 2, 20_000)
    harness = """
ws.addEventListener('open', () => {
    const file = require('fs').readFileSync('example.wav');
    for (let at = 0; at < file.length; at += 4096)
        sendAudioChunk(new Uint8Array(file.subarray(at, at + 4096)).buffer);
    closeSession();
});
"""
    client = program("client.js", recorder)
    (tmp_path / "client.cjs").write_text("global.WebSocket = require('ws');\n" + client + harness)
    done = subprocess.run(["node", "client.cjs"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert "New session created: " in done.stdout and "Status: completed, Chunks: 20" in done.stdout, done.stderr
    assert "Connection closed: 1000" in done.stdout
    assert read_wav(only_session(recorder)) == (48000, 2, samples)
