"""Messages, statuses, close codes and bodies of the specification, on a running service."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from freeswitch_audio_stream.services.recorder.storage.wav import write_header

from .service import PATIENCE, Recorder
from .test_clients import make_wav, read_wav

pytestmark = pytest.mark.slow

UNKNOWN = str(uuid.UUID(int=5))


def answer(connection: ClientConnection) -> Any:
    return json.loads(connection.recv(PATIENCE))


def refusal(recorder: Recorder, path: str) -> tuple[Any, int]:
    with connect(recorder.ws(path)) as connection:
        body = answer(connection)
        with pytest.raises(ConnectionClosed):
            connection.recv(PATIENCE)
        assert connection.close_code is not None
        return body, connection.close_code


def close(connection: ClientConnection) -> Any:
    connection.send(json.dumps({"type": "control", "action": "close_session"}))
    while (said := answer(connection))["status"] == "active":
        pass
    return said


def test_a_session_from_beginning_to_end(recorder: Recorder) -> None:
    with connect(recorder.ws("?sample_rate=8000&channels=2&user_id=user123")) as connection:
        hello = answer(connection)
        id = hello["session_id"]
        assert uuid.UUID(id).version == 4
        assert (hello["chunk_count"], hello["status"], hello["acked_bytes"]) == (0, "active", 0) and hello["message"]
        for number in range(1, 4):
            connection.send(b"abcd" * number)
            said = answer(connection)
            assert said == {"message": "Chunk processed successfully", "session_id": id, "chunk_count": number,
                            "status": "active", "chunk_id": number, "acked_bytes": 4 * sum(range(number + 1))}
        info = recorder.json(f"/api/audio/sessions/{id}")
        assert (info["status"], info["total_chunks"], info["connections"]) == ("active", 3, 1)
        final = close(connection)
        assert (final["status"], final["chunk_count"], final["message"]) == ("completed", 3, "Session closed")
        with pytest.raises(ConnectionClosed):
            connection.recv(PATIENCE)
        assert connection.close_code == 1000
    info = recorder.json(f"/api/audio/sessions/{id}")
    assert info["user_id"] == "user123" and info["duration_seconds"] == 6 / 8000
    assert info["file_path"].endswith(f"/{id}.wav")
    assert read_wav(info["file_path"]) == (8000, 2, b"abcd" * 6)


@pytest.mark.parametrize("query, body", [
    ("?sample_rate=8001", {"error": "Invalid sample rate", "valid_values": [8000, 16000, 22050, 44100, 48000, 96000]}),
    ("?sample_rate=x", {"error": "Invalid sample rate", "valid_values": [8000, 16000, 22050, 44100, 48000, 96000]}),
    ("?channels=3", {"error": "Invalid channels", "valid_values": [1, 2]}),
    ("?format=tiff", {"error": "Invalid format", "valid_values": ["wav", "pcm", "mp3", "flac", "aac"]}),
    ("/not-a-uuid", {"error": "Session not found", "session_id": "not-a-uuid"}),
    ("/..%2f..%2fetc%2fpasswd", None), (f"/{UNKNOWN}", {"error": "Session not found", "session_id": UNKNOWN})])
def test_what_is_refused_with_1008(recorder: Recorder, query: str, body: Any) -> None:
    if body is None:
        with pytest.raises(Exception):  # no such path
            connect(recorder.ws(query))
    else:
        assert refusal(recorder, query) == (body, 1008)


@pytest.mark.parametrize("method, path", [("GET", ""), ("POST", "/close"), ("DELETE", ""), ("GET", "/audio")])
def test_sessions_that_there_are_not(recorder: Recorder, method: str, path: str) -> None:
    status, body, _ = recorder.request(f"/api/audio/sessions/{UNKNOWN}{path}", method)
    assert (status, json.loads(body)) == (404, {"error": "Session not found", "session_id": UNKNOWN})


def test_parameters_that_are_wrong(recorder: Recorder) -> None:
    status, body, _ = recorder.request("/api/audio/sessions?limit=0&status=odd")
    assert status == 422 and json.loads(body) == {"error": "Invalid request parameters",
                                                  "parameters": ["limit", "status"]}


def test_two_connections_one_closed_over_http(recorder: Recorder) -> None:
    with connect(recorder.ws("?sample_rate=8000")) as first:
        id = answer(first)["session_id"]
        with connect(recorder.ws(f"/{id}?user_id=u")) as second:
            assert answer(second)["chunk_count"] == 0
            first.send(b"abc")  # one sample and a half
            answer(first)
            second.send(b"XY")
            assert answer(second)["chunk_count"] == 2
            first.send(b"dEF")
            assert answer(first)["acked_bytes"] == 8
            result = recorder.json(f"/api/audio/sessions/{id}/close", "POST")
            assert result["success"] is True and result["status"] == "completed" and result["total_chunks"] == 3
            assert [answer(one)["status"] for one in (first, second)] == ["completed"] * 2
    assert read_wav(result["file_path"])[2] == b"abc\0XYEF"
    assert recorder.json(f"/api/audio/sessions/{id}/close", "POST")["success"] is True  # again
    assert refusal(recorder, f"/{id}")[1] == 1008


def test_what_is_no_control_message_and_no_chunk(recorder: Recorder) -> None:
    with connect(recorder.ws()) as connection:
        answer(connection)
        for wrong in ("{", "[]", '{"type": "control", "action": "dance"}', b""):
            connection.send(wrong)
            said = answer(connection)
            assert said["status"] == "error" and said["error"]
        assert close(connection)["chunk_count"] == 0


def test_limits_come_from_variables_and_env_files(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_CONCURRENT_SESSIONS=1\nMAX_CONNECTIONS_PER_SESSION=1\nUNRELATED=1\n"
                                   "DEFAULT_SAMPLE_RATE=16000\n")
    recorder = Recorder(tmp_path, "--connection-timeout-seconds", "1", DEFAULT_CHANNELS="2", MAX_CHUNK_SIZE_MB="1")
    with connect(recorder.ws(), max_size=None) as connection:
        hello = answer(connection)
        assert (hello["sample_rate"], hello["channels"]) == (16000, 2)
        body, code = refusal(recorder, "")
        assert code == 1011 and body["error"] == "Session creation failed" and "1 sessions" in body["reason"]
        body, code = refusal(recorder, f"/{hello['session_id']}")
        assert code == 1008 and body["limit"] == 1
        connection.send(bytes((1 << 20) + 1))
        said = answer(connection)
        assert said["message"] == "Failed to process chunk" and "1 MB" in said["error"]
        said = answer(connection)  # nothing is sent any more
        assert said["message"] == "Connection timed out"
        with pytest.raises(ConnectionClosed):
            connection.recv(PATIENCE)
        assert connection.close_code == 1008
    until = time.monotonic() + PATIENCE
    while recorder.json(f"/api/audio/sessions/{hello['session_id']}")["status"] == "active":
        assert time.monotonic() < until
    recorder.stop()
    assert not any("UNRELATED" in line for line in recorder.told)


def test_a_users_share_of_the_storage(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "--user-quota-mb", "1", "--user-sessions", "1")
    with connect(recorder.ws("?user_id=alice")) as connection:
        id = answer(connection)["session_id"]
        assert refusal(recorder, "?user_id=alice")[1] == 1011
        connection.send(bytes(999_000))
        assert answer(connection)["status"] == "active"
        connection.send(bytes(2000))
        said = answer(connection)
        assert said["status"] == "error" and "share" in said["error"]
        with pytest.raises(ConnectionClosed):
            connection.recv(PATIENCE)
        assert connection.close_code == 1011
    info = recorder.json(f"/api/audio/sessions/{id}")
    assert info["status"] == "error" and "share" in info["error"]
    assert len(read_wav(info["file_path"])[2]) == 999_000  # what was acknowledged is there
    recorder.stop()


def test_a_list_with_pages_and_filters(recorder: Recorder) -> None:
    for user in ("alice", "bob", "alice"):
        with connect(recorder.ws(f"?user_id={user}")) as connection:
            answer(connection)
            close(connection)
    page = recorder.json("/api/audio/sessions?user_id=alice&status=completed&limit=1&since=2020-01-01T00:00:00Z")
    assert page["total"] == 2 and [session["user_id"] for session in page["sessions"]] == ["alice"]
    assert recorder.json("/api/audio/sessions?before=2020-01-01T00:00:00Z")["total"] == 0


def test_audio_while_it_is_recorded_ranges_and_deleting(recorder: Recorder, tmp_path: Path) -> None:
    with connect(recorder.ws("?sample_rate=8000")) as connection:
        id = answer(connection)["session_id"]
        path = f"/api/audio/sessions/{id}/audio"
        connection.send(b"abcdefgh")
        answer(connection)
        status, live, headers = recorder.request(path)
        assert status == 200 and live[80:] == b"abcdefgh" and headers["Content-Type"] == "audio/wav"
        close(connection)
    assert recorder.request(path)[1] == (tmp_path / f"{id}.wav").read_bytes() == live
    for asked, wanted in (("bytes=80-83", b"abcd"), ("bytes=-2", b"gh"), ("bytes=78-81", live[78:82]),
                          ("bytes=84-", b"efgh"), ("bytes=84-99999999999999999999999", b"efgh")):
        status, body, headers = recorder.request(path, Range=asked)
        assert (status, body) == (206, wanted) and headers["Content-Range"].endswith("/88")
    assert recorder.request(path, Range="bytes=88-")[0] == 416
    for part, wanted in (("start=0.000125", b"cdefgh"), ("end=0.00025", b"abcd"), ("start=0.000125&end=0.00025", b"cd"),
                         ("start=9", b""), ("start=9&end=1", b""), ("end=99", b"abcdefgh")):
        assert recorder.request(f"{path}?{part}")[1] == write_header(8000, 1, len(wanted)) + wanted
    assert recorder.request(f"{path}?start=0.000125", Range="bytes=81-82")[1] == b"de"
    assert recorder.request(f"/api/audio/sessions/{id}", "DELETE")[0] == 204
    assert recorder.request(path)[0] == 404 and not (tmp_path / f"{id}.wav").exists()


def test_keys(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, RECORDER_API_KEYS="0123456789abcdef another-key-of-16")
    assert refusal(recorder, "?api_key=wrong") == (
        {"error": "An API key is needed: send it as Authorization: Bearer, X-API-Key or ?api_key="}, 1008)
    with connect(recorder.ws("?api_key=0123456789abcdef")) as connection:
        assert answer(connection)["status"] == "active"
    assert recorder.request("/api/audio/sessions")[0] == 401 and recorder.request("/health")[0] == 200
    assert recorder.request("/api/audio/sessions", X_API_Key="another-key-of-16")[0] == 200
    assert recorder.request("/api/audio/sessions", Authorization="Bearer 0123456789abcdef")[0] == 200
    recorder.stop()


def test_what_operators_look_at(recorder: Recorder) -> None:
    assert recorder.json("/health") == {"status": "ok"}
    with connect(recorder.ws()) as connection:
        answer(connection)
        assert recorder.json("/ready") == {"status": "ready"}
        connection.send(bytes(100))
        answer(connection)
        lines = recorder.request("/metrics")[1].decode().splitlines()
    assert {"recorder_sessions_active 1", "recorder_chunks_total 1", "recorder_received_bytes_total 100"} <= set(lines)
    assert recorder.request("/docs")[0] == recorder.request("/redoc")[0] == 200


KINDS = {"mp3": ("audio/mpeg", b"ID3"), "flac": ("audio/flac", b"fLaC"), "opus": ("audio/ogg", b"OggS")}


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg here: apt-get install ffmpeg")
def test_compressed_on_the_fly_while_it_is_recorded(recorder: Recorder, tmp_path: Path) -> None:
    samples = make_wav(tmp_path / "in.wav", 8000, 2, 80_000)
    with connect(recorder.ws("?sample_rate=8000&channels=2")) as connection:
        id = answer(connection)["session_id"]
        connection.send(samples)
        answer(connection)
        for kind, (media_type, begin) in KINDS.items():
            status, body, headers = recorder.request(f"/api/audio/sessions/{id}/audio?format={kind}", Range="bytes=1-2")
            assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, media_type, "none")
            assert body.startswith(begin)
            command = ["ffmpeg", "-loglevel", "error", "-i", "pipe:0", "-f", "s16le", "-ar", "8000", "pipe:1"]
            decoded = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True).stdout
            assert decoded == samples if kind == "flac" else abs(len(decoded) - len(samples)) < 16_000
    status, body, _ = recorder.request(f"/api/audio/sessions/{id}/audio?format=aiff")
    assert status == 422 and json.loads(body)["parameters"] == ["format"]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg here: apt-get install ffmpeg")
def test_who_goes_away_leaves_no_encoder_behind(recorder: Recorder) -> None:
    with connect(recorder.ws("?sample_rate=96000&channels=2")) as connection:
        id = answer(connection)["session_id"]
        for _ in range(4):
            connection.send(random.randbytes(8_000_000))
            answer(connection)
    host, port = recorder.address.split(":")
    for _ in range(5):  # one more than are encoded at once
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"GET /api/audio/sessions/{id}/audio?format=flac HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    until = time.monotonic() + PATIENCE
    while psutil.Process(recorder.process.pid).children():
        assert time.monotonic() < until
