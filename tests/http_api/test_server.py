"""The server itself: TLS, addresses, what keeps it from starting, its end, and its documentation."""

from __future__ import annotations

import builtins
import gc
import logging
import socket
import ssl
import time
import weakref
from pathlib import Path
from typing import Any, Iterator

import orjson
import pytest
from cryptography.hazmat.primitives import serialization

from freeswitch_audio_stream.protocols import ENCAPSULATIONS
from freeswitch_audio_stream.transports import openssl
from tests.engine.harness import MODULE, PATIENCE, Platform, find, noise, stream_threads, until
from tests.transports.certificates import Certificate, make

from .harness import TOKEN, Site, configuration, trusting

pytestmark = pytest.mark.slow


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """None of those that the test has started."""
    before = stream_threads()
    yield
    until(lambda: stream_threads() <= before)


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make(tmp_path_factory.mktemp("certificates"), "server")


@pytest.fixture(params=["in the I/O loop", "through asyncio"])
def way_of_tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which a session can be carried."""
    if request.param == "through asyncio":
        monkeypatch.setattr(openssl, "LIBRARY", None)
    elif openssl.LIBRARY is None:
        pytest.skip("this Python's OpenSSL cannot be reached")


@pytest.mark.usefixtures("no_thread_is_left", "way_of_tls")
def test_tls(certificate: Certificate) -> None:
    """Both ways to the sample, with more than any buffer in between holds, and an orderly end."""
    site = Site(cert_file=certificate.file)
    try:
        assert site.server.scheme == "https"
        speech, answer = noise(40000, 1), noise(320000, 2)
        call = site.call(speed=40, app="playback")
        client = site.connect(call, **trusting())
        assert isinstance(client.socket.sock, ssl.SSLSocket)
        client.send(answer)
        call.say(speech)
        client.hear(speech)
        until(lambda: find(call.heard(), answer) >= 0)
        other = site.connect(call, **trusting())
        client.close()
        assert site.event("media_client_detached", call, "media-1")["code"] == 1000
        assert site.switch.unload(MODULE) == "+OK\n"
        assert other.close_code() == 1001
    finally:
        site.close()


@pytest.mark.usefixtures("way_of_tls")
def test_a_tls_client_that_does_not_read_holds_up_nobody(certificate: Certificate) -> None:
    site = Site(cert_file=certificate.file)
    try:
        call = site.call(speech=noise(200, 5), speed=40)
        lazy = site.connect(call, **trusting())
        eager = site.connect(call, **trusting())
        part = noise(160000, 3)
        call.say(part)
        eager.hear(part)
        assert lazy.hear(part) >= 0, "all of it waits for when it reads"
    finally:
        site.close()


@needs_ipv6
@pytest.mark.parametrize("address, connect_to", [("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1")])
def test_ipv6(address: str, connect_to: str) -> None:
    site = Site(address=address)
    try:
        port = int(site.server.address.rpartition(":")[2])
        assert site.server.address.startswith("[")
        with socket.create_connection((connect_to, port), timeout=PATIENCE) as sock:
            sock.sendall(b"GET /v1.0/calls/x/media_stream HTTP/1.0\r\n\r\n")
            assert b" 401 " in sock.recv(1000)
        until(lambda: len(site.server.limit))
        assert list(site.server.limit._full_at) == ["127.0.0.1" if ":" not in connect_to else "::/64"]
    finally:
        site.close()


@pytest.mark.usefixtures("no_thread_is_left")
def test_off_by_default() -> None:
    platform = Platform()
    try:
        assert platform.module.media_server is None
        answer = platform.run("conference room token")
        assert answer.startswith("-ERR the media server") and "media-server-address" in answer
        assert platform.run(f"{platform.call().uuid} token 60") == answer
    finally:
        platform.close()


def why_not(**settings: Any) -> str:
    """The one line of the log that says why there is no server; all else runs."""
    platform = Platform(xml=configuration(**settings))
    try:
        assert platform.module.media_server is None
        assert platform.run("list") == "[]"
        lines = [line.text for line in platform.switch.log_lines if "media server" in line.text]
        platform.switch.log_lines.clear()
        assert len(lines) == 1
        return lines[0]
    finally:
        platform.close()


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = why_not(port=port)
    assert f"127.0.0.1:{port}" in text and "Address already in use" in text and "media-server-port" in text


def test_an_address_that_is_not_ours() -> None:
    text = why_not(address="192.0.2.1")
    assert "192.0.2.1" in text and "media-server-address" in text


def test_files_that_cannot_be_used(certificate: Certificate, tmp_path: Path) -> None:
    assert "/nowhere/cert.pem" in why_not(cert_file="/nowhere/cert.pem")
    other = make(tmp_path, "other")
    assert str(other.file) in why_not(cert_file=certificate.file, key_file=other.file)
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(certificate.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret")))
    assert "is encrypted" in why_not(cert_file=certificate.file, key_file=encrypted)


def test_packages_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: Any) -> Any:
        if name == "server" and arguments[3] == 1:
            raise ModuleNotFoundError("No module named 'fastapi'")
        return real(name, *arguments)
    monkeypatch.setattr(builtins, "__import__", refuse)
    text = why_not()
    assert "No module named 'fastapi'" in text and "scripts/install" in text and "--media-server" in text


@pytest.mark.usefixtures("no_thread_is_left")
def test_unload_ends_all_within_two_seconds() -> None:
    site = Site()
    call = site.call()
    site.conferences["room"] = 2
    clients = [site.connect(call), site.connect(call), site.connect("/v1.0/conferences/room/media_stream")]
    host, _, port = site.server.address.rpartition(":")
    silent = socket.create_connection((host, int(port)), timeout=PATIENCE)
    began = time.monotonic()
    assert site.switch.unload(MODULE) == "+OK\n"
    assert time.monotonic() - began < 10, "far beyond the two seconds, for a machine that is busy with other things"
    assert [client.close_code() for client in clients] == [1001] * 3
    assert silent.recv(1) == b""
    silent.close()
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), timeout=PATIENCE)
    assert not [line.text for line in site.switch.log_lines if "did not end" in line.text]
    leg = site.dialled[0][0]["origination_uuid"]
    until(lambda: site.switch.sessions.find(leg) is None)
    site.close()


@pytest.mark.usefixtures("no_thread_is_left")
def test_the_end_of_the_switch() -> None:
    site = Site()
    client = site.connect(site.call())
    site.switch.shutdown()
    assert client.close_code() in (1000, 1001)


def test_a_silent_connection_is_closed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeswitch_audio_stream.web.http_protocol.REQUEST_SECONDS", 0.2)
    host, _, port = site.server.address.rpartition(":")
    call = site.call()
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\n")
        client = site.connect(call)
        assert silent.recv(1) == b""
    part = noise(8000, 4)
    call.say(part)
    client.hear(part)


@pytest.mark.parametrize("data", [
    b"\0" * 1000, b"GET \xff HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + b"A" * 300,
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10000, b"GET /" + b"a" * 100000, b"POST /v1.0/calls HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: -1\r\n\r\n", b"GET /v1.0/calls/x/media_stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    + b"\xff" * 200000,
], ids=lambda data: ascii(data[:12]))
def test_garbage_is_refused_or_hung_up_on(site: Site, data: bytes) -> None:
    host, _, port = site.server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
        try:
            sock.sendall(data)
            answer = b"".join(iter(lambda: sock.recv(65536), b""))
        except ConnectionError:
            answer = b""
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 503"))
    site.forgive("127.0.0.1")
    site.connect(site.call()).close()


def test_the_documentation_shows_every_route_and_refusal(site: Site) -> None:
    for page in ("/docs", "/redoc"):
        assert b"openapi.json" in site.request(page, upgrade=False).body
    document = orjson.loads(site.request("/openapi.json", upgrade=False).body)
    paths = document["paths"]
    assert set(paths) == {"/v1.0/calls/{call_id}/media_stream", "/v1.0/conferences/{name}/media_stream", "/v1.0/calls"}
    call = paths["/v1.0/calls/{call_id}/media_stream"]["get"]
    assert set(call["responses"]) == {"101", "400", "401", "403", "404", "409", "422", "426", "429", "503"}
    asked = next(row for row in call["parameters"] if row["name"] == "encapsulation")
    assert asked["schema"]["enum"] == list(ENCAPSULATIONS)
    conference = paths["/v1.0/conferences/{name}/media_stream"]["get"]
    assert set(call["responses"]) - set(conference["responses"]) == {"409"}
    made = paths["/v1.0/calls"]["post"]
    assert set(made["responses"]) == {"201", "400", "401", "403", "413", "422", "429", "501", "502", "503"}
    body = resolve(document, made["requestBody"]["content"]["application/json"]["schema"]["$ref"])
    assert {"source", "destinations", "actions"} <= set(body["properties"])
    for operation in (call, conference, made):
        assert all(answer["description"] for answer in operation["responses"].values())
        assert len(operation["security"]) == 2
    assert "WebSocket" in document["info"]["description"]


def resolve(document: dict[str, Any], reference: str) -> dict[str, Any]:
    """What a reference of the document means (RFC 6901); raises where there is no such thing."""
    assert reference.startswith("#/")
    found = document
    for part in reference[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def references(value: Any) -> Iterator[str]:
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from references(child)
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"]


def test_every_reference_of_the_documentation_leads_somewhere(site: Site) -> None:
    document = orjson.loads(site.request("/openapi.json", upgrade=False).body)
    found = set(references(document))
    assert {"#/components/schemas/Address", "#/components/schemas/Action"} <= found
    for reference in found:
        assert resolve(document, reference)["type"]


def test_a_defect_is_told_once_and_answered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, *arguments: object) -> None:
        raise ZeroDivisionError("for the test")
    monkeypatch.setattr("freeswitch_audio_stream.http_api.authorisation.Authorisation.admit_to", fail)
    for upgrade in (True, False):
        answer = site.request(f"/v1.0/calls/x/media_stream?token={TOKEN}", upgrade=upgrade)
        assert answer.status == 500 and "log" in answer.detail
    lines = [line.text for line in site.switch.log_lines if "for the test" in line.text]
    assert len(lines) == 2
    site.switch.log_lines.clear()


@pytest.mark.usefixtures("no_thread_is_left")
def test_nothing_is_left_when_it_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*arguments: object, **more: object) -> None:
        raise RuntimeError("for the test")
    monkeypatch.setattr("uvicorn.Server.serve", fail)
    platform = Platform(xml=configuration())
    try:
        assert platform.module.media_server is None
        texts = [line.text for line in platform.switch.log_lines]
        assert any("has not started" in text for text in texts) and any("for the test" in text for text in texts)
        platform.switch.log_lines.clear()
    finally:
        platform.close()


def test_a_server_that_was_unloaded_is_gone() -> None:
    """The frameworks under it remember much for the life of the process, but nothing that leads to it."""
    left = []
    handlers = 0
    for _ in range(3):
        site = Site()
        left += [weakref.ref(site.server), weakref.ref(site.module)]
        site.close()
        handlers = handlers or len(logging.getLogger("uvicorn").handlers)
    del site
    until(lambda: gc.collect() >= 0 and not any(reference() for reference in left))
    assert len(logging.getLogger("uvicorn").handlers) == handlers
