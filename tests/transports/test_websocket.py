from __future__ import annotations

import gc
import os
import select
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

import pytest
import websocket
from hypothesis import given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.errors import ConnectError, ConnectionRefused, ConnectTimeout, HandshakeRefused, TlsRefused
from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.testing.peers.listener import Listener, accept_websocket, read_all, read_head
from freeswitch_audio_stream.transports import Cancel, Connection, TlsOptions, connect, openssl
from freeswitch_audio_stream.transports.handshake import MAX_HEAD_BYTES

from .certificates import Certificate, server_context

LIMIT = 60
HELLO = b"\x81\x05hello"  # RFC 6455 section 5.7: an unmasked text frame


WAYS = ("ws", "wss", "relay")
"""Without TLS, with a session for compiled code, and with one behind a relay."""


def prepare(way: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL's scheme for one of WAYS."""
    if way == "relay":
        monkeypatch.setattr(openssl, "LIBRARY", None)
    return "ws" if way == "ws" else "wss"


def receive(connection: Connection) -> bytes:
    """What has come; BlockingIOError while nothing has."""
    if not isinstance(connection.encrypted, openssl.OpenSslSession):
        return connection.sock.recv(65536)
    try:
        return connection.encrypted.owner.read(65536)
    except ssl.SSLWantReadError as error:  # a record of TLS itself, or a part of one
        raise BlockingIOError from error


def send(connection: Connection, data: bytes) -> None:
    if isinstance(connection.encrypted, openssl.OpenSslSession):
        assert connection.encrypted.owner.write(data) == len(data)
    else:
        connection.sock.sendall(data)


def read_exactly(connection: Connection, count: int) -> bytes:
    """`count` bytes of what the server sends, the left-over ones first."""
    data = connection.leftover
    while len(data) < count:
        assert select.select([connection.sock], [], [], LIMIT)[0]
        with suppress(BlockingIOError):
            data += receive(connection)
    assert len(data) == count
    return data


def serve_hello(connection: socket.socket) -> None:
    accept_websocket(connection, after=HELLO)
    connection.sendall(HELLO)
    read_all(connection)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("way", WAYS)
def test_what_comes_with_the_answer_is_not_lost(host: str, way: str, good: Certificate, ca: Certificate,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = prepare(way, monkeypatch)
    context = server_context(good) if scheme == "wss" else None
    with Listener(serve_hello, host, context) as peer:
        connection = connect(f"{scheme}://{peer.place}/", tls=TlsOptions(ca_file=str(ca.file)), timeout=LIMIT)
        assert (connection.tls is not None) == (way == "wss")
        assert read_exactly(connection, 2 * len(HELLO)) == 2 * HELLO
        assert connection.peer == peer.place
        assert not connection.sock.getblocking()
        connection.close()
        connection.close()
        assert connection.fileno() == -1 and connection.join(LIMIT)
    assert not peer.failures


@pytest.mark.parametrize("way", WAYS)
def test_an_independent_server(way: str, good: Certificate, ca: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent, which is built on `websockets`, accepts the request and hears a masked frame; its answer
    arrives."""
    context = server_context(good) if prepare(way, monkeypatch) == "wss" else None
    with Agent(tls=context, observer=lambda session, message: session.send("hello")) as agent:
        connection = connect(agent.url + "some/path?and=query", subprotocol="audio.freeswitch.org",
                             basic_auth=("user", "pässword"), headers={"X-Extra": "1"},
                             tls=TlsOptions(ca_file=str(ca.file)), timeout=LIMIT)
        assert connection.subprotocol == "audio.freeswitch.org"
        send(connection, websocket.ABNF.create_frame('{"event":"dtmf"}', websocket.ABNF.OPCODE_TEXT).format())
        assert read_exactly(connection, len(HELLO)) == HELLO
        session = agent.wait_for_session()
        connection.close()
        session.wait_for(lambda session: session.close_code is not None)
    assert session.path == "/some/path?and=query"
    assert session.headers["Authorization"] == "Basic dXNlcjpww6Rzc3dvcmQ="
    assert session.headers["X-Extra"] == "1"
    assert "Origin" not in session.headers


def test_credentials_in_the_url_are_used() -> None:
    heads: list[list[str]] = []
    with Listener(lambda sock: heads.append(accept_websocket(sock))) as peer:
        connect(f"ws://user:secret@{peer.place}/", timeout=LIMIT).close()
    assert "Authorization: Basic dXNlcjpzZWNyZXQ=" in heads[0]
    assert f"Host: {peer.place}" in heads[0]


@pytest.mark.parametrize("headers, origin, expected", [
    ({}, None, None), ({}, "", "http://{place}"), ({}, "https://{host}", "https://{place}"),
    ({}, "https://example.com", "https://example.com"), ({"oRigin": "own"}, "", "own"),
    ({"host": "virtual.example"}, "", "http://{place}"), ({"Host": "virtual.example"}, "x://{host}/", "x://{place}/"),
])
def test_origin_and_host(headers: dict[str, str], origin: str | None, expected: str | None) -> None:
    heads: list[list[str]] = []
    with Listener(lambda sock: heads.append(accept_websocket(sock))) as peer:
        connect(f"ws://me:secret@{peer.place}/", headers=headers, origin=origin, timeout=LIMIT).close()
    sent = [line.split(": ", 1) for line in heads[0][1:]]
    hosts, origins = ([value for name, value in sent if name.lower() == wanted] for wanted in ("host", "origin"))
    assert hosts == [next((value for name, value in headers.items() if name.lower() == "host"), peer.place)]
    assert origins == ([] if expected is None else [expected.replace("{place}", peer.place)])


def test_the_origin_of_a_secure_url_is_secure(good: Certificate, ca: Certificate) -> None:
    heads: list[list[str]] = []
    with Listener(lambda sock: heads.append(accept_websocket(sock)), context=server_context(good)) as peer:
        connect(f"wss://{peer.place}/", tls=TlsOptions(ca_file=str(ca.file)), origin="", timeout=LIMIT).close()
    assert f"Origin: https://{peer.place}" in heads[0]


def test_a_server_may_be_silent_about_the_subprotocol() -> None:
    with Listener(serve_hello) as peer:
        connection = connect(f"ws://{peer.place}/", subprotocol="audio.freeswitch.org", timeout=LIMIT)
        assert connection.subprotocol is None
        connection.close()


def test_cookies_are_forgotten() -> None:
    heads: list[list[str]] = []

    def serve(sock: socket.socket) -> None:
        heads.append(accept_websocket(sock, "Set-Cookie: a=b; Domain=127.0.0.1"))

    with Listener(serve) as peer:
        for _ in range(2):
            connect(f"ws://{peer.place}/", timeout=LIMIT).close()
    assert not any("cookie" in line.lower() for line in heads[1])


@pytest.mark.parametrize("answer, error, words", [
    ("HTTP/1.1 401 Unauthorized\r\n", HandshakeRefused, "HTTP 401 Unauthorized.*http_auth_user"),
    ("HTTP/1.1 403 Forbidden\r\n", HandshakeRefused, "forbids .*HTTP 403 Forbidden.*Origin, set origin.*extra_headers"),
    ("HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n", HandshakeRefused, "has no /path .*404"),
    ("HTTP/1.1 302 Found\r\nLocation: ws://else.example/\x07\r\n", HandshakeRefused,
     r"ws://else.example/\? \(HTTP"),
    ("HTTP/1.1 200 OK\r\n", HandshakeRefused, "document"),
    ("HTTP/1.1 503 Busy\r\n", HandshakeRefused, "HTTP 503 Busy"),
    ("HTTP/1.1 101\r\n", HandshakeRefused, "does not answer as a WebSocket server should"),
    ("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n",
     HandshakeRefused,
     "does not answer as a WebSocket server should"),
    ("HTTP/1.1 101 X\r\nno colon\r\n", HandshakeRefused, "does not answer as a WebSocket server should"),
    ("HTTP/1.1 two hundred\r\n", HandshakeRefused, "does not answer with HTTP"),
    ("SSH-2.0-OpenSSH_9.2\r\n", HandshakeRefused, "does not answer with HTTP"),
    ("HTTP/1.1 101 X\r\n" + "X-Long: " + "x" * MAX_HEAD_BYTES, HandshakeRefused, "longer than"),
    ("HTTP/1.1 101", ConnectionRefused, "closed the connection during"),
    ("", ConnectionRefused, "closed the connection during"),
])
def test_answers_that_are_no_websocket(answer: str, error: type[ConnectError], words: str) -> None:
    def serve(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer.encode() + (b"\r\n" if answer.endswith("\r\n") else b""))

    with Listener(serve) as peer, pytest.raises(error, match=words) as refusal:
        connect(f"ws://{peer.place}/path?token=secret", timeout=LIMIT)
    assert peer.place in str(refusal.value) and "secret" not in str(refusal.value)
    if isinstance(refusal.value, HandshakeRefused):
        code = answer[9:12]
        assert refusal.value.status == (int(code) if code.isdigit() and "longer" not in words else 0)


@pytest.mark.parametrize("line, word", [
    ("Sec-WebSocket-Protocol: other", "subprotocol_name"),
    ("Sec-WebSocket-Extensions: permessage-deflate", "deflate")])
def test_a_server_that_chooses_what_was_not_offered(line: str, word: str) -> None:
    with (Listener(lambda sock: assert_(accept_websocket(sock, line))) as peer,
          pytest.raises(HandshakeRefused, match=word)):
        connect(f"ws://{peer.place}/", subprotocol="audio.freeswitch.org", timeout=LIMIT)


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=200, deadline=None)
def test_whatever_the_server_says_only_connect_errors(noise: bytes, proper_status: bool) -> None:
    def serve(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall((b"HTTP/1.1 101 X\r\n" if proper_status else b"") + noise + b"\r\n\r\n")

    with Listener(serve) as peer, pytest.raises(ConnectError):
        connect(f"ws://{peer.place}/", timeout=LIMIT)


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("stalls", ["at once", "in the answer"])
def test_a_server_that_stalls(secure: bool, stalls: str, good: Certificate) -> None:
    """The time limit and cancelling both end it, in whatever phase it is."""
    released, reached = threading.Event(), threading.Event()

    def serve(sock: socket.socket) -> None:
        if stalls == "in the answer":
            if secure:
                sock = server_context(good).wrap_socket(sock, server_side=True)
            read_head(sock)
            sock.sendall(b"HTTP/1.1 1")
        reached.set()
        released.wait(LIMIT)

    tls = TlsOptions(ca_file=str(good.file.parent / "ca.pem"))
    with Listener(serve) as peer:
        url = f"ws{'s' * secure}://{peer.place}/"
        with pytest.raises(ConnectTimeout, match=peer.place.replace(".", r"\.")):
            connect(url, timeout=0.3, tls=tls)
        reached.clear()
        cancel = Cancel()
        canceller = threading.Thread(target=lambda: [reached.wait(LIMIT), cancel.cancel()])
        canceller.start()
        try:
            with pytest.raises(ConnectError, match="given up"):
                connect(url, timeout=None, tls=tls, cancel=cancel)
        finally:
            released.set()
            canceller.join()


def test_a_server_that_wants_a_clients_certificate(good: Certificate, ca: Certificate) -> None:
    context = server_context(good)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca.file)

    def serve(sock: socket.socket) -> None:
        copy = sock.dup()
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(sock, server_side=True)
        read_all(copy)  # or closing it would reset the connection, and the reason might be lost

    with Listener(serve) as peer, pytest.raises(TlsRefused, match="client's certificate"):
        connect(f"wss://{peer.place}/", tls=TlsOptions(ca_file=str(ca.file)), timeout=LIMIT)


@pytest.mark.parametrize("bad", [{"headers": {"X": "a\r\nb"}}, {"headers": {"Host": "a\r\nb"}}, {"origin": "a\nb"},
                                 {"subprotocol": "a\nb"}])
def test_nothing_can_be_smuggled_into_the_request(bad: dict[str, Any]) -> None:
    with pytest.raises(ConnectError, match="line end"):
        connect("ws://127.0.0.1:1/", **bad)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_no_descriptor_and_no_thread_is_left(way: str, good: Certificate, ca: Certificate,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    secure = prepare(way, monkeypatch) == "wss"

    def serve(sock: socket.socket) -> None:
        if next(turn):
            accept_websocket(sock, after=HELLO)
            read_all(sock)

    turn = iter([True, False] * 5)
    with Listener(serve, context=server_context(good) if secure else None) as peer:
        before = in_use(peer)
        for _ in range(5):
            connection = connect(f"ws{'s' * secure}://{peer.place}/", tls=TlsOptions(ca_file=str(ca.file)))
            connection.close()
            assert connection.join(LIMIT)
            with pytest.raises(ConnectError):
                connect(f"ws{'s' * secure}://{peer.place}/", tls=TlsOptions(ca_file=str(ca.file)))
        assert in_use(peer) == before


def in_use(peer: Listener) -> tuple[int, int]:
    """Descriptors and threads, without those of connections the peer has finished with."""
    peer.finish()
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def assert_(condition: object) -> None:
    assert condition
