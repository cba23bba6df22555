"""Webhooks, at a receiver that is slow to understand, and over a kill; and recordings that are deleted when old."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Iterator

import pytest
from websockets.sync.client import connect

from freeswitch_audio_stream.errors import SettingError
from freeswitch_audio_stream.services.recorder.sessions import webhooks
from freeswitch_audio_stream.services.recorder.sessions.webhooks import retry_seconds, signature, signing_key

from .maintenance.test_commands import IDS, fill
from .service import PATIENCE, Recorder
from .test_endpoints import answer, close

pytestmark = pytest.mark.slow

SECRET = "whsec-0123456789abcdef"


class Receiver:
    """Checks the signature with code of its own, and answers what the test has it answer."""

    def __init__(self) -> None:
        self.answers: queue.Queue[int] = queue.Queue()
        self.came: queue.Queue[tuple[str, Any, int]] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def do_GET(self) -> None:  # what a redirected POST becomes
                receiver.came.put(("GET", None, 0))
                self.send_error(500)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?a=b"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        id, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        digest = hmac.digest(SECRET.encode(), f"{id}.{at}.".encode() + body, hashlib.sha256)
        assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        assert abs(time.time() - int(at)) < PATIENCE and request.headers["Content-Type"] == "application/json"
        status = self.answers.get() if not self.answers.empty() else 204
        request.send_response(status)
        if status == 302:
            request.send_header("Location", self.url)
        request.send_header("Content-Length", "0")
        request.end_headers()
        self.came.put((id, json.loads(body), status))

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def record(recorder: Recorder, **query: str) -> str:
    with connect(recorder.ws("?" + "&".join(f"{name}={value}" for name, value in query.items()))) as connection:
        id = str(answer(connection)["session_id"])
        connection.send(bytes(1000))
        answer(connection)
        close(connection)
    return id


def test_a_receiver_is_told_until_it_has_understood(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers.put(500)
    receiver.answers.put(302)
    recorder = Recorder(tmp_path, RECORDER_WEBHOOK_URLS=f"http://127.0.0.1:9/nobody {receiver.url}",
                        RECORDER_WEBHOOK_SECRET=SECRET)
    id = record(recorder, user_id="alice")
    came = [receiver.came.get(timeout=PATIENCE) for _ in range(3)]
    assert [status for _, _, status in came] == [500, 302, 204] and len({delivery for delivery, _, _ in came}) == 1
    body = came[-1][1]
    assert body["type"] == "recording.completed" and body["data"]["session_id"] == id
    assert (body["data"]["user_id"], body["data"]["total_chunks"], body["data"]["audio_bytes"]) == ("alice", 1, 1000)
    assert body["data"]["file_path"] == str(tmp_path / f"{id}.wav")
    until = time.monotonic() + PATIENCE
    while b"recorder_webhooks_delivered_total 1\n" not in recorder.request("/metrics")[1]:
        assert time.monotonic() < until
    recorder.stop()
    assert any("nobody does not take" in line for line in recorder.told)
    assert sum(receiver.url in line for line in recorder.told) == 1  # the first failure, not every one


def test_what_has_failed_is_told_and_no_kill_loses_it(tmp_path: Path, receiver: Receiver) -> None:
    for _ in range(100):
        receiver.answers.put(503)
    variables = {"RECORDER_WEBHOOK_URLS": receiver.url, "RECORDER_WEBHOOK_SECRET": SECRET,
                 "RECORDER_USER_QUOTA_MB": "1"}
    recorder = Recorder(tmp_path, **variables)
    with connect(recorder.ws("?user_id=bob")) as connection:
        id = answer(connection)["session_id"]
        connection.send(bytes(1_000_002))
        assert answer(connection)["status"] == "error"
    assert receiver.came.get(timeout=PATIENCE)[2] == 503
    recorder.kill()
    receiver.answers = queue.Queue()
    while not receiver.came.empty():
        receiver.came.get()
    recorder = Recorder(tmp_path, **variables)
    _, body, status = receiver.came.get(timeout=PATIENCE)
    assert (body["type"], body["data"]["session_id"], status) == ("recording.failed", id, 204)
    assert "share" in body["data"]["error"]
    recorder.stop()


def test_a_secret_is_needed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "freeswitch_audio_stream", "recorder", "--port", "0",
                           "--audio-storage-path", str(tmp_path), "--webhook-urls", "http://127.0.0.1:9/"],
                          capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "RECORDER_WEBHOOK_SECRET" in done.stderr


def test_the_signature_is_that_of_the_standard() -> None:
    """By the key, id, time and body of the tests of its libraries."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    assert signing_key(SECRET) == SECRET.encode()
    with pytest.raises(SettingError, match="no base64"):
        signing_key("whsec_!")


def test_waits_become_longer() -> None:
    waits = [retry_seconds(attempts) for attempts in range(1, 40)]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0] and max(waits) == waits[-1] == webhooks.LONGEST_RETRY_SECONDS


def test_recordings_are_deleted_when_they_are_old(tmp_path: Path) -> None:
    fill(tmp_path)  # they ended in 1970
    recorder = Recorder(tmp_path, "--retention-days", "1")
    id = record(recorder)
    until = time.monotonic() + PATIENCE
    while recorder.json("/api/audio/sessions")["total"] > 1:
        assert time.monotonic() < until
    assert recorder.json(f"/api/audio/sessions/{id}")["status"] == "completed"
    assert recorder.request(f"/api/audio/sessions/{IDS[0]}")[0] == 404
    assert [path.name for path in tmp_path.glob("*.wav")] == [f"{id}.wav"]
    assert b"recorder_sessions_expired_total 3\n" in recorder.request("/metrics")[1]
    recorder.stop()


def test_recordings_are_kept_without_a_limit(tmp_path: Path) -> None:
    fill(tmp_path)
    recorder = Recorder(tmp_path)
    record(recorder)
    assert recorder.json("/api/audio/sessions")["total"] == 4
    recorder.stop()
