"""The receiver as a WebSocket server, spoken to by clients that share no code with it."""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from websockets.exceptions import InvalidMessage
from websockets.sync.client import ClientConnection, connect

from freeswitch_audio_stream.benchmarks.receiver.receiver import Receiver, wait_until
from freeswitch_audio_stream.benchmarks.receiver.records import SLOTS, STAMPS_JSON, STAMPS_L16, STAMPS_MULAW
from freeswitch_audio_stream.benchmarks.stamps import STAMP_SAMPLES, age_of_l16, stamp
from freeswitch_audio_stream.benchmarks.work import BINARY, JSON_RESAMPLED, Work

pytestmark = pytest.mark.slow

FRAME = bytes(320)


def until(condition: Callable[[], bool]) -> None:
    assert wait_until(condition, 20.0, 0.002)


def dial(receiver: Receiver, number: int = 0, tls: bool = False, **options: Any) -> ClientConnection:
    until(lambda: receiver.open_connections() == number)  # those of the test before have ended
    receiver.forget(number)
    if tls:
        options["ssl"] = ssl.create_default_context(cafile=str(receiver.certificate))
    return connect(receiver.url(number, tls), compression=None, proxy=None, max_queue=None, **options)


@pytest.mark.parametrize("tls", [False, True])
def test_frames_of_every_length_are_counted(receiver: Receiver, tls: bool) -> None:
    with dial(receiver, tls=tls) as client:
        receiver.record()
        for size in (0, 1, 125, 126, 320, 65535, 65536, 200_000):
            client.send(bytes(size))
        client.send("text")
        until(lambda: receiver.frames(0) == 9)
        heard = receiver.heard()
        assert heard.frames == 9 and heard.gaps.count == 8 and heard.unread == 0
        assert receiver.first_at(0) >= receiver.connected_at(0) > 0
    until(lambda: receiver.open_connections() == 0)


@pytest.mark.parametrize("tls", [False, True])
def test_a_close_is_answered(receiver: Receiver, tls: bool) -> None:
    with dial(receiver, tls=tls) as client:
        client.send(FRAME)
        client.close(1000)
        assert client.close_code == 1000
    until(lambda: receiver.open_connections() == 0)


def test_a_client_that_just_goes_is_noticed(receiver: Receiver) -> None:
    with raw(receiver, REQUEST) as connection:
        assert connection.recv(4096)
        until(lambda: receiver.open_connections() == 1)
    until(lambda: receiver.open_connections() == 0)
    assert receiver.frames(0) == 0


def test_what_one_connection_does_is_not_another_ones(receiver: Receiver) -> None:
    with dial(receiver, 0) as one, dial(receiver, 1) as other:
        for _ in range(3):
            one.send(FRAME)
        other.send(FRAME)
        until(lambda: receiver.flowing([0], 3) == 1 and receiver.flowing([0, 1], 1) == 2)
        assert receiver.flowing([0, 1], 3) == 1
    with dial(receiver, 0) as again:
        assert receiver.frames(0) == 0
        again.send(FRAME)
        until(lambda: receiver.frames(0) == 1)


def test_looks_are_less_than_a_second_apart(receiver: Receiver) -> None:
    with pytest.raises(ValueError, match="not below a second"):
        receiver.look_every(1.0)


def test_one_that_is_not_woken_misses_nothing(receiver: Receiver) -> None:
    receiver.look_every(0.002)
    with dial(receiver, 0) as one, dial(receiver, 1, tls=True) as other:
        for client in (one, other):
            for _ in range(200):
                client.send(FRAME)
        until(lambda: receiver.flowing([0, 1], 200) == 2)
        receiver.look_every(0.0)
        one.send(FRAME)
        until(lambda: receiver.frames(0) == 201)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("work", [BINARY, JSON_RESAMPLED], ids=lambda work: work.label)
def test_every_frame_is_answered(receiver: Receiver, work: Work, tls: bool) -> None:
    with dial(receiver, tls=tls) as client:
        receiver.reply_to_each(work.reply())
        for _ in range(5):
            client.send(FRAME)
            answer = client.recv(20.0)
            if work.format == "binary":
                assert answer == bytes(320)
            else:
                assert isinstance(answer, str) and answer.startswith('{"event":"media.play","payload":{')
        receiver.reply_never()
        client.send(FRAME)
        until(lambda: receiver.frames(0) == 6)
        with pytest.raises(TimeoutError):
            client.recv(0)


@pytest.mark.parametrize("work", [BINARY, Work("json", True, 8000, 8000)], ids=lambda work: work.label)
def test_replies_on_their_own_tell_the_time(receiver: Receiver, work: Work) -> None:
    with dial(receiver) as client:
        client.send(FRAME)  # replies begin when a stream has
        receiver.reply_at_times(work.reply(), 0.01)
        before = time.monotonic()
        for _ in range(5):
            answer = client.recv(20.0)
            octets = answer if isinstance(answer, bytes) else base64.b64decode(answer.split('"audioData":"')[1][:168])
            audio = np.frombuffer(octets, np.int16)
            age = age_of_l16(int(audio.ctypes.data), len(audio))
            assert 0 <= age <= 1e6 * (time.monotonic() - before) + 1e6


