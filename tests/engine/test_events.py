"""Every event: when it is fired, with what body and whose channel data."""

from __future__ import annotations

import re
import socket
from datetime import datetime, timezone
from typing import Any

import orjson
import pytest

from freeswitch_audio_stream.engine.events.reports import EVENTS
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall, Event
from freeswitch_audio_stream.testing.peers.raw_websocket import CLOSE, RawServer, frame

from .harness import MODULE, PATIENCE, Body, Platform, checkpoint, closed, has_heard, noise, until

SPEECH = noise(80000)
STATISTICS = {
    "seconds", "framesCaptured", "msCaptured", "messagesSent", "bytesSent", "messagesReceived",
    "bytesReceived", "framesDropped", "framesSkipped", "playbackDroppedMs", "playbackCaughtUpMs",
    "msPlayed", "captureQueueMs",
    "playbackQueueMs", "unackedMs", "reconnects", "errors"}


def fired(platform: Platform, name: str, call: EmbeddedCall) -> list[Event]:
    return [event for event in list(platform.switch.events)
            if event.subclass == f"{MODULE}::{name}" and event.headers["Unique-ID"] == call.uuid]


def test_a_whole_stream_in_events(platform: Platform, agent: Agent) -> None:
    """Whatever happens, in the order in which it happens; each with channel data, stream and time."""
    call = platform.call(app="playback", speech=SPEECH, variables={"campaign": "spring"})
    session = platform.connect(agent, call)
    session.send(play_message("s", noise(1000), 8000, "said"))
    session.wait_for(lambda session: session.events("checkpoint"), PATIENCE)
    session.send({"event": "transcription.send", "payload": {"text": "hello", "is_final": True}})
    session.send({"event": "nonsense"})
    platform.event("stream_error", call)
    platform.tell(call, "stop")
    closed(session)
    platform.event("stream_stopped", call)
    assert platform.names(call) == [
        "connection_established", "stream_started", "media_play_start", "media_play_complete",
        "transcription_received", "stream_error", "connection_closed", "stream_stopped"]
    for event in platform.switch.events:
        if event.subclass.startswith(MODULE):
            check_event(event, call)


def check_event(event: Event, call: EmbeddedCall) -> None:
    assert event.headers["Event-Name"] == "CUSTOM" and event.headers["Event-Subclass"] == event.subclass
    assert event.headers["Unique-ID"] == call.uuid
    assert event.headers["variable_campaign"] == "spring"
    body = orjson.loads(event.body)
    assert body["streamId"] == "s"
    for name in ("timestamp", "connectionTime"):
        if name in body:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body[name])
            age = datetime.now(timezone.utc) - datetime.fromisoformat(body[name].replace("Z", "+00:00"))
            assert -1 < age.total_seconds() < 3600
    assert "timestamp" in body


def test_every_subclass_is_reserved(platform: Platform) -> None:
    for name in EVENTS:
        assert platform.switch.event_system.owners[f"{MODULE}::{name}"] == MODULE


