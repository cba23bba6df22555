"""A web server with an application of its own: start, refusals to start, TLS, deadlines, limits, and its end."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from freeswitch_audio_stream.errors import SettingError
from freeswitch_audio_stream.web.certificate import Certificate
from freeswitch_audio_stream.web.connection_limits import ConnectionLimits
from freeswitch_audio_stream.web.http_protocol import HttpProtocol
from freeswitch_audio_stream.web.listen_address import ListenAddress
from tests.engine.harness import PATIENCE, until
from tests.transports.certificates import make

from .program import Program


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_from_start_to_stop() -> None:
    program = Program()
    assert "audio-stream-test-server" not in names()
    program.server.start()
    assert program.server.scheme == "http" and not program.server.address.endswith(":0")
    assert program.get("/hello") == (200, b'"hello"') and program.get("/nothing")[0] == 404
    assert "audio-stream-test-server" in names()
    assert program.server.stop(PATIENCE) and "audio-stream-test-server" not in names()
    with pytest.raises(OSError):
        program.connect()
    assert program.told == [] and program.faults == []


def test_no_answer_waits_for_an_acknowledgement(program: Program) -> None:
    """Nagle's algorithm would hold back the body, which is written after the head (RFC 896, RFC 1122 4.2.3.4)."""
    with program.connect() as client:
        client.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        (connection,) = program.server._uvicorn.server_state.connections
        assert isinstance(connection, HttpProtocol)
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_what_was_never_started_can_be_stopped() -> None:
    assert Program().server.stop(PATIENCE)


def test_a_request_that_is_under_way_is_answered_before_the_end(program: Program) -> None:
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(program.get("/slow")))
    client.start()
    assert program.begun.wait(PATIENCE)
    program.server.close()
    program.go_on.set()
    client.join()
    assert answers == [(200, b'"done"')]


def test_a_stop_that_takes_too_long_is_told(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    real = program.server._uvicorn.listener.close

    def close() -> None:
        assert go_on.wait(PATIENCE)
        real()
    monkeypatch.setattr(program.server._uvicorn.listener, "close", close)
    assert not program.server.stop(0.05)
    go_on.set()


def test_a_request_for_a_websocket_is_one_like_any_other(program: Program) -> None:
    assert program.get("/hello", Connection="Upgrade", Upgrade="websocket")[0] == 200


def test_tls(tmp_path: Path) -> None:
    certificate = make(tmp_path, "server")
    program = Program(tls=Certificate(str(certificate.file)))
    program.server.start()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(program.connect()) as sock:
        sock.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert program.server.scheme == "https" and sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert program.server.stop(PATIENCE) and program.faults == []


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingError, match=f"the test server cannot listen on 127.0.0.1:{port}: .*; look for room"):
            Program(listen=ListenAddress("127.0.0.1", port, "look for room"))
    with pytest.raises(SettingError, match="the test server cannot use .*the-file /nowhere, key-file not set"):
        Program(tls=Certificate("/nowhere", cert_setting="the-file"))


def test_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError("for the test")
    monkeypatch.setattr("uvicorn.Server.serve", fail)
    program = Program()
    with pytest.raises(SettingError, match="the test server on .* has not started"):
        program.server.start()
    assert program.server.stop(PATIENCE)
    assert [type(fault) for fault in program.faults] == [ZeroDivisionError]


def test_one_connection_too_many() -> None:
    program = Program(limits=ConnectionLimits(1, 1))
    program.server.start()
    with program.connect():
        until(lambda: len(program.server.connections) == 1)
        status, body = program.get("/hello")
    assert status == 503 and b"too many connections" in body
    assert "the test server refuses connections" in program.told[0]
    assert program.server.stop(PATIENCE)
