"""Nobody holds a connection by being slow: every request and every handshake has a deadline."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from freeswitch_audio_stream.web import http_protocol
from freeswitch_audio_stream.web.certificate import Certificate
from freeswitch_audio_stream.web.deadline import Deadline
from tests.engine.harness import PATIENCE, until
from tests.transports.certificates import make

from .program import Program

pytestmark = pytest.mark.slow

_SECONDS = 0.3
FIRST = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
TOO_LONG = POST.replace(b"60000", b"70000")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", _SECONDS)
    # asyncio's own deadlines are not meant here; Python 3.10 has one of them only.
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 600, raising=False)
    monkeypatch.setattr("asyncio.constants.SSL_HANDSHAKE_TIMEOUT", 600)


@pytest.fixture
def secure(tmp_path: Path, short: None) -> Iterator[Program]:
    program = Program(tls=Certificate(str(make(tmp_path, "server").file)))
    program.server.start()
    yield program
    assert program.server.stop(PATIENCE) and program.faults == []


def is_hung_up_on(sock: socket.socket, more: Iterator[bytes] = itertools.repeat(b"")) -> bool:
    """Whether the server ends the connection, of whose request there is `more` every now and then."""
    deadline = time.monotonic() + PATIENCE
    sock.settimeout(0.05)
    while time.monotonic() < deadline:
        try:
            sock.sendall(next(more))
            if not sock.recv(65536):
                return True
        except (TimeoutError, ssl.SSLWantReadError):
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize("begin", [b"", FIRST], ids=["the first request", "the second request"])
@pytest.mark.parametrize("then, more", [
    (b"GET / HTTP/1.1\r\n", b""), (b"GET / HTTP/1.1\r\n", b"A: b\r\n"), (b"", b"G"), (POST, b""), (POST, b" "),
    (TOO_LONG, b" "), (TOO_LONG, b""),
], ids=["half a head", "a head in drops", "one byte at a time", "no body", "a body in drops", "a refused body in drops",
        "no body, and refused"])
def test_a_request_that_never_ends(program: Program, begin: bytes, then: bytes, more: bytes) -> None:
    with program.connect() as sock:
        if begin:
            sock.sendall(begin)
            assert b"404" in sock.recv(65536)
        sock.sendall(then)
        assert is_hung_up_on(sock, itertools.repeat(more))
    until(lambda: len(program.server.connections) == 0)


def test_a_connection_that_stays_silent(program: Program) -> None:
    with program.connect() as sock:
        assert is_hung_up_on(sock)
    with program.connect() as sock:
        sock.sendall(FIRST)
        assert is_hung_up_on(sock)


def test_a_client_that_does_not_read_its_answers(program: Program) -> None:
    with program.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0.1)
        try:
            for _ in range(10000):
                sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        except OSError:
            pass  # the server reads no more either, or has hung up already
        until(lambda: len(program.server.connections) == 0)


def test_a_client_that_does_not_read_a_long_answer() -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
    program = Program(app=endless)
    program.server.start()
    with program.connect() as sock:
        sock.sendall(FIRST)
        assert sock.recv(5) == b"HTTP/"
        until(lambda: len(program.server.connections) == 0)
    assert program.server.stop(PATIENCE)


def test_who_is_worked_for_has_no_deadline(program: Program) -> None:
    """Only what is the client's turn has."""
    with program.connect() as sock, program.connect() as silent:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert program.begun.wait(PATIENCE)
        assert is_hung_up_on(silent), "which has connected later"
        program.go_on.set()
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_each_request_has_a_deadline_of_its_own(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with its first byte, and a connection may live for ever on requests that come whole."""
    starts: list[float] = []
    real = Deadline.start

    def start(self: Deadline, transport: asyncio.Transport, seconds: float) -> None:
        starts.append(seconds)
        real(self, transport, seconds)
    with monkeypatch.context() as patch:
        patch.setattr(Deadline, "start", start)
        with program.connect() as sock:
            sock.sendall(FIRST)
            assert b"404" in sock.recv(65536)
            until(lambda: len(starts) == 2)  # for the first request, and for the next one to come
            sock.sendall(FIRST[:10])
            until(lambda: len(starts) == 3)
    over: list[bool] = []
    with program.connect() as sock, program.connect() as silent:
        waiter = threading.Thread(target=lambda: over.append(is_hung_up_on(silent)))
        waiter.start()
        while not over:
            sock.sendall(FIRST[:10])
            sock.sendall(FIRST[10:])
            answer = b""
            while not answer.endswith(b"}"):
                answer += sock.recv(65536)
        waiter.join()
        assert over == [True]


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["nothing", "half a ClientHello"])
def test_a_tls_handshake_that_never_ends(secure: Program, begin: bytes) -> None:
    with secure.connect() as sock:
        sock.sendall(begin)
        assert is_hung_up_on(sock)
        until(lambda: len(secure.server.connections) == 0)


def test_a_tls_client_that_never_says_goodbye(secure: Program) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing)
    with secure.connect() as sock:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        session.write(FIRST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        sock.sendall(outgoing.read())
        assert is_hung_up_on(sock), "it reads, but answers no close_notify"
        until(lambda: len(secure.server.connections) == 0)