def test_connection_established_and_stream_started(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    platform.connect(agent, call, "{protocol=binary}", track="both", rate="mulaw 16000", bidirectional=0)
    body = platform.event("connection_established", call)
    assert body["serverUrl"] == agent.url and body["peer"] == f"127.0.0.1:{agent.port}"
    assert body["subprotocol"] == "audio.freeswitch.org"
    body = platform.event("stream_started", call)
    body.pop("timestamp")
    assert body == {"streamId": "s", "serverUrl": agent.url, "track": "both", "codec": "MULAW",
                    "sampleRate": 16000, "protocol": "binary", "bidirectional": False}


# A connection that is not made.

def test_connection_failed(platform: Platform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    call = platform.call()
    platform.start(call, f"ws://user:secret@127.0.0.1:{port}/")
    stopped = platform.event("stream_stopped", call)
    failed = platform.event("connection_failed", call)
    assert f"127.0.0.1:{port} does not accept connections" in failed["error"]
    assert failed["serverUrl"] == f"ws://***@127.0.0.1:{port}/"
    assert stopped["reason"] == "error" and stopped["detail"] == failed["error"]
    assert platform.names(call) == ["connection_failed", "stream_stopped"]
    assert "secret" not in str([event.body for event in platform.switch.events])


@pytest.mark.parametrize("answer, told", [
    (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "does not let us in (HTTP 401 Unauthorized)"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", "has no /"),
    (b"HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\n\r\n", "sends us to ws://elsewhere/"),
    (b"SSH-2.0-OpenSSH\r\n", "does not answer with HTTP"),
    (b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
     "does not answer as a WebSocket server should"),
    (b"", "closed the connection during the WebSocket handshake"),
    (b"HTTP/1.1 101 Switch", "closed the connection during the WebSocket handshake")])
def test_a_handshake_that_fails(platform: Platform, server: RawServer, answer: bytes, told: str) -> None:
    call = platform.call(speech=SPEECH)
    platform.start(call, server.url)
    sock = server.accept_silently()
    sock.recv(65536)
    sock.sendall(answer)
    sock.close()
    assert told in platform.event("connection_failed", call)["error"]
    assert platform.event("stream_stopped", call)["reason"] == "error"
    assert platform.names(call) == ["connection_failed", "stream_stopped"]


@pytest.mark.slow
def test_connection_timeout(platform: Platform, server: RawServer) -> None:
    call = platform.call(speech=SPEECH)
    platform.start(call, server.url, timeout=1)
    body = platform.event("connection_timeout", call)
    assert "within 1 s" in body["error"] and body["serverUrl"] == server.url
    assert platform.event("stream_stopped", call)["reason"] == "timeout"
    assert platform.names(call) == ["connection_timeout", "stream_stopped"]


# A connection that ends.

@pytest.mark.parametrize("code, reason", [(1000, "bye"), (1001, ""), (1000, "ü" * 61)])
def test_a_server_that_closes(platform: Platform, server: RawServer, code: int, reason: str) -> None:
    call = platform.call(speech=SPEECH)
    platform.start(call, server.url)
    peer = server.accept()
    peer.hear()
    peer.send(frame(CLOSE, code.to_bytes(2, "big") + reason.encode()))
    assert peer.hear_close() == code
    peer.sock.close()
    body = platform.event("connection_closed", call)
    assert body["code"] == code and reason in body["reason"] and body["willReconnect"] is False
    assert platform.event("stream_stopped", call)["reason"] == "server_closed"


def test_a_server_that_closes_without_a_code(platform: Platform, server: RawServer) -> None:
    call = platform.call(speech=SPEECH)
    platform.start(call, server.url)
    peer = server.accept()
    peer.send(frame(CLOSE))
    assert peer.hear_close() == 1000
    peer.sock.close()
    assert platform.event("connection_closed", call)["code"] == 1005
    assert platform.event("stream_stopped", call)["reason"] == "server_closed"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["end", "reset", "code"])
def test_a_connection_that_breaks(platform: Platform, server: RawServer, how: str) -> None:
    call = platform.call(speech=SPEECH)
    platform.start(call, "{reconnect=false}" + server.url)
    peer = server.accept()
    platform.event("stream_started", call)
    if how == "code":
        peer.send(frame(CLOSE, (1011).to_bytes(2, "big") + b"no memory"))
    elif how == "reset":
        peer.reset()
    else:
        peer.sock.shutdown(socket.SHUT_WR)
    body = platform.event("connection_closed", call)
    assert body["code"] == (1011 if how == "code" else 1006) and body["willReconnect"] is False
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "error" and stopped["detail"] == body["reason"]


# What happens meanwhile.

@pytest.mark.slow
def test_heartbeat(platform: Platform, agent: Agent) -> None:
    call = platform.call(speech=SPEECH)
    platform.connect(agent, call, "{heartbeat-secs=1}")
    body = platform.event("heartbeat", call)
    assert body["state"] == "streaming" and body["statistics"].keys() == STATISTICS
    assert body["statistics"]["framesCaptured"] > 0
    until(lambda: len(platform.events("heartbeat", call)) >= 2)


@pytest.mark.slow
def test_no_heartbeat(platform: Platform, agent: Agent) -> None:
    call = platform.call(speech=SPEECH)
    platform.connect(agent, call, "{heartbeat-secs=0}")
    other = platform.call(speech=SPEECH)
    platform.connect(agent, other, "{heartbeat-secs=1}")
    platform.event("heartbeat", other)
    assert platform.events("heartbeat", call) == []


@pytest.mark.parametrize("payload, told", [
    ({"text": "hi", "confidence": 0.98, "is_final": True, "timestamp": 1694712000000},
     {"text": "hi", "confidence": 0.98, "isFinal": True, "is_final": True, "timestamp": 1694712000000}),
    ({"isFinal": False, "text": "ü\u2028\0"}, {"isFinal": False, "is_final": False, "text": "ü\u2028\0"}),
    ({"more": {"than": ["specified", None]}}, {"more": {"than": ["specified", None]}})])
def test_transcription_received(platform: Platform, agent: Agent, payload: Body, told: Body) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    session.send({"event": "transcription.send", "streamId": "s", "payload": payload})
    assert platform.event("transcription_received", call)["payload"] == told


BAD_MESSAGES: list[tuple[str | bytes, str]] = [
    ("", "json"), ("{", "json"), ("[]", "json"), ("null", "json"), ("NaN", "json"), ("[" * 10000, "json"),
    ("{}", "event"), ('{"event":"media"}', "event"), ('{"event":7}', "event"),
    ('{"event":"media.clear","streamId":"other"}', "stream_id"),
    ('{"event":"media.play"}', "media.play"), ('{"event":"media.play","payload":{}}', "media.play"),
    ('{"event":"media.play","payload":{"audioData":"A"}}', "media.play"),
    ('{"event":"media.play","payload":{"audioData":"AA==","format":"LINEAR16"}}', "media.play"),
    ('{"event":"media.play","payload":{"audioData":"AAA=","format":"MP3"}}', "media.play"),
    ('{"event":"media.play","payload":{"audioData":"AAA=","sampleRate":7999}}', "media.play"),
    ('{"event":"media.checkpoint"}', "media.checkpoint"),
    ('{"event":"media.checkpoint","payload":{"name":""}}', "media.checkpoint"),
    ('{"event":"transcription.send","payload":[]}', "transcription.send")]


@pytest.mark.parametrize("number", range(len(BAD_MESSAGES)))
def test_stream_error(platform: Platform, agent: Agent, number: int) -> None:
    """Reported, counted, and without any harm to the stream."""
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    message, kind = BAD_MESSAGES[number]
    session.send(message)
    body = platform.event("stream_error", call)
    assert body["kind"] == kind and body["count"] == 1 and body["total"] == 1
    assert body["error"]
    status = platform.status(call)
    assert (status["state"], status["errors"], status["lastError"]) == ("streaming", 1, body["error"])
    session.send(checkpoint("still there"))
    session.wait_for(lambda session: session.events("checkpoint"), PATIENCE)


@pytest.mark.slow
def test_errors_of_one_kind_are_reported_together(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    begin = datetime.now()
    for _ in range(100):
        session.send("nonsense")
        session.send({"event": "nonsense"})
    until(lambda: platform.status(call)["errors"] == 200)
    seconds = (datetime.now() - begin).total_seconds()
    for kind in ("json", "event"):
        bodies = [body for body in platform.events("stream_error", call) if body["kind"] == kind]
        assert 1 <= len(bodies) <= 1 + seconds
    until(lambda: report_again(platform, call, session))
    bodies = [body for body in platform.events("stream_error", call) if body["kind"] == "json"]
    assert sum(body["count"] for body in bodies) + platform.status(call)["errors"] >= 100
    assert bodies[-1]["count"] > 1


def report_again(platform: Platform, call: EmbeddedCall, session: Any) -> bool:
    session.send("more nonsense")
    kinds = [body["kind"] for body in platform.events("stream_error", call)]
    return kinds.count("json") >= 2


# A server that does not read.

@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["{buffer-secs=1}"])
def test_buffer_overrun(platform: Platform, prefix: str) -> None:
    """The newest audio is lost and counted; when the server reads again, the stream goes on."""
    codec = CodecSpec("L16", 48000, 20)
    call = platform.call(codec=codec, app="echo", speed=40)
    with RawServer(receive_buffer=4096) as server:
        platform.start(call, prefix + server.url, track="both", rate=48000)
        peer = server.accept()
        body = platform.event("buffer_overrun", call)
        assert body["framesLost"] > 0 and body["bufferSecs"] == 1
        assert body["totalFramesLost"] >= body["framesLost"]
        assert platform.status(call)["captureQueueMs"] > 500
        peer.hear_until(lambda: platform.status(call)["captureQueueMs"] < 100)
        again = noise(20000, seed=9)
        call.say(again)
        peer.hear_until(lambda: has_heard(peer.session, again))
        assert not peer.session.faults
        platform.tell(call, "stop")
        assert peer.hear_close() == 1000
        peer.send(frame(CLOSE, b"\x03\xe8"))
        statistics = platform.event("stream_stopped", call)["statistics"]
        events = platform.events("buffer_overrun", call)
        assert events[-1]["totalFramesLost"] == statistics["framesDropped"]
        told = sum(event["framesLost"] for event in events)  # each rounded up
        assert 0 <= told - statistics["framesDropped"] < len(events)
