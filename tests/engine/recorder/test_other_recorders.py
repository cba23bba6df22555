"""Recorders that have no more than the specification, and what becomes of what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..harness import Platform, find, noise, until
from .scripted import Connection, ScriptedRecorder
from .test_recording import end

pytestmark = pytest.mark.slow

CHUNK = 4096
SPEECH = noise(8000)


def start(platform: Platform, server: ScriptedRecorder, settings: str = "", **options: Any) -> Any:
    """A call of which the recorder hears some speech."""
    call = platform.call(**options)
    platform.start(call, "{protocol=recorder" + settings + "}" + server.url)
    return call


class Plain:
    """Counts chunks, and says of each what the specification has; nothing when a connection begins."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.chunks = 0

    def serve(self, connection: Connection) -> None:
        while isinstance(said := connection.hear(), bytes):
            self.data += said
            self.chunks += 1
            connection.say(message="Chunk processed successfully", session_id="abc", chunk_count=self.chunks,
                           status="active")
        connection.say(message="Session closed", session_id="abc", chunk_count=self.chunks, status="completed")
        connection.hear()


def test_one_that_counts_chunks_only(platform: Platform) -> None:
    plain = Plain()
    with ScriptedRecorder(plain.serve) as server:
        call = start(platform, server)
        call.say(SPEECH)
        until(call.has_spoken)
        until(lambda: plain.chunks >= 3)
        until(lambda: platform.status(call)["unackedMs"] == 0)
        stopped = end(platform, call)
    assert stopped["summary"] == {"session_id": "abc", "chunk_count": plain.chunks, "status": "completed"}
    assert stopped["statistics"]["unackedMs"] == 0 and stopped["statistics"]["errors"] == 0
    assert find(np.frombuffer(bytes(plain.data), np.int16), SPEECH[:6000]) >= 0
    assert server.connections[0].query == {"sample_rate": "8000", "channels": "1", "format": "wav"}


def test_a_plain_one_that_is_connected_to_again(platform: Platform) -> None:
    """It does not say what it has: what it has not acknowledged is sent again, and that is told."""
    plain = Plain()

    def break_off(connection: Connection) -> None:
        while plain.chunks < 2:
            plain.data += connection.hear()
            plain.chunks += 1
            connection.say(message="Chunk processed successfully", session_id="abc", chunk_count=plain.chunks,
                           status="active")
        connection.connection.socket.close()
    with ScriptedRecorder(break_off, plain.serve) as server:
        call = start(platform, server)
        call.say(SPEECH)
        assert "does not say what it has" in platform.event("stream_error", call)["error"]
        until(lambda: plain.chunks >= 5)
        end(platform, call)
    assert server.connections[1].path == "/api/ws/audio/abc" and server.connections[1].query == {"takeover": "true"}
    assert find(np.frombuffer(bytes(plain.data), np.int16), SPEECH[:6000]) >= 0


@pytest.mark.parametrize("code, body, said, reason", [
    (1008, {"error": "Invalid sample rate", "valid_values": [16000, 48000]},
     "Invalid sample rate: use 16000, 48000", "error"),
    (1008, {"error": "An API key is needed"}, "An API key is needed", "error"),
    (1008, None, "refuses the stream", "error"),
    (1009, None, "MAX_MESSAGE_SIZE_BYTES", "error")])
def test_refused_for_good(platform: Platform, code: int, body: dict[str, Any] | None, said: str, reason: str) -> None:
    def refuse(connection: Connection) -> None:
        if body:
            connection.say(**body)
        connection.connection.close(code)
    with ScriptedRecorder(refuse) as server:
        call = start(platform, server)
        stopped = platform.event("stream_stopped", call)
        error, = (event for event in platform.events("stream_error", call) if event["kind"] == "recorder")
    assert said in error["error"] and stopped["reason"] == reason and said in stopped["detail"]
    assert platform.event("connection_closed", call)["willReconnect"] is False


