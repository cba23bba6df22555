"""The connection: headers, compression, heartbeat, and servers that break rules."""

from __future__ import annotations

import os
import zlib
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson
import pytest
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.switch import LogLevel
from freeswitch_audio_stream.testing.peers.frame_server import FrameServer
from freeswitch_audio_stream.testing.peers.recording_server import Server, in_base64, stream_audio

from ..harness import PATIENCE, audible, find, noise, until
from .user import User

pytestmark = pytest.mark.slow

SPEECH = noise(8000, seed=1)


# Headers.

def test_extra_headers(user: User, server: Server) -> None:
    headers = {"X-Tenant": "seven", "Authorization": "Bearer abc.def", "X-Words": "several, words; = \t here"}
    call = user.call(STREAM_EXTRA_HEADERS=orjson.dumps(headers).decode())
    peer = user.connect(server, call)
    assert {name: peer.headers[name] for name in headers} == headers
    assert "Sec-WebSocket-Protocol" not in peer.headers


def test_what_is_no_header_is_passed_over_and_the_rest_is_sent(user: User, server: Server) -> None:
    headers = {"X-Tenant": "seven", "X-Number": 7, "X-Flag": True, "X-Null": None, "Upgrade": "h2c",
               "Host": "voice.example:8080"}
    peer = user.connect(server, user.call(STREAM_EXTRA_HEADERS=orjson.dumps(headers).decode()))
    assert peer.headers["X-Tenant"] == "seven" and peer.headers.get_all("Host") == ["voice.example:8080"]
    assert peer.headers.get_all("Upgrade") == ["websocket"]
    assert not {"X-Number", "X-Flag", "X-Null"} & {*peer.headers}
    assert peer.headers["Origin"] == f"http://127.0.0.1:{server.port}"


# Where we come from.

def allowed_hosts_only(connection: ServerConnection, request: Request) -> Response | None:
    """As the AllowedHostsOriginValidator of Django Channels is documented: 403 without an Origin of an allowed host."""
    hosts = [urlsplit(origin).hostname for origin in request.headers.get_all("Origin")]
    return None if hosts == ["127.0.0.1"] else connection.respond(403, "Access denied")


def test_a_server_that_checks_the_origin_is_content(user: User) -> None:
    with Server(process_request=allowed_hosts_only) as server:
        peer = user.connect(server, user.call())
        assert peer.headers["Origin"] == f"http://127.0.0.1:{server.port}"
        call = user.call()
        user.platform.start(call, server.url, "own")
        peer = server.wait_for_peer(2)
        assert peer.headers["Origin"] == f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize("words", ["mono", "own"])
def test_without_an_origin_it_is_not_and_the_error_says_so(user: User, words: str) -> None:
    call = user.call(MOD_AUDIO_STREAM_ORIGIN="NONE")
    with Server(process_request=allowed_hosts_only) as server:
        if words == "own":
            user.platform.start(call, server.url, words)
            error = user.event("connection_failed", call)["error"]
            assert "extra_headers" in error
        else:
            user.start(call, server.url, words)
            message = user.event("error", call)["message"]
            error = message["error"]
            assert message["code"] == 6 and "STREAM_EXTRA_HEADERS" in error
        assert "forbids the connection (HTTP 403 Forbidden)" in error and "set origin" in error


@pytest.mark.parametrize("variables, origins", [
    ({"MOD_AUDIO_STREAM_ORIGIN": "https://{host}"}, ["https://127.0.0.1:{port}"]),
    ({"MOD_AUDIO_STREAM_ORIGIN": "https://app.example"}, ["https://app.example"]),
    ({"MOD_AUDIO_STREAM_ORIGIN": "NONE"}, []),
    ({"STREAM_EXTRA_HEADERS": '{"origin":"https://app.example"}'}, ["https://app.example"]),
])
def test_another_origin(user: User, server: Server, variables: dict[str, str], origins: list[str]) -> None:
    peer = user.connect(server, user.call(**variables))
    assert peer.headers.get_all("Origin") == [origin.replace("{port}", str(server.port)) for origin in origins]


@pytest.mark.parametrize("offered, chosen", [("audio.v1", "audio.v1"), ("audio.v2, audio.v1", "audio.v1")])
def test_a_subprotocol_among_the_extra_headers_is_offered(user: User, offered: str, chosen: str) -> None:
    with Server(subprotocols=["audio.v1"]) as server:
        peer = user.connect(server, user.call(STREAM_EXTRA_HEADERS=f'{{"Sec-WebSocket-Protocol":"{offered}"}}'))
        assert peer.headers.get_all("Sec-WebSocket-Protocol") == [offered] and peer.subprotocol == chosen


