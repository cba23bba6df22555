"""The benchmark of streams over plain HTTP: its server, and the whole with a few streams for a moment."""

from __future__ import annotations

import http.client

import pytest

from freeswitch_audio_stream.benchmarks.measures.protocols.http_cost import HttpServer
from freeswitch_audio_stream.benchmarks.options import HTTP, parse
from freeswitch_audio_stream.benchmarks.program import run


def test_options() -> None:
    options = parse([HTTP])
    assert (options.streams, options.chunk_ms, options.rounds, options.works) == ((100,), 100, 3, ())


def test_the_server_answers_as_the_api_has_it() -> None:
    with HttpServer() as server:
        connection = http.client.HTTPConnection(server.url.split("/")[2], timeout=30)
        for method, path, expected in [("POST", "/session/create", b'"created"'), ("POST", "/stream/c", b'"streamed"'),
                                       ("GET", "/stream/c/response?timeout=1&received=0", b'"hasMore":false'),
                                       ("POST", "/session/c/end", b'"summary"')]:
            connection.request(method, "/api/voice" + path, b"{}" if method == "POST" else None)
            answer = connection.getresponse()
            assert answer.status == 200 and expected in answer.read()
        assert server.posts() == 1
        connection.close()


@pytest.mark.slow
def test_the_whole_with_a_few_streams(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([HTTP, "--embedded", "--streams", "2", "--seconds", "0.5", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert "HTTP: posts, and polls of 5 s" in said and "HTTP / WebSocket" in said
