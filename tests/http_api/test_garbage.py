"""A connection that is over leaves nothing behind that only the garbage collector would find."""

from __future__ import annotations

import gc
import socket
import ssl
import weakref
from typing import Any, Iterator

import pytest

from freeswitch_audio_stream.http_api.upgrade import UpgradeProtocol
from freeswitch_audio_stream.transports import openssl
from freeswitch_audio_stream.web.http_protocol import HttpProtocol
from tests.engine.harness import PATIENCE, until
from tests.transports.certificates import make

from .harness import TOKEN, Site, trusting

pytestmark = pytest.mark.slow

Refs = list[weakref.ref[Any]]


@pytest.fixture(scope="module", params=["without TLS", "with TLS"])
def any_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    certificate = make(tmp_path_factory.mktemp("certificates"), "server")
    site = Site(**({"cert_file": certificate.file} if request.param == "with TLS" else {}))
    yield site
    site.close()


@pytest.fixture
def made(any_site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Refs]:
    """References to what is made for connections; they do not keep it."""
    refs: Refs = []
    for kind in (HttpProtocol, UpgradeProtocol):
        real = kind.__init__

        def init(self: Any, *arguments: Any, real: Any = real, **more: Any) -> None:
            refs.append(weakref.ref(self))
            real(self, *arguments, **more)
        monkeypatch.setattr(kind, "__init__", init)
    real_wrap = ssl.SSLContext.wrap_bio

    def wrap(self: ssl.SSLContext, *arguments: Any, **more: Any) -> ssl.SSLObject:
        session = real_wrap(self, *arguments, **more)
        refs.append(weakref.ref(session))
        return session
    monkeypatch.setattr(ssl.SSLContext, "wrap_bio", wrap)
    gc.collect()
    gc.disable()
    try:
        yield refs
    finally:
        gc.enable()
        any_site.forgive("127.0.0.1")
        any_site.settle()


def connect(site: Site) -> socket.socket:
    host, _, port = site.server.address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=PATIENCE)
    if site.server.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(sock)
    return sock


def all_gone(refs: Refs) -> bool:
    return len(refs) > 0 and not [ref for ref in refs if ref() is not None]


@pytest.mark.parametrize("request_of", [
    b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /v1.0/calls HTTP/1.1\r\nHost: x\r\n\r\n",
    f"POST /v1.0/calls?token={TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode(), b"\0",
    b"GET /v1.0/calls/x/media_stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
], ids=ascii)
def test_requests(any_site: Site, made: Refs, request_of: bytes) -> None:
    with connect(any_site) as sock:
        if request_of:
            sock.sendall(request_of)
        until(lambda: len(any_site.server.connections) == 1 or all_gone(made))
    until(lambda: all_gone(made))


def test_attached_clients(any_site: Site, made: Refs) -> None:
    if any_site.server.scheme == "https" and openssl.LIBRARY is None:
        pytest.skip("this Python's OpenSSL cannot be reached")
    call = any_site.call()
    for _ in range(2):
        any_site.connect(call, **(trusting() if any_site.server.scheme == "https" else {})).close()
    until(lambda: any_site.told()["media_client_detached"] == 2)
    until(lambda: all_gone(made))


def test_handshakes_that_fail(any_site: Site, made: Refs) -> None:
    host, _, port = any_site.server.address.rpartition(":")
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00"):
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
            sock.sendall(data)
            until(lambda: len(any_site.server.connections) == 1 or all_gone(made))
    until(lambda: all_gone(made))