def test_another_subprotocol_than_those_offered_is_refused(user: User) -> None:
    call = user.call(STREAM_EXTRA_HEADERS='{"Sec-WebSocket-Protocol":"a, b"}')
    with FrameServer("Sec-WebSocket-Protocol: c") as server:
        user.start(call, server.url)
        assert "'c'" in user.event("error", call)["message"]["error"]


@pytest.mark.parametrize("value", [
    "{", "[]", '"text"', "X-A: b", '{"X-A": "b\\r\\nX-B: c"}', '{"X-A": "b\\nc"}', '{"X A": "b"}',
    '{"X:A": "b"}', '{"": "b"}', '{"X-A": "b\\u0000"}'])
def test_extra_headers_that_cannot_be_are_refused(user: User, server: Server, value: str) -> None:
    call = user.call(STREAM_EXTRA_HEADERS=value)
    answer = user.run(call, f"start {server.url} mono")
    assert answer.startswith("-ERR") and "STREAM_EXTRA_HEADERS" in answer
    assert server.peers == []
    call.variables["STREAM_EXTRA_HEADERS"] = '{"X-A": "good"}'
    assert user.connect(server, call).headers["X-A"] == "good"


def test_their_values_are_never_shown(user: User, server: Server) -> None:
    call = user.call(STREAM_EXTRA_HEADERS='{"Authorization": "secret-word", "bad name": "secret-word"}')
    assert "secret-word" not in user.run(call, f"start {server.url} mono")
    call.variables["STREAM_EXTRA_HEADERS"] = '{"Authorization": "secret-word"}'
    user.connect(server, call)
    assert "secret-word" not in str(user.status(call))
    assert not any("secret-word" in line.text for line in user.platform.switch.log_lines)


# The log.

def responses(user: User, call: EmbeddedCall) -> list[tuple[LogLevel, str]]:
    return [(line.level, line.text.partition("response: ")[2]) for line in user.platform.switch.log_lines
            if "response: " in line.text and line.uuid == call.uuid]


def test_messages_of_the_server_are_in_the_log(user: User, server: Server) -> None:
    """As in the events: audio is not repeated."""
    call = user.call()
    peer = user.connect(server, call)
    peer.send('{"text": "hello"}')
    peer.send("no\nJSON")
    peer.send(stream_audio("raw", SPEECH.tobytes(), sampleRate=8000))
    file = user.event("play", call)["file"]
    until(lambda: len(responses(user, call)) == 3)
    told = orjson.dumps({"audioDataType": "raw", "sampleRate": 8000, "file": file}).decode()
    assert responses(user, call) == [(LogLevel.DEBUG, text) for text in ('{"text": "hello"}', "no?JSON", told)]


def test_unless_that_is_suppressed(user: User, server: Server) -> None:
    call = user.call(STREAM_SUPPRESS_LOG="true")
    peer = user.connect(server, call)
    peer.send("hello")
    peer.send(stream_audio("raw", SPEECH.tobytes(), sampleRate=8000))
    user.event("play", call)
    assert user.bodies("json", call) == ["hello"], "events are fired still"
    assert responses(user, call) == []


# Compression.

FACTORIES: dict[str, dict[str, Any]] = {
    "as the server likes": {},
    "server without context": {"server_no_context_takeover": True},
    "client without context": {"client_no_context_takeover": True},
    "both without context": {"server_no_context_takeover": True, "client_no_context_takeover": True},
    "small server window": {"server_max_window_bits": 9},
    "small client window": {"client_max_window_bits": 9},
    "smallest windows": {"server_max_window_bits": 9, "client_max_window_bits": 9, "server_no_context_takeover": True},
}
WORDS = [orjson.dumps({"n": n, "words": ["again and again"] * 30}).decode() for n in range(20)]


@pytest.mark.parametrize("options", FACTORIES.values(), ids=FACTORIES)
def test_compressed_both_ways(user: User, options: dict[str, Any]) -> None:
    factory = ServerPerMessageDeflateFactory(**options)
    with Server(compression=None, extensions=[factory]) as server:
        call = user.call(STREAM_PLAYBACK="true", STREAM_SAMPLE_RATE="8000", app="playback")
        peer = user.connect(server, call, f"mono 8k {WORDS[0]}")
        assert peer.extensions
        for text in WORDS[1:]:
            peer.send(text)
            user.tell(call, f"send_text {text}")
        peer.send(SPEECH.astype("<i2").tobytes())
        until(lambda: len(audible(call.heard())) >= len(SPEECH))
        call.say(SPEECH)
        peer.wait_for(lambda peer: len(peer.texts) == len(WORDS) and find(peer.audio(), SPEECH) >= 0)
        assert peer.texts == WORDS and peer.messages[0] == WORDS[0]
        assert user.bodies("json", call) == WORDS[1:]
        assert np.array_equal(audible(call.heard()), SPEECH)


