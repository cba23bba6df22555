"""Nobody holds a connection of the media server by being slow; what holds for any web server is in tests/web."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from typing import Iterator

import orjson
import pytest

from freeswitch_audio_stream.http_api import upgrade
from freeswitch_audio_stream.http_api.calls import Originator
from freeswitch_audio_stream.web import http_protocol
from tests.engine.harness import PATIENCE, until
from tests.transports.certificates import Certificate, make

from .harness import HANDSHAKE, TOKEN, Site
from .test_calls import body

_SECONDS = 0.3


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", _SECONDS)
    monkeypatch.setattr(upgrade, "_ANSWER_SECONDS", _SECONDS)
    # asyncio's own deadlines are not meant here; Python 3.10 has one of them only.
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 600, raising=False)
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


@pytest.mark.parametrize("token", [TOKEN, "a-wrong-token-0123"], ids=["a body", "a refused body"])
@pytest.mark.parametrize("more", [b"", b" "], ids=["that never comes", "in drops"])
def test_a_request_that_never_ends(site: Site, token: str, more: bytes) -> None:
    with connect(site) as sock:
        sock.sendall(head(token))
        assert is_hung_up_on(sock, itertools.repeat(more))
    until(lambda: len(site.server.connections) == 0)
    site.forgive("127.0.0.1")
    assert [line.text for line in site.switch.log_lines if "defect" in line.text] == []


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


def test_a_tls_client_that_never_says_goodbye(certificate: Certificate) -> None:
    request = (f"GET /v1.0/calls/nobody/media_stream?encapsulation=sln&token={TOKEN} HTTP/1.1\r\nHost: x\r\n"
               + "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items()) + "\r\n").encode()
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
            session.write(request)
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
