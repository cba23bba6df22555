"""Nobody holds a connection by being slow: every request and every handshake has a deadline."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import threading
import time
from typing import Callable, Iterator

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from freeswitch_audio_stream.http_api import upgrade
from freeswitch_audio_stream.http_api.calls import Originator
from freeswitch_audio_stream.web import http_protocol
from freeswitch_audio_stream.web.deadline import Deadline
from tests.engine.harness import PATIENCE, until
from tests.transports.certificates import Certificate, make

from .harness import HANDSHAKE, TOKEN, Site, trusting
from .test_calls import body

_SECONDS = 0.3
FIRST = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", _SECONDS)
    monkeypatch.setattr(upgrade, "_ANSWER_SECONDS", _SECONDS)
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 600)  # asyncio's own deadlines are not meant here
    monkeypatch.setattr("asyncio.constants.SSL_HANDSHAKE_TIMEOUT", 600)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make(tmp_path_factory.mktemp("certificates"), "server")


def connect(site: Site) -> socket.socket:
    host, _, port = site.server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


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


def head(token: str) -> bytes:
    return f"POST /v1.0/calls?token={token} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n".encode()


@pytest.mark.parametrize("begin", [b"", FIRST], ids=["the first request", "the second request"])
@pytest.mark.parametrize("then, more", [
    (b"GET / HTTP/1.1\r\n", b""), (b"GET / HTTP/1.1\r\n", b"A: b\r\n"), (b"", b"G"),
    (head(TOKEN), b""), (head(TOKEN), b" "), (head("a-wrong-token-0123"), b" "), (head("a-wrong-token-0123"), b""),
], ids=["half a head", "a head in drops", "one byte at a time", "no body", "a body in drops", "a refused body in drops",
        "no body, and refused"])
def test_a_request_that_never_ends(site: Site, begin: bytes, then: bytes, more: bytes) -> None:
    with connect(site) as sock:
        if begin:
            sock.sendall(begin)
            assert b"404" in sock.recv(65536)
        sock.sendall(then)
        assert is_hung_up_on(sock, itertools.repeat(more))
    until(lambda: len(site.server.connections) == 0)
    site.forgive("127.0.0.1")
    assert [line.text for line in site.switch.log_lines if "defect" in line.text] == []


def test_a_connection_that_stays_silent_after_its_answer(site: Site) -> None:
    with connect(site) as sock:
        sock.sendall(FIRST)
        assert is_hung_up_on(sock)


def test_a_client_that_does_not_read_its_answers(site: Site) -> None:
    with connect(site) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0.1)
        try:
            for _ in range(10000):
                sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        except OSError:
            pass  # the server reads no more either, or has hung up already
        until(lambda: len(site.server.connections) == 0)


def test_a_client_that_does_not_read_a_long_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
    monkeypatch.setattr(site.server._web._uvicorn.config, "loaded_app", endless)
    with connect(site) as sock:
        sock.sendall(FIRST)
        assert sock.recv(5) == b"HTTP/"
        until(lambda: len(site.server.connections) == 0)


def test_who_is_worked_for_has_no_deadline(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is the client's turn has."""
    go_on = threading.Event()

    def outcome(self: Originator, ringing: object) -> object:
        assert go_on.wait(PATIENCE)
        return {"id": "x", "calls": []}
    monkeypatch.setattr(Originator, "begin", lambda self, request: None)
    monkeypatch.setattr(Originator, "outcome", outcome)
    data = orjson.dumps(body())
    with connect(site) as sock, connect(site) as silent:
        sock.sendall(head(TOKEN).replace(b"60000", str(len(data)).encode()) + data)
        assert is_hung_up_on(silent), "which has connected later"
        go_on.set()
        assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_each_request_has_a_deadline_of_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with its first byte, and a connection may live for ever on requests that come whole."""
    starts: list[float] = []
    real = Deadline.start

    def start(self: Deadline, transport: asyncio.Transport, seconds: float) -> None:
        starts.append(seconds)
        real(self, transport, seconds)
    with monkeypatch.context() as patch:
        until(lambda: len(site.server.connections) == 0)  # no other one is counted
        patch.setattr(Deadline, "start", start)
        with connect(site) as sock:
            sock.sendall(FIRST)
            assert b"404" in sock.recv(65536)
            until(lambda: len(starts) == 2)  # for the first request, and for the next one to come
            sock.sendall(FIRST[:10])
            until(lambda: len(starts) == 3)
    over: list[bool] = []
    with connect(site) as sock, connect(site) as silent:
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
def test_a_tls_handshake_that_never_ends(certificate: Certificate, begin: bytes) -> None:
    site = Site(cert_file=certificate.file)
    try:
        with connect(site) as sock:
            sock.sendall(begin)
            assert is_hung_up_on(sock)
            until(lambda: len(site.server.connections) == 0)
        site.connect(site.call(), **trusting())
    finally:
        site.close()


@pytest.mark.parametrize("request_of", [
    lambda: b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    lambda: (f"GET /v1.0/calls/nobody/media_stream?encapsulation=sln&token={TOKEN} HTTP/1.1\r\nHost: x\r\n"
             + "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items()) + "\r\n").encode(),
], ids=["an ordinary request", "a WebSocket"])
def test_a_tls_client_that_never_says_goodbye(certificate: Certificate, request_of: Callable[[], bytes]) -> None:
    site = Site(cert_file=certificate.file)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing)
    try:
        with connect(site) as sock:
            while True:
                try:
                    session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))
            session.write(request_of())
            sock.sendall(outgoing.read())
            assert is_hung_up_on(sock), "it reads, but answers no close_notify"
            until(lambda: len(site.server.connections) == 0)
    finally:
        site.close()


def test_an_upgrade_needs_http_1_1(site: Site) -> None:
    """RFC 6455 section 4.1, and 4.2.1: HTTP/1.1 or higher."""
    call = site.call()
    with connect(site) as sock:
        sock.sendall((f"GET /v1.0/calls/{call.uuid}/media_stream?encapsulation=sln&token={TOKEN} HTTP/1.0\r\n"
                      + "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items()) + "\r\n").encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ") and b"HTTP/1.1" in answer.partition(b"\r\n\r\n")[2]
    assert site.told()["media_client_attached"] == 0