@pytest.mark.parametrize("code, body, said", [
    (1011, {"error": "Session creation failed", "reason": "100 sessions are active"}, "100 sessions are active"),
    (1008, {"error": "The service is starting: try again in a moment"}, "try again"),
    (1008, {"error": "Too many wrong API keys"}, "Too many")])
def test_refused_for_now(platform: Platform, code: int, body: dict[str, Any], said: str) -> None:
    plain = Plain()

    def refuse(connection: Connection) -> None:
        connection.say(**body)
        connection.connection.close(code)
    with ScriptedRecorder(refuse, refuse, plain.serve) as server:
        call = start(platform, server)
        call.say(SPEECH)
        assert said in platform.event("stream_error", call, kind="recorder")["error"]
        until(lambda: plain.chunks >= 4)
        end(platform, call)
    assert len(plain.data) >= 2 * len(SPEECH), "what was captured before is recorded"


def test_a_chunk_that_is_not_taken_comes_again(platform: Platform) -> None:
    plain = Plain()
    hello = {"message": "Connected", "session_id": "abc", "status": "active"}

    def fail(connection: Connection) -> None:
        connection.say(**hello, chunk_count=0, acked_bytes=0)
        connection.hear()
        connection.say(message="Failed to process chunk", session_id="abc", chunk_count=0, status="error",
                       error="the disk is full", acked_bytes=0)
        with pytest.raises(Exception):
            while True:
                connection.hear()

    def go_on(connection: Connection) -> None:
        connection.say(**hello, chunk_count=0, acked_bytes=0)
        plain.serve(connection)
    with ScriptedRecorder(fail, go_on) as server:
        call = start(platform, server)
        call.say(SPEECH)
        assert "the disk is full" in platform.event("stream_error", call, kind="recorder")["error"]
        until(lambda: plain.chunks >= 4)
        end(platform, call)
    assert find(np.frombuffer(bytes(plain.data), np.int16), SPEECH) >= 0


@pytest.mark.parametrize("text", ["[]", "{", '{"status":1}', '{"message":"","chunk_count":-1}', '{"acked_bytes":"1"}'])
def test_answers_that_are_none(platform: Platform, text: str) -> None:
    plain = Plain()

    def talk(connection: Connection) -> None:
        connection.connection.send(text)
        plain.serve(connection)
    with ScriptedRecorder(talk) as server:
        call = start(platform, server)
        assert "cannot be read" in platform.event("stream_error", call, kind="recorder")["error"]
        until(lambda: plain.chunks >= 1)
        end(platform, call)


def test_one_that_has_lost_what_it_had_acknowledged(platform: Platform) -> None:
    data = bytearray()

    def greet(connection: Connection, chunks: int) -> None:
        connection.say(message="Connected", session_id="abc", chunk_count=chunks, status="active",
                       acked_bytes=CHUNK * chunks)

    def take(connection: Connection, chunks: int) -> None:
        data.extend(connection.hear())
        connection.say(message="Chunk processed successfully", session_id="abc", chunk_count=chunks, status="active",
                       chunk_id=chunks, acked_bytes=CHUNK * chunks)

    def lose(connection: Connection) -> None:
        greet(connection, 0)
        for chunks in range(1, 4):
            take(connection, chunks)
        connection.connection.socket.close()

    def forget(connection: Connection) -> None:
        del data[CHUNK:]
        greet(connection, 1)
        for chunks in range(2, 7):
            take(connection, chunks)
        plain = Plain()
        plain.chunks, plain.data = 6, data
        plain.serve(connection)
    with ScriptedRecorder(lose, forget) as server:
        call = start(platform, server)
        until(lambda: platform.status(call)["messagesReceived"] >= 4)
        said = platform.event("stream_error", call, kind="recorder")["error"]
        assert f"lost {2 * CHUNK} bytes" in said
        call.say(SPEECH)
        until(lambda: find(np.frombuffer(bytes(data), np.int16), SPEECH[:2000]) >= 0)
        end(platform, call)
