"""Requests to an HTTP server and its answers, held against h11 at the other end."""

from __future__ import annotations

import random
import socket
from base64 import b64decode
from typing import Callable, Iterator

import h11
import numpy as np
import orjson
import pytest

from freeswitch_audio_stream.protocols.messages import Running
from freeswitch_audio_stream.realtime.records import (ATTEND_DRAINED, ATTEND_INBOX, ATTEND_PEER_PROTOCOL,
                                                      ATTEND_SOCKET_BROKEN)
from freeswitch_audio_stream.realtime.wire.http_incoming import ABOUT_MEDIA, OPCODE_ANSWER
from freeswitch_audio_stream.realtime.wire.outgoing import OPCODE_BINARY

from ..open_stream import OpenStream, template
from ..sound import Samples, noise

Opening = Callable[..., OpenStream]
HEAD = b"POST /api/voice/stream/c HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
GET = b"GET /api/voice/stream/c/response?timeout=5000 HTTP/1.1\r\nHost: h\r\n\r\n"
PLAIN = template(b'{"audio":"', Running.PAYLOAD, b'"}')
NUMBERED = template(b'{"audio":"', Running.PAYLOAD, b'","sequence":', Running.SEQUENCE, b"}")
STREAMED = b'{"status":"streamed"}'
RATE = 16000
CHUNK = 1600


class HttpServer:
    """The server's end: h11 reads the requests, and writes the answers unless they are given as bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._h11 = h11.Connection(h11.SERVER)

    def request(self) -> tuple[h11.Request, bytes]:
        """The next request and its body."""
        request, body = None, b""
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                data = self.connection.recv(65536)
                assert data, "the connection ended before the request did"
                self._h11.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                assert request is not None
                return request, body

    def post(self) -> tuple[Samples, dict[str, object]]:
        """The next request, which posts audio: its samples, and the body's other members."""
        request, body = self.request()
        assert (request.method, request.target) == (b"POST", b"/api/voice/stream/c")
        fields = orjson.loads(body)
        return np.frombuffer(b64decode(fields.pop("audio"), validate=True), "<i2"), fields

    def answer(self, status: int = 200, body: bytes = STREAMED, chunked: bool = False, **headers: str) -> bytes:
        """Send an answer; what was sent."""
        rows = [(name.replace("_", "-"), value) for name, value in headers.items()]
        rows.append(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body))))
        data = self._h11.send(h11.Response(status_code=status, headers=rows)) or b""
        data += self._h11.send(h11.Data(data=body)) or b""
        data += self._h11.send(h11.EndOfMessage()) or b""
        self.connection.sendall(data)
        if self._h11.our_state is h11.DONE:
            self._h11.start_next_cycle()
        return data

    def is_quiet(self) -> bool:
        """Whether no request has come, as far as the kernel knows."""
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1)
        except BlockingIOError:
            return True
        finally:
            self.connection.settimeout(20)


def opened(open_stream: Opening, **form: object) -> OpenStream:
    """A stream whose media messages are posts."""
    form = {"rate": RATE, "chunk_ms": 100, "buffer_secs": 40, **form}
    return open_stream(templates=[PLAIN, NUMBERED], **form)


def connect(stream: OpenStream) -> HttpServer:
    """Attach a connection."""
    return HttpServer(stream.connect(role="http", request_head=HEAD))


def speak(stream: OpenStream, samples: Samples) -> None:
    """The caller says something."""
    for start in range(0, len(samples), 320):
        stream.leg.read(samples[start:start + 320], RATE)


def pieces(stream: OpenStream) -> list[tuple[int, bytes, bool]]:
    """What is in the inbox."""
    return [(piece.opcode, piece.data, piece.is_last) for piece in stream.path.take_inbox()]


