"""Servers that break rules, stall, flood and vanish.

The call never notices; the stream ends in order, or goes on as if nothing had been.
"""

from __future__ import annotations

import json
import socket
import zlib

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from freeswitch_audio_stream.services.agent.server import play_message
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.peers.raw_websocket import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawPeer,
                                                                 RawServer, frame, unmasked)

from .harness import Platform, audible, checkpoint, find, has_heard, noise, until

pytestmark = pytest.mark.slow

SPEECH = noise(80000)
CHECKPOINT = orjson.dumps(checkpoint("there"))


def connect(platform: Platform, server: RawServer, call: EmbeddedCall, prefix: str = "",
            **options: object) -> RawPeer:
    platform.start(call, prefix + server.url, **options)  # type: ignore[arg-type]
    peer = server.accept()
    platform.event("stream_started", call)
    return peer


def is_alive(platform: Platform, call: EmbeddedCall, peer: RawPeer) -> None:
    """The stream carries audio, hears its server, and the call goes on."""
    peer.say(checkpoint("alive"))
    peer.hear_message("checkpoint")
    before = peer.session.sample_count()
    peer.hear_until(lambda: peer.session.sample_count() > before)
    assert platform.status(call)["state"] == "streaming"
    assert not call.destroyed.is_set() and not peer.session.faults


def is_back(server: RawServer) -> None:
    """The stream has connected again, says who it is, and hears its server."""
    again = server.accept()
    again.hear_message("start")
    again.say(checkpoint("back"))
    again.hear_message("checkpoint")


# Servers that break the protocol.

