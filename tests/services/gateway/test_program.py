"""The program as its user starts it: options, refusals, and its end by signals."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.engine.harness import PATIENCE, until

pytestmark = pytest.mark.slow

GATEWAY = [sys.executable, "-m", "freeswitch_audio_stream", "gateway"]
SCRIPT = Path(__file__).parents[3] / "scripts" / "test_http_streaming.sh"


class Running:
    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen([*GATEWAY, "--port", "0", *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.lines: list[str] = []
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://(\S+))\n", line)
        assert found, line
        self.url, self.place = found[1], found[2]
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout or ()), daemon=True)
        self._reader.start()

    def post(self, path: str, body: Any = None) -> int:
        connection = http.client.HTTPConnection(self.place, timeout=PATIENCE)
        try:
            connection.request("POST", path, orjson.dumps(body or {}))
            return connection.getresponse().status
        finally:
            connection.close()

    def wait(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reader.join(PATIENCE)


def test_sigterm_waits_for_the_sessions_that_live() -> None:
    gateway = Running()
    assert gateway.post("/api/voice/session/create", {"callId": "one"}) == 200
    gateway.process.send_signal(signal.SIGTERM)
    until(lambda: gateway.post("/api/voice/session/create", {"callId": "two"}) == 503)
    assert gateway.process.poll() is None and gateway.post("/api/voice/stream/one", {"audio": "AAA="}) == 200
    assert gateway.post("/api/voice/session/one/end") == 200
    assert gateway.wait() == 0 and "draining" in gateway.lines[0]


@pytest.mark.parametrize("signals", [1, 2])
def test_an_end_that_does_not_wait(signals: int) -> None:
    gateway = Running("--drain-secs", "0" if signals == 1 else "3600")
    assert gateway.post("/api/voice/session/create", {"callId": "one"}) == 200
    gateway.process.send_signal(signal.SIGTERM)
    if signals == 2:
        until(lambda: bool(gateway.lines))
        gateway.process.send_signal(signal.SIGTERM)
    assert gateway.wait() == 0


@pytest.mark.parametrize("options, words", [
    (["--address", "0.0.0.0"], "api-keys"), (["--port", "99x"], "not a whole number"),
    (["--config", "/nowhere"], "/nowhere"), (["--agents-dir", "/nowhere"], "/nowhere"),
    (["--redis-url", "redis://:secret@host:99x"], "redis-url"), (["--redis-url", "http://host"], "redis://"),
    (["--default-agent", "nobody"], "nobody"), (["--cert-file", "/nowhere.pem"], "/nowhere.pem"),
])
def test_what_it_cannot_run_with(options: list[str], words: str) -> None:
    done = subprocess.run([*GATEWAY, *options], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and done.stderr.startswith("The gateway cannot run: ") and words in done.stderr
    assert "Traceback" not in done.stderr and "secret" not in done.stderr


def test_settings_from_a_file_the_environment_and_options(tmp_path: Path) -> None:
    from argparse import Namespace

    from freeswitch_audio_stream.services.gateway.server import read_settings
    file = tmp_path / "gateway.env"
    file.write_text("AUDIO_STREAM_GATEWAY_PORT=1\nAUDIO_STREAM_GATEWAY_PIECE_MS=40\nAUDIO_STREAM_GATEWAY_IDLE_SECS=7\n")
    assert read_settings(Namespace(config=None), {"REDIS_URL": "redis://a"})[0].redis_url == "redis://a"
    settings, complaints = read_settings(Namespace(config=file, port="3"), {
        "REDIS_URL": "redis://a", "AUDIO_STREAM_GATEWAY_REDIS_URL": "redis://b",
        "AUDIO_STREAM_GATEWAY_PORT": "2", "AUDIO_STREAM_GATEWAY_IDLE_SECS": "8", "AUDIO_STREAM_GATEWAY_API_KEYS": "x"})
    assert (settings.port, settings.idle_secs, settings.piece_ms, settings.redis_url) == (3, 8, 40, "redis://b")
    assert len(complaints) == 1 and "api-keys" in complaints[0] and "(not shown)" in complaints[0]
