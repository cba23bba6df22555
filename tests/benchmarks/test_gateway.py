"""The benchmark of the HTTP gateway: its load, and the whole with a few callers for a moment."""

from __future__ import annotations

import asyncio
import base64
import shutil

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.benchmarks.gateway.callers import Figures, LiveCaller
from freeswitch_audio_stream.benchmarks.gateway.connection import Connection
from freeswitch_audio_stream.benchmarks.gateway.requests import Chunks, request
from freeswitch_audio_stream.benchmarks.options import GATEWAY, parse

CHUNKS = Chunks(20)


def audio_of(first: int, count: int) -> bytes:
    return base64.b64decode(orjson.loads(CHUNKS.body(first, count))["audio"])


def polled(audio: bytes) -> bytes:
    return orjson.dumps({"audio": base64.b64encode(audio).decode(), "transcript": "", "hasMore": False})


def caller_of(due: int) -> LiveCaller:
    caller = LiveCaller("x", "", CHUNKS, Figures())
    caller._due += [0.0] * due
    return caller


@given(st.integers(0, 1000), st.integers(1, 5))
def test_chunks_are_known_again(first: int, count: int) -> None:
    audio = audio_of(first, count)
    assert len(audio) == count * 640
    assert list(CHUNKS.numbers(audio)) == list(range(first, first + count))
    assert list(CHUNKS.numbers(audio[2:])) == [-1] * count


def test_what_is_heard_late_twice_damaged_or_never_said_is_misplaced() -> None:
    caller = caller_of(4)
    for audio, heard, misplaced in ((audio_of(0, 2), 2, 0), (audio_of(1, 1), 3, 1), (audio_of(3, 1), 4, 2),
                                    (bytes(640), 5, 3), (audio_of(2, 2), 7, 3), (audio_of(4, 1), 8, 4)):
        assert caller._take(200, polled(audio))
        assert (caller.figures.heard, caller.figures.misplaced) == (heard, misplaced)
    assert len(caller.figures.answers) == 4


def test_refusals_are_counted_with_their_text() -> None:
    caller = caller_of(0)
    assert not caller._take(404, b"gone") and caller.figures.refused == {"404 gone": 1}


@given(st.binary(max_size=50), st.integers(1, 40))
def test_answers_in_any_pieces(body: bytes, size: int) -> None:
    answers: list[tuple[int, bytes]] = []
    connection = Connection()
    connection._on_answer = lambda status, said: answers.append((status, said))
    text = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for begin in range(0, len(text), size):
        assert answers == []
        connection.data_received(text[begin:begin + size])
    assert answers == [(404, body)]


def test_a_lost_connection_is_an_answer_that_says_so() -> None:
    answers: list[tuple[int, bytes]] = []
    connection = Connection()
    connection._on_answer = lambda status, said: answers.append((status, said))
    connection.connection_lost(None)
    connection.connection_lost(None)
    assert answers == [(0, b"the server has closed the connection")]


def test_requests_are_http() -> None:
    h11 = pytest.importorskip("h11")
    server = h11.Connection(h11.SERVER)
    server.receive_data(request("POST", "/x", b"{}", "secret"))
    head = server.next_event()
    assert head.method == b"POST" and dict(head.headers)[b"authorization"] == b"Bearer secret"
    assert server.next_event().data == b"{}" and type(server.next_event()) is h11.EndOfMessage


def test_the_bare_handler_answers_as_many_bytes() -> None:
    pytest.importorskip("uvicorn")
    from freeswitch_audio_stream.benchmarks.gateway.bare_server import BareHandler
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)
    asyncio.run(BareHandler(20)({"method": "GET"}, receive, send))
    body = sent[1]["body"]
    assert isinstance(body, bytes) and len(base64.b64decode(orjson.loads(body)["audio"])) == 640


def test_options() -> None:
    options = parse([GATEWAY])
    assert (options.streams, options.chunk_ms, options.rounds, options.works) == ((300,), 100, 3, ())
    assert parse([GATEWAY, "--chunk-ms", "20", "--streams", "5"]).chunk_ms == 20


def test_a_chunk_that_the_api_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([GATEWAY, "--chunk-ms", "10"])
    assert "'10' is not a number of ms from 20 to 100" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_with_a_few_callers() -> None:
    pytest.importorskip("fastapi_offline")
    from freeswitch_audio_stream.benchmarks.measures import gateway
    results = gateway.measure(3, 20, 0.5, 1, 0.2)
    live, ours, bare = results.rounds
    assert [each["work"] for each in results.rounds] == ["live", gateway.OURS, gateway.BARE]
    assert live["heard"] > 0 and live["misplaced"] == 0 and live["refused"] == {}
    assert ours["misplaced"] == 0 and ours["requests"] > 0 < bare["requests"]
    assert [str(table.title).split(" ")[0] for table in results.tables] == ["3", "32", "Goals"]


@pytest.mark.slow
def test_the_whole_with_sessions_in_redis() -> None:
    pytest.importorskip("fastapi_offline")
    pytest.importorskip("redis")
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server here: apt-get install redis-server")
    from freeswitch_audio_stream.benchmarks.measures import gateway
    results = gateway.measure(3, 20, 0.5, 1, 0.2, with_redis=True)
    assert [each["work"] for each in results.rounds] == ["live", "live with Redis", gateway.OURS, gateway.SHARED,
                                                         gateway.BARE]
    for each in results.rounds:
        assert each["misplaced"] == 0 and each["refused"] == {} and each["heard"] > 0 or each["work"] == gateway.BARE
        assert (each["redis_cpu"] > 0) == ("Redis" in each["work"])