BROKEN_FRAMES = {
    "masked": frame(TEXT, CHECKPOINT, mask=b"abcd"),
    "a reserved bit": frame(TEXT, CHECKPOINT, reserved=2),
    "compressed, though not agreed": frame(TEXT, CHECKPOINT, reserved=4),
    "a reserved opcode": frame(3, b"x"),
    "a reserved control opcode": frame(11, b"x"),
    "a control frame in parts": frame(PING, b"x", final=False),
    "a control frame that is too long": frame(PING, b"x" * 126),
    "a continuation of nothing": frame(CONTINUATION, b"x"),
    "a message within a message": frame(TEXT, b"{", final=False) + frame(TEXT, b"}"),
    "a length without an end": bytes((0x82, 127)) + b"\xff" * 8,
    "a length of years": bytes((0x82, 127)) + (1 << 62).to_bytes(8, "big"),
    "noise": b"\xff" * 100,
    "HTTP": b"HTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("case", BROKEN_FRAMES)
def test_a_frame_that_is_none(platform: Platform, server: RawServer, case: str) -> None:
    """It is said what is wrong, to the server and to the application, and the stream ends as an error."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(BROKEN_FRAMES[case])
    assert peer.hear_close() == 1002
    peer.sock.close()
    body = platform.event("connection_closed", call)
    assert (body["code"], body["willReconnect"]) == (1002, False)
    assert platform.event("stream_error", call)["kind"] == "protocol"
    assert platform.event("stream_stopped", call)["reason"] == "error"
    assert not call.destroyed.is_set()


@pytest.mark.parametrize("parts", [1, 3])
def test_a_message_that_is_too_big(platform: Platform, server: RawServer, parts: int) -> None:
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call, "{max-message-bytes=10000}")
    piece = b"x" * (10000 // parts + 1)
    for number in range(parts):
        peer.send(frame(CONTINUATION if number else TEXT, piece, final=False))
    assert peer.hear_close() == 1009
    peer.sock.close()
    assert platform.event("connection_closed", call)["code"] == 1009
    assert "max-message-bytes" in platform.event("stream_error", call)["error"]
    assert platform.event("stream_stopped", call)["reason"] == "error"


def test_a_message_that_is_too_big_is_one_error(platform: Platform, server: RawServer) -> None:
    """However many pieces of it still come, and whatever comes behind it."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call, "{max-message-bytes=1000000}")
    # More than the inbox holds: it comes in many pieces, most of them when the close is on its way already.
    peer.send(frame(TEXT, b"x" * 9_000_000) + frame(TEXT, b"x" * 9_000_000))
    assert peer.hear_close() == 1009
    peer.send(frame(CLOSE, (1009).to_bytes(2, "big")))
    peer.sock.close()
    assert platform.event("connection_closed", call)["code"] == 1009
    platform.event("stream_stopped", call)
    assert [(error["count"], error["total"]) for error in platform.events("stream_error", call)] == [(1, 1)]


def test_a_message_as_big_as_allowed(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback", speed=20)
    peer = connect(platform, server, call, "{playback-secs=600}")
    said = noise(600_000)
    peer.say(play_message("s", said, 8000))
    peer.say(checkpoint("all of it"))
    until(lambda: platform.status(call)["playbackQueueMs"] > 60_000)
    peer.hear_message("checkpoint")
    assert find(call.heard(), said) >= 0


NO_CLOSES = {b"x": 1002, b"\0\0": 1002, b"\xff\xff": 1002, (1011).to_bytes(2, "big") + b"\xff\xfe": 1007,
             **{code.to_bytes(2, "big"): 1002 for code in (999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999)}}


@pytest.mark.parametrize("payload", NO_CLOSES)
def test_a_close_that_breaks_the_rules(platform: Platform, server: RawServer, payload: bytes) -> None:
    """It is answered by what is wrong with it; and as the server did not simply want to end, the stream comes back."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(frame(CLOSE, payload))
    assert peer.hear_close() == NO_CLOSES[payload]
    peer.sock.close()
    assert platform.event("stream_error", call)["kind"] == "protocol"
    body = platform.event("connection_closed", call)
    assert (body["code"], body["willReconnect"]) == (NO_CLOSES[payload], True)
    is_back(server)


@pytest.mark.parametrize("code", [1000, 1001])
def test_a_close_that_is_meant_but_badly_said(platform: Platform, server: RawServer, code: int) -> None:
    """The server is done: that its reason is not UTF-8 is told, and does not bring the stream back."""
    call = platform.call(speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(frame(CLOSE, code.to_bytes(2, "big") + b"caf\xe9"))
    assert peer.hear_close() == 1007
    peer.sock.close()
    assert "UTF-8" in platform.event("stream_error", call, kind="protocol")["error"]
    body = platform.event("connection_closed", call)
    assert (body["code"], body["willReconnect"]) == (1007, False)
    assert platform.event("stream_stopped", call)["reason"] == "error"


@pytest.mark.parametrize("after", [frame(CLOSE, (1000).to_bytes(2, "big")), frame(TEXT, b'{"event":"nonsense"}'),
                                   frame(TEXT, b"\xff"), frame(PING, b"?"), b"\xff" * 100])
def test_what_follows_a_close_counts_for_nothing(platform: Platform, server: RawServer, after: bytes) -> None:
    """Another close, above all, is not taken for the answer to ours, which has to leave."""
    call = platform.call(speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(frame(CLOSE, (1001).to_bytes(2, "big")) + after)
    assert peer.hear_close() == 1001
    peer.sock.close()
    assert platform.event("connection_closed", call)["code"] == 1001
    stopped = platform.event("stream_stopped", call)
    assert (stopped["reason"], platform.names(call).count("stream_error")) == ("server_closed", 0)


def test_both_close_at_once(platform: Platform) -> None:
    """The server's close comes while ours still waits for the server to read: ours leaves all the same."""
    call = platform.call(speech=SPEECH, speed=20)
    with RawServer(receive_buffer=4096) as server:
        peer = connect(platform, server, call, "{buffer-secs=1}", track="both", rate=48000)
        platform.event("buffer_overrun", call)
        platform.tell(call, "stop")
        until(lambda: "closing" in [stream["state"] for stream in orjson.loads(platform.run("list"))])
        peer.send(frame(CLOSE, (1001).to_bytes(2, "big")))
        everything = b"".join(iter(lambda: peer.sock.recv(1 << 20), b""))
        head, mask, payload = everything[-8:-6], everything[-6:-2], everything[-2:]
        assert (head, unmasked(payload, mask)) == (bytes((0x80 | CLOSE, 0x80 | 2)), (1000).to_bytes(2, "big"))
        platform.event("stream_stopped", call)


# Servers whose text is none.

NO_TEXT = b'{"event":"caf\xe9"}'


@pytest.mark.parametrize("wire", [
    frame(TEXT, NO_TEXT), frame(TEXT, b"\xf4\x90", final=False), frame(TEXT, b"\xe2\x82", final=False) +
    frame(CONTINUATION, b""), frame(TEXT, NO_TEXT) + frame(TEXT, NO_TEXT) + frame(TEXT, b"{")])
def test_text_that_is_not_utf_8(platform: Platform, server: RawServer, wire: bytes) -> None:
    """The connection is failed for it, once; and made again, as one bad text is no reason to leave the caller alone."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(wire)
    assert peer.hear_close() == 1007
    peer.send(frame(CLOSE, (1007).to_bytes(2, "big")))
    error = platform.event("stream_error", call)
    assert error["kind"] == "protocol" and "UTF-8" in error["error"]
    body = platform.event("connection_closed", call)
    assert (body["code"], body["reason"], body["willReconnect"]) == (1007, error["error"], True)
    is_back(server)
    assert platform.status(call)["errors"] == 1


def test_text_that_is_not_utf_8_ends_a_stream_that_may_not_reconnect(platform: Platform, server: RawServer) -> None:
    call = platform.call(speech=SPEECH)
    peer = connect(platform, server, call, "{reconnect=false}")
    peer.say(NO_TEXT)
    assert peer.hear_close() == 1007
    peer.sock.close()
    assert platform.event("connection_closed", call)["willReconnect"] is False
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "error" and "UTF-8" in stopped["detail"]


def test_compressed_text_that_is_not_utf_8(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback", speech=SPEECH)
    platform.start(call, "{deflate=true}" + server.url)
    peer = server.accept("Sec-WebSocket-Extensions: permessage-deflate")
    platform.event("stream_started", call)
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(NO_TEXT) + packer.flush(zlib.Z_SYNC_FLUSH)
    peer.send(frame(TEXT, packed[:-4], reserved=4))
    assert peer.hear_close() == 1007
    assert platform.event("connection_closed", call)["willReconnect"] is True


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1009, 1011, 1012, 1013, 3000, 3999])
def test_a_close_for_a_reason(platform: Platform, server: RawServer, code: int) -> None:
    """It is told, and answered; and as the server fails, rather than being done or refusing, the stream comes back."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(frame(CLOSE, code.to_bytes(2, "big") + b"because"))
    assert peer.hear_close() == code
    peer.sock.close()
    body = platform.event("connection_closed", call)
    assert (body["code"], body["reason"], body["willReconnect"]) == (code, "because", True)
    is_back(server)


# Messages of any kind: whatever it is, the stream stays, and counts.

EXAMPLES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The stream of a fixture is there for all examples of a test."""


@settings(EXAMPLES, max_examples=50)
@given(messages=some.lists(some.text(max_size=200), min_size=1, max_size=20))
def test_text_messages_of_any_text(hostile: tuple[Platform, EmbeddedCall, RawPeer], messages: list[str]) -> None:
    for message in messages:
        hostile[2].say(message.encode())
    is_alive(*hostile)


NAMES = some.sampled_from(["event", "streamId", "payload", "media", "audioData", "sampleRate", "format",
                           "name", "checkpoint", "text", "contentType", "isFinal"])
VALUES = some.sampled_from(["media.play", "media.clear", "media.checkpoint", "transcription.send", "s",
                            "AAAA", 8000, 16000, "LINEAR16", "MULAW", None, -1, 1e308, "", True])
JSON = some.recursive(
    VALUES | some.text(max_size=20) | some.integers() | some.floats(allow_nan=False),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(NAMES, inner, max_size=6), max_leaves=12)


@settings(EXAMPLES, max_examples=100)
@given(messages=some.lists(some.dictionaries(NAMES, JSON, max_size=6), min_size=1, max_size=10))
def test_text_messages_of_any_json(hostile: tuple[Platform, EmbeddedCall, RawPeer], messages: list[object]) -> None:
    for message in messages:
        hostile[2].say(json.dumps(message).encode())
    is_alive(*hostile)


@settings(EXAMPLES, max_examples=50)
@given(parts=some.lists(some.tuples(some.sampled_from([PING, PONG]), some.binary(max_size=125)), max_size=20),
       audio=some.lists(some.binary(max_size=3000), max_size=5),
       cuts=some.lists(some.integers(1, 400), max_size=9))
def test_frames_in_pieces_of_any_size(hostile: tuple[Platform, EmbeddedCall, RawPeer], cuts: list[int],
                                      parts: list[tuple[int, bytes]], audio: list[bytes]) -> None:
    data = b"".join(frame(*part) for part in parts) + b"".join(frame(BINARY, sound) for sound in audio)
    for cut in cuts:
        hostile[2].send(data[:cut])
        data = data[cut:]
    hostile[2].send(data)
    is_alive(*hostile)


@pytest.fixture
def hostile(platform: Platform, server: RawServer) -> tuple[Platform, EmbeddedCall, RawPeer]:
    """A stream that many examples share: it has to survive every one."""
    call = platform.call(app="playback", speech=np.tile(SPEECH, 10), speed=20)
    return platform, call, connect(platform, server, call)


@settings(EXAMPLES, max_examples=15)
@given(data=some.binary(min_size=1, max_size=300))
def test_bytes_of_any_kind(platform: Platform, data: bytes) -> None:
    """Not even frames. The connection may end for it; the call does not, and the stream ends as it should."""
    call = platform.call(app="playback", speech=SPEECH)
    with RawServer() as server:
        peer = connect(platform, server, call, "{reconnect=false}")
        peer.send(data)
        peer.sock.shutdown(socket.SHUT_WR)
        hear_close_or_end(peer)
    platform.event("stream_stopped", call)
    assert not call.destroyed.is_set()
    call.hangup()


def hear_close_or_end(peer: RawPeer) -> None:
    try:
        peer.hear_close()
    except ConnectionError:
        pass


# Servers that stall, flood and vanish.

def test_a_server_that_never_reads(platform: Platform) -> None:
    """Nothing waits for it: not the call, not the commands, not another stream of the same thread."""
    call = platform.call(app="echo", speech=SPEECH, speed=20)
    with RawServer(receive_buffer=4096) as deaf, RawServer() as server:
        connect(platform, deaf, call, "{buffer-secs=1}", stream_id="s", track="both", rate=48000)
        platform.event("buffer_overrun", call)
        others = [platform.call(app="playback", speech=SPEECH) for _ in range(4)]
        for other in others:
            is_alive(platform, other, connect(platform, server, other))
        assert platform.status(call)["state"] == "streaming"
        platform.tell(call, "stop")
        assert platform.event("stream_stopped", call)["reason"] == "requested"


def test_a_server_that_reads_slowly(platform: Platform) -> None:
    """It gets everything all the same: what waits, waits in our ring."""
    call = platform.call(speed=20)
    with RawServer(receive_buffer=4096) as server:
        peer = connect(platform, server, call, rate=48000)
        call.say(SPEECH)
        until(call.has_spoken)
        until(lambda: platform.status(call)["captureQueueMs"] > 1000)
        peer.hear_until(lambda: len(audible(peer.session.samples())) >= 6 * len(SPEECH) - 1000)
        assert not peer.session.faults
        assert platform.status(call)["framesDropped"] == 0


@pytest.mark.parametrize("size", [1, 2, 5, 50])
def test_half_a_frame_and_then_nothing(platform: Platform, server: RawServer, size: int) -> None:
    """The stream goes on; and when the rest comes at last, it is taken."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    message = frame(TEXT, CHECKPOINT)
    peer.send(message[:size])
    peer.hear_until(lambda: has_heard(peer.session, SPEECH[8000:40000]))
    assert platform.status(call)["state"] == "streaming"
    peer.send(message[size:])
    assert peer.hear_message("checkpoint")["name"] == "there"


def test_half_a_frame_and_a_stop(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(frame(TEXT, CHECKPOINT)[:10])
    platform.tell(call, "stop")
    assert peer.hear_close() == 1000
    assert platform.event("stream_stopped", call)["reason"] == "requested"


@pytest.mark.parametrize("data", [
    frame(TEXT, CHECKPOINT)[:10], frame(TEXT, CHECKPOINT, final=False), frame(BINARY, bytes(1000))[:99], b""])
@pytest.mark.parametrize("how", ["end", "reset"])
def test_a_server_that_goes_in_the_middle(platform: Platform, server: RawServer, data: bytes,
                                          how: str) -> None:
    """Of a message, or of nothing; the stream comes back as new, and what was half said is forgotten."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    peer.hear()
    peer.send(data)
    peer.reset() if how == "reset" else peer.sock.close()
    assert platform.event("connection_closed", call)["code"] == 1006
    again = server.accept()
    again.hear_message("start")
    again.say(checkpoint("back"))
    assert again.hear_message("checkpoint")["name"] == "back"
    assert platform.status(call)["errors"] == 0


def test_a_server_that_goes_before_the_handshake_ends(platform: Platform, server: RawServer) -> None:
    call = platform.call(speech=SPEECH)
    platform.start(call, server.url)
    sock = server.accept_silently()
    sock.recv(10)
    sock.close()
    assert platform.event("stream_stopped", call)["reason"] == "error"


def test_a_flood_of_pings(platform: Platform, server: RawServer) -> None:
    """Each is answered, or dropped where the server does not read the answers; nothing grows."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    peer.send(frame(PING, b"x" * 125) * 50_000)
    is_alive(platform, call, peer)


def test_a_flood_of_messages(platform: Platform, server: RawServer) -> None:
    """More than anybody can take at once: the server is held back by its own full socket."""
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call)
    flood = b"".join(frame(TEXT, b'{"event":"nonsense"}') for _ in range(20000))
    peer.send(flood)
    until(lambda: platform.status(call)["errors"] == 20000)
    is_alive(platform, call, peer)


def test_a_flood_of_audio(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback", speech=SPEECH)
    peer = connect(platform, server, call, "{playback-secs=1}")
    peer.send(frame(BINARY, b"\1\1" * 100_000) * 50)
    until(lambda: platform.status(call)["playbackDroppedMs"] > 500_000)
    assert platform.event("stream_error", call)["kind"] == "playback_full"
    peer.say({"event": "media.clear"})
    is_alive(platform, call, peer)


def test_a_flood_of_checkpoints_that_are_never_read(platform: Platform) -> None:
    call = platform.call(app="playback", speech=SPEECH, speed=20)
    with RawServer(receive_buffer=4096) as server:
        peer = connect(platform, server, call, "{buffer-secs=1}", rate=48000)
        platform.event("buffer_overrun", call)
        for number in range(3000):
            peer.say(checkpoint("x" * 1000 + str(number)))
            if number % 500 == 0:
                until(lambda: platform.status(call)["messagesReceived"] > number)
        body = platform.event("stream_error", call, kind="outbox_full")
        assert "does not read" in body["error"]
        assert platform.status(call)["state"] == "streaming"