def test_compression_can_be_declined_and_disabled(user: User) -> None:
    with Server(compression=None) as server:
        peer = user.connect(server, user.call())
        assert "permessage-deflate" in peer.headers["Sec-WebSocket-Extensions"] and not peer.extensions
    with Server() as server:
        peer = user.connect(server, user.call(STREAM_MESSAGE_DEFLATE="true"))
        assert "Sec-WebSocket-Extensions" not in peer.headers and not peer.extensions


def test_large_messages_of_both_kinds(user: User, server: Server) -> None:
    call = user.call(STREAM_PLAYBACK="true", app="playback", speed=20)
    peer = user.connect(server, call)
    samples = noise(240000)
    peer.send(stream_audio("raw", samples.astype("<i2").tobytes(), sampleRate=8000))
    text = in_base64(os.urandom(500000))
    peer.send(text)
    until(lambda: user.bodies("json", call) == [text])
    user.completed(call)
    assert find(call.heard(), samples) >= 0


@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_message_that_is_too_large_ends_the_stream(user: User, compression: str | None) -> None:
    """A bomb of a thousand times its size on the wire, or as large as it is."""
    call = user.call(MOD_AUDIO_STREAM_MAX_MESSAGE_BYTES="65536")
    with Server(compression=compression) as server:
        peer = user.connect(server, call)
        peer.send("a" * 65536)
        until(lambda: len(user.bodies("json", call)) == 1)
        peer.send("a" * 64_000_000 if compression else "a" * 65537)
        assert peer.closed() == 1009
        error = user.event("error", call)["message"]
        assert error["code"] == 11 and "65536" in error["error"] and "max-message-bytes" in error["error"]
        assert user.event("disconnect", call)["message"]["code"] == 1009
        user.ended(call)
        assert len(server.peers) == 1, "it does not come back for more"


def bomb() -> bytes:
    """A compressed message of 64 MB."""
    packer = zlib.compressobj(9, wbits=-15)
    zeros = b"\0" * (1 << 20)
    packed = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(b"\0\0\xff\xff")


def compressed_frame(kind: int, data: bytes) -> bytes:
    return bytes((0x80 | 0x40 | kind, 127)) + len(data).to_bytes(8, "big") + data


@pytest.mark.parametrize("kind", [1, 2])
def test_a_bomb_is_not_inflated(user: User, kind: int) -> None:
    call = user.call()
    with FrameServer("Sec-WebSocket-Extensions: permessage-deflate") as server:
        user.start(call, server.url)
        connection = server.next()
        connection.send_raw(compressed_frame(kind, bomb()))
        assert user.event("disconnect", call)["message"]["code"] == 1009
        user.ended(call)


def test_what_cannot_be_inflated_ends_the_stream(user: User) -> None:
    call = user.call()
    with FrameServer("Sec-WebSocket-Extensions: permessage-deflate") as server:
        user.start(call, server.url)
        server.next().send_raw(compressed_frame(1, b"\xff" * 50))
        assert "decompressed" in user.event("error", call)["message"]["error"]
        assert user.event("disconnect", call)["message"]["code"] == 1007
        user.ended(call)


@pytest.mark.parametrize("answer", ["permessage-deflate; nonsense=1", "x-webkit-deflate-frame",
                                    "permessage-deflate; server_max_window_bits=99"])
def test_an_answer_that_was_not_offered_is_refused(user: User, answer: str) -> None:
    call = user.call()
    with FrameServer(f"Sec-WebSocket-Extensions: {answer}") as server:
        user.start(call, server.url)
        error = user.event("error", call)["message"]
        assert error["code"] == 2 and "permessage-deflate" in error["error"]
        user.ended(call)


# Heartbeat.

def test_no_heartbeat_unless_asked_for(user: User) -> None:
    call = user.call()
    with FrameServer() as server:
        user.start(call, server.url)
        connection = server.next()
        user.event("connect", call)
        user.tell(call, "stop")
        assert connection.frames.get(timeout=PATIENCE).opcode is Opcode.CLOSE