def test_one_post_at_a_time_with_all_that_there_is(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    stream.path.open_media()
    spoken = noise(CHUNK * 11 + 320)
    speak(stream, spoken[:CHUNK])
    first, fields = server.post()
    assert fields == {}
    speak(stream, spoken[CHUNK:])
    assert server.is_quiet()
    server.answer()
    second, _ = server.post()
    assert (len(first), len(second)) == (CHUNK, 10 * CHUNK)
    assert stream.path.statistics().waiting == len(spoken) - CHUNK  # until it is taken
    stream.path.drain_media()
    server.answer()
    third, _ = server.post()
    server.answer()
    stream.wait_for(ATTEND_DRAINED)
    assert np.array_equal(np.concatenate([first, second, third]), spoken)
    counters = stream.path.statistics()
    assert (counters.messages_sent, counters.messages_received, counters.waiting) == (3, 3, 0)
    assert stream.path.accepted == 3
    assert pieces(stream) == [], "what is as it should be costs no Python"


def test_what_the_server_has_not_taken_is_sent_again_under_its_number(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    stream.path.number_requests()
    stream.path.open_media()
    spoken = noise(3 * CHUNK)
    speak(stream, spoken[:CHUNK])
    assert server.post()[1] == {"sequence": 1}
    server.answer()
    speak(stream, spoken[CHUNK:2 * CHUNK])
    lost, fields = server.post()
    assert fields == {"sequence": 2}
    speak(stream, spoken[2 * CHUNK:])
    server.connection.close()
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    stream.disconnect()
    server = connect(stream)
    again, fields = server.post()
    assert (fields, np.array_equal(again, lost)) == ({"sequence": 2}, True)
    server.answer()
    rest, fields = server.post()
    assert (fields, np.array_equal(rest, spoken[2 * CHUNK:])) == ({"sequence": 3}, True)


def test_forty_seconds_go_in_a_few_requests(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    spoken = noise(39 * RATE)
    speak(stream, spoken)
    stream.path.open_media()
    posted: list[Samples] = []
    while sum(map(len, posted)) < len(spoken):
        posted.append(server.post()[0])
        server.answer()
    assert np.array_equal(np.concatenate(posted), spoken)
    assert len(posted) <= 3


@pytest.mark.parametrize("status, body, taken", [
    (400, b'{"status":"invalid_audio","detail":"no"}', True), (413, b"", True), (422, b"{}", True),
    (200, b'{"status":"invalid_audio"}', True), (200, b'{"status":"session_not_found"}', False),
    (404, b'{"status":"session_not_found"}', False), (401, b"{}", False), (500, b"", False), (503, b"later", False),
    (307, b"", False)])
def test_other_answers_are_for_python(open_stream: Opening, status: int, body: bytes, taken: bool) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    stream.path.open_media()
    speak(stream, noise(CHUNK))
    server.post()
    sent = server.answer(status, body)
    stream.wait_for(ATTEND_INBOX)
    assert pieces(stream) == [(ABOUT_MEDIA, sent, True)]
    speak(stream, noise(CHUNK))
    if taken:
        server.post()
    else:
        assert stream.path.owes_answer
        assert server.is_quiet()
        assert stream.path.statistics().waiting == 2 * CHUNK


@pytest.mark.parametrize("body", [b"", b"x" * 100_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_answers_to_messages(open_stream: Opening, body: bytes, chunked: bool) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    speak(stream, noise(CHUNK))
    stream.path.send(OPCODE_BINARY, GET)
    stream.path.open_media()  # the message goes first
    request, _ = server.request()
    assert request.target == b"/api/voice/stream/c/response?timeout=5000"
    sent = server.answer(200, body, chunked)
    taken: list[tuple[int, bytes, bool]] = []
    while not taken or not taken[-1][2]:
        stream.wait_until(lambda: stream.path.inbox_end > int(stream.field["inbox_read"]))
        taken += pieces(stream)
    assert {opcode for opcode, _, _ in taken} == {OPCODE_ANSWER}
    head = sent[:sent.index(b"\r\n\r\n") + 4]
    assert b"".join(data for _, data, _ in taken) == head + body
    server.post()


def test_a_connection_that_is_to_be_closed_serves_no_more(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    stream.path.open_media()
    speak(stream, noise(CHUNK))
    server.post()
    speak(stream, noise(CHUNK))
    server.answer(Connection="close")
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    assert (stream.path.socket_error, stream.path.accepted, stream.path.owes_answer) == (0, 1, False)
    assert server.is_quiet()


def test_an_answer_that_ends_with_the_connection(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    stream.path.open_media()
    speak(stream, noise(CHUNK))
    server.post()
    server.connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + STREAMED)
    server.connection.close()
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    assert stream.path.accepted == 1


def test_a_server_that_speaks_unasked(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    server.connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    stream.path.open_media()
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    assert (stream.path.protocol_error, pieces(stream)) == (0, [])


def answers() -> Iterator[bytes]:
    """Answers that are right, of every shape."""
    for headers, body in [
            (b"Content-Length: 21\r\n", STREAMED), (b"content-length:21\r\nX: \tb \r\n", STREAMED),
            (b"Transfer-Encoding: chunked\r\n", b"5\r\n{\"sta\r\n10;x=y\r\ntus\":\"streamed\"}\r\n0\r\n\r\n"),
            (b"Transfer-Encoding: Chunked\r\n", b"15\r\n" + STREAMED + b"\r\n00\r\nTrailer: x\r\nB: y\r\n\r\n"),
            (b"Content-Length: 0\r\n", b"")]:
        for before in (b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"):
            yield before + b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + body
    yield b"HTTP/1.1 204 No Content\r\n\r\n"
    yield b"HTTP/1.1 200\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"


def read_by_h11(data: bytes) -> bool:
    """Whether h11 finds one whole answer in it, and nothing after it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "h"), ("Content-Length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    try:
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return False
            if isinstance(event, h11.EndOfMessage):
                return client.trailing_data == (b"", False)
    except h11.RemoteProtocolError:
        return False


@pytest.mark.parametrize("data", list(answers()))
@pytest.mark.parametrize("cut", [1, 2, 7, 1000])
def test_every_answer_at_every_cut(open_stream: Opening, data: bytes, cut: int) -> None:
    assert read_by_h11(data)
    stream = opened(open_stream)
    server = connect(stream)
    server.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    stream.path.open_media()
    speak(stream, noise(CHUNK))
    server.post()
    for start in range(0, len(data), cut):
        server.connection.sendall(data[start:start + cut])
        seen = start + len(data[start:start + cut])
        stream.wait_until(lambda: stream.path.statistics().bytes_received == seen)
    stream.wait_until(lambda: stream.path.accepted == 1)
    assert pieces(stream) == []


@pytest.mark.parametrize("data", [
    b"HTTP/2 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n",
    b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: empty\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000])
def test_what_is_no_answer(open_stream: Opening, data: bytes) -> None:
    stream = opened(open_stream)
    server = connect(stream)
    stream.path.open_media()
    speak(stream, noise(CHUNK))
    server.post()
    server.connection.sendall(data)
    stream.wait_for(ATTEND_PEER_PROTOCOL)
    assert stream.path.statistics().waiting == CHUNK


def test_damaged_answers_are_judged_as_h11_does(open_stream: Opening) -> None:
    """Where h11 finds a whole answer in damaged bytes, so do we; a few on which they may differ are left out."""
    chance = random.Random(4)
    stream = opened(open_stream)
    stream.path.open_media()
    originals = list(answers())
    spoken, checked = 0, 0
    for _ in range(300):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randrange(3)):
            data[chance.randrange(len(data))] = chance.choice(b"\r\n :;0159azHC\x00\xff")
        expected = read_by_h11(bytes(data))
        server = connect(stream)
        if not stream.field["in_flight"]:
            speak(stream, noise(CHUNK))
            spoken += 1
        server.post()
        before = stream.path.accepted
        server.connection.sendall(bytes(data))
        server.connection.shutdown(socket.SHUT_WR)
        stream.wait_until(lambda: stream.path.statistics().waiting == 0 or stream.field["fd"] == -1
                          or bool(stream.path.protocol_error) or stream.path.accepted > before)
        ours = stream.path.accepted > before or any(opcode == ABOUT_MEDIA for opcode, _, _ in pieces(stream))
        if expected:
            assert ours, bytes(data)
            checked += 1
        stream.disconnect()
    assert checked > 50