def stamped(samples: int = 160) -> np.ndarray[Any, np.dtype[np.int16]]:
    audio = np.zeros(samples, np.int16)
    stamp(int(audio.ctypes.data), samples)
    return audio


@pytest.mark.parametrize("kind, carry", [
    (STAMPS_L16, lambda audio: audio.tobytes()),
    (STAMPS_MULAW, lambda audio: np.where(audio < 0, 0x10, 0x90).astype(np.uint8).tobytes()),
    (STAMPS_JSON, lambda audio: '{"event":"media","sequence":12,"streamId":"s","audio":"%s"}'
     % base64.b64encode(audio.tobytes()).decode()),
])
def test_the_age_of_audio_is_read_from_it(receiver: Receiver, kind: int, carry: Callable[[Any], bytes | str]) -> None:
    with dial(receiver) as client:
        receiver.look_for_stamps(kind)
        receiver.record()
        audio = stamped()
        began = time.monotonic()
        time.sleep(0.05)
        client.send(carry(audio))
        client.send(carry(np.zeros(160, np.int16)))
        until(lambda: receiver.heard().frames == 2)
        most = 1000 * (time.monotonic() - began) + 1
        heard = receiver.heard()
        assert heard.ages.count == 1 and heard.unread == 1
        assert 49 <= heard.ages.p50 <= 1.02 * most


def test_a_stamp_needs_room_and_a_pattern() -> None:
    short = np.zeros(STAMP_SAMPLES - 1, np.int16)
    stamp(int(short.ctypes.data), len(short))
    assert not short.any() and age_of_l16(int(short.ctypes.data), len(short)) == -1
    noise = np.random.default_rng(0).integers(-9999, 9999, 160).astype(np.int16)
    assert age_of_l16(int(noise.ctypes.data), 160) == -1


# Bytes as they come

def raw(receiver: Receiver, request: bytes, tls: bool = False) -> socket.socket:
    until(lambda: receiver.open_connections() == 0)
    receiver.forget(0)
    port = int(receiver.url(0, tls).split(":")[2].split("/")[0])
    connection = socket.create_connection(("127.0.0.1", port), 20.0)
    if tls:
        connection = ssl.create_default_context(cafile=str(receiver.certificate)).wrap_socket(
            connection, server_hostname="127.0.0.1")
    connection.sendall(request)
    return connection


REQUEST = (b"GET /0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Protocol: audio.example, other\r\n\r\n")


def test_the_handshake_is_that_of_the_rfc(receiver: Receiver) -> None:
    with raw(receiver, REQUEST) as connection:
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 ") and answer.endswith(b"\r\n\r\n")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer  # RFC 6455, 1.3
        assert b"Sec-WebSocket-Protocol: audio.example\r\n" in answer


def masked(opcode: int, payload: bytes) -> bytes:
    head = bytes((0x80 | opcode, 0x80 | len(payload))) if len(payload) < 126 \
        else struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, len(payload))
    key = b"\x11\x22\x33\x44"
    return head + key + bytes(octet ^ key[place & 3] for place, octet in enumerate(payload))


def plain(payload: bytes) -> bytes:
    """A server's binary frame, for a reader that parses by itself."""
    return struct.pack("!BB", 0x82, len(payload)) + payload if len(payload) < 126 \
        else struct.pack("!BBH", 0x82, 126, len(payload)) + payload


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_frames_may_be_cut_anywhere(receiver: Receiver, step: int, tls: bool) -> None:
    ping = masked(9, b"still there?")
    wire = masked(2, bytes(5)) + ping + masked(2, bytes(200)) + masked(1, b"") + masked(2, bytes(125))
    with raw(receiver, REQUEST, tls) as connection:
        connection.recv(4096)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin in range(0, len(wire), step):
            connection.sendall(wire[begin:begin + step])
        until(lambda: receiver.frames(0) == 4)  # a ping is no media


@pytest.mark.parametrize("request_", [
    b"GET / HTTP/1.1\r\n\r\n", b"POST /0 HTTP/1.1\r\n\r\n", b"\x00\r\n\r\n", REQUEST.replace(b"-Key", b"-Lock"),
    REQUEST.replace(b"/0", b"/%d" % SLOTS), b"x" * 20_000])
def test_what_is_no_handshake_is_refused(receiver: Receiver, request_: bytes) -> None:
    with raw(receiver, request_) as connection:
        try:
            assert connection.recv(4096) == b""
        except ConnectionResetError:
            pass  # it had not read all of it
    assert receiver.open_connections() == 0


def test_a_slot_has_one_connection(receiver: Receiver) -> None:
    with dial(receiver):
        with pytest.raises((InvalidMessage, EOFError, ConnectionError)):
            connect(receiver.url(0), compression=None, proxy=None)


def test_tls_without_a_certificate_to_trust_fails_alone(receiver: Receiver, certificate: Path) -> None:
    until(lambda: receiver.open_connections() == 0)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(receiver.url(0, True), ssl=ssl.create_default_context(), proxy=None)
    with dial(receiver, tls=True) as client:
        client.send(FRAME)
        until(lambda: receiver.frames(0) == 1)