def test_a_server_that_answers_pings_lives(user: User) -> None:
    call = user.call(STREAM_HEART_BEAT="1")
    with FrameServer() as server:
        user.start(call, server.url)
        connection = server.next()
        for _ in range(3):
            assert connection.frames.get(timeout=PATIENCE).opcode is Opcode.PING
        assert user.names(call) == ["connect"]
        user.tell(call, "stop")
        assert connection.frames.get(timeout=PATIENCE).opcode is Opcode.CLOSE


def test_a_server_that_answers_no_ping_is_dead(user: User) -> None:
    call = user.call(STREAM_HEART_BEAT="1", STREAM_NO_RECONNECT="true")
    with FrameServer(answer_pings=False) as server:
        user.start(call, server.url)
        message = user.event("disconnect", call)["message"]
        assert message["code"] == 1006 and "ping" in message["reason"] and "1 s" in message["reason"]
        error = user.event("error", call)["message"]
        assert error["code"] == 5 and server.url in error["error"] and "ping for 1 s" in error["error"]
        assert user.names(call) == ["connect", "error", "disconnect"]
        pings = [server.next().frames.get(timeout=PATIENCE)]
        assert [ping.opcode for ping in pings] == [Opcode.PING]
        user.ended(call)


def test_a_dead_server_is_connected_to_again(user: User) -> None:
    call = user.call(STREAM_HEART_BEAT="1")
    with FrameServer(answer_pings=False) as server:
        user.start(call, server.url, "mono 8k hello")
        for _ in range(2):
            assert bytes(server.next().frames.get(timeout=PATIENCE).data) == b"hello"
        call.hangup()
        assert call.join(PATIENCE)


def test_other_traffic_is_a_sign_of_life_too(user: User) -> None:
    """A pong may stand behind a long message; while that arrives the server lives."""
    call = user.call(STREAM_HEART_BEAT="1", STREAM_NO_RECONNECT="true")
    with FrameServer(answer_pings=False) as server:
        user.start(call, server.url)
        connection = server.next()
        for _ in range(3):
            assert connection.frames.get(timeout=PATIENCE).opcode is Opcode.PING
            connection.send("text", b"{}")
        assert "disconnect" not in user.names(call)
        user.tell(call, "stop")
        user.ended(call)


# Frames at the edge of the protocol.

def test_ping_pong_and_empty_frames(user: User) -> None:
    call = user.call(STREAM_PLAYBACK="true", STREAM_SAMPLE_RATE="8000")
    with FrameServer() as server:
        user.start(call, server.url)
        connection = server.next()
        connection.send("pong", b"unasked")
        connection.send("binary", b"")
        connection.send("text", b"")
        connection.send("ping", b"")
        connection.send("text", b"in ", final=False)
        connection.send("ping", b"between")
        connection.send_raw(bytes((0x80, 6)) + b"pieces")
        until(lambda: user.bodies("json", call) == ["", "in pieces"])
        assert [bytes(connection.frames.get(timeout=PATIENCE).data) for _ in range(2)] == [b"", b"between"]
        user.tell(call, "stop")
        user.ended(call)


@pytest.mark.parametrize("frames", [
    bytes((0x81, 0x80)) + b"mask", bytes((0x83, 0)), bytes((0xf1, 0)), bytes((0x80, 0)), bytes((0x09, 0)),
    bytes((0x89, 126, 0, 126)),
    bytes((0x01, 1)) + b"a" + bytes((0x81, 1)) + b"b", bytes((0x82, 127)) + b"\xff" * 8])
def test_frames_against_the_rules_end_the_stream(user: User, frames: bytes) -> None:
    call = user.call(STREAM_MESSAGE_DEFLATE="true")
    with FrameServer() as server:
        user.start(call, server.url)
        server.next().send_raw(frames)
        error = user.event("error", call)["message"]
        assert error["code"] == 11 and "protocol" in error["error"]
        assert user.event("disconnect", call)["message"]["code"] in (1002, 1009)
        user.ended(call)
        assert "disconnect" == user.names(call)[-1]


def test_text_that_is_not_utf_8(user: User) -> None:
    """It fails the connection, which is made again."""
    call = user.call()
    with FrameServer() as server:
        user.start(call, server.url)
        server.next().send("text", b"\xff\xfe")
        error = user.event("error", call)["message"]
        assert error["code"] == 11 and "UTF-8" in error["error"]
        assert user.event("disconnect", call)["message"]["code"] == 1007
        server.next()
        user.tell(call, "stop")
        user.ended(call)
