"""What is refused: status, headers and a sentence in JSON, whatever a route raises; bodies only as long as allowed."""

from __future__ import annotations

import http.client

import orjson
import pytest

from tests.engine.harness import PATIENCE

from .program import FAILURES, MAX_BODY_BYTES, Program


def ask(program: Program, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], object]:
    connection = http.client.HTTPConnection(program.server.address, timeout=PATIENCE)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), orjson.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("how, status, text, header", [
    ("refused", 418, "short and stout", ("x-kind", "teapot")), ("full", 503, "no room", ("retry-after", "5")),
    ("other", 500, "something else", None),
])
def test_refusals(program: Program, how: str, status: int, text: str, header: tuple[str, str] | None) -> None:
    answer, headers, body = ask(program, "GET", f"/fail/{how}")
    assert (answer, body) == (status, {"detail": text})
    assert header is None or header in headers.items()


def test_a_defect_is_told_and_not_shown(program: Program) -> None:
    status, _, body = ask(program, "GET", "/fail/defect")
    assert (status, body) == (500, {"detail": "a defect of this server, which its log tells of"})
    assert program.faults == [FAILURES["defect"]]
    program.faults.clear()


@pytest.mark.parametrize("size, status", [(0, 200), (MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
def test_how_long_a_body_may_be(program: Program, size: int, status: int) -> None:
    answer, headers, body = ask(program, "POST", "/length", bytes(size))
    assert answer == status
    assert body == size if status == 200 else headers["connection"] == "close"


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_body_that_does_not_say_how_long_it_is(program: Program, chunks: int) -> None:
    """HTTP/1.1 has chunks (RFC 9112 section 7.1), whose sum nobody has promised."""
    with program.connect() as sock:
        sock.sendall(b"POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     + chunks * (b"8000\r\n" + bytes(0x8000) + b"\r\n") + b"0\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 " if chunks == 1 else b"HTTP/1.1 413 ")


def test_a_client_that_goes_before_its_body_was_there(program: Program) -> None:
    with program.connect() as sock:
        sock.sendall(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    assert program.get("/hello")[0] == 200  # and no fault was told, which the fixture checks
