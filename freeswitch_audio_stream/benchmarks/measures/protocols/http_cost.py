"""``http``: what a stream over plain HTTP costs the switch, and the same audio as JSON over a WebSocket, by turns."""

from __future__ import annotations

from contextlib import contextmanager
from statistics import median
from typing import Iterator, Sequence

from ...child import Child
from ...errors import BenchError
from ...report import goals
from ...report.results import Results, Table
from ...report.statistics import compare
from ...switches.processes import CpuTime, cpu_time, mean
from ...work import FRAME_MS, OURS, Work
from ..trial import Bench, progress

GOAL = 2.0
_WORK = Work("json", True, 8000, 16000)  # listened to, as HTTP is, and nobody says anything
_SETTLE_SECONDS = 3.0
_END_SECONDS = 30.0
_START = "uuid_audio_stream {uuid} bench start {{chunk-ms={chunk}}}{url} inbound 16000 60 1"


class HttpServer:
    """The process of `receiver.http_receiver`, as a context manager."""

    def __init__(self) -> None:
        self._process = Child("freeswitch_audio_stream.benchmarks.receiver.http_receiver")
        self.url = f"http://127.0.0.1:{self._process.answer()}/api/voice"
        self.pid = self._process.pid

    def __enter__(self) -> HttpServer:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.close()

    def posts(self) -> int:
        """Return how many have come so far."""
        self._process.tell("")
        return int(self._process.answer())


def measure(bench: Bench, streams: int, chunk_ms: int, seconds: float, rounds: int) -> Results:
    """Both in each round, and the calls alone before and after each; a frame is one of 20 ms."""
    websocket: list[float] = []
    http: list[float] = []
    lost = 0
    with HttpServer() as server:
        for number in range(rounds):
            with bench.calls(streams, _WORK.call_rate) as calls:
                idle = _observe(bench, seconds)
                with _websockets(bench, calls, chunk_ms):
                    busy = _observe(bench, seconds)
                between = _observe(bench, seconds)
                websocket.append(_per_frame(busy, mean(idle, between), streams, seconds))
                with _http_streams(bench, calls, server, chunk_ms):
                    before = server.posts()
                    busy = _observe(bench, seconds)
                    lost = max(lost, round(streams * seconds * 1000 / chunk_ms) - (server.posts() - before))
                http.append(_per_frame(busy, mean(between, _observe(bench, seconds)), streams, seconds))
                progress(f"round {number + 1} of {rounds}: WebSocket {websocket[-1]:.1f} µs, HTTP {http[-1]:.1f} µs")
    return _report(bench, streams, chunk_ms, websocket, http, lost)


def _observe(bench: Bench, seconds: float) -> CpuTime:
    before = cpu_time(bench.switch.pid)
    bench.let_pass(seconds)
    return cpu_time(bench.switch.pid) - before


def _per_frame(busy: CpuTime, idle: CpuTime, streams: int, seconds: float) -> float:
    return 1e6 * (busy.total - idle.total) / (streams * seconds * 1000 / FRAME_MS)


@contextmanager
def _websockets(bench: Bench, calls: Sequence[str], chunk_ms: int) -> Iterator[None]:
    for number, call in enumerate(calls):
        bench.receiver.forget(number)
        line = OURS.start_command(call, bench.receiver.url(number), _WORK).replace(
            "{protocol=json}", f"{{protocol=json,chunk-ms={chunk_ms}}}")
        _started(bench.switch.command(line))
    messages = int(_SETTLE_SECONDS * 1000 / chunk_ms)
    if not bench.wait(lambda: bench.receiver.flowing(range(len(calls)), messages) == len(calls), _END_SECONDS):
        raise BenchError("not all streams over WebSocket send audio")
    yield
    bench.stop(calls, _WORK)
    bench.settle()


@contextmanager
def _http_streams(bench: Bench, calls: Sequence[str], server: HttpServer, chunk_ms: int) -> Iterator[None]:
    before = server.posts()
    for call in calls:
        _started(bench.switch.command(_START.format(uuid=call, chunk=chunk_ms, url=server.url)))
    wanted = len(calls) * _SETTLE_SECONDS * 1000 / chunk_ms
    if not bench.wait(lambda: server.posts() - before >= wanted, _END_SECONDS, 0.1):
        raise BenchError("not all streams over HTTP send audio")
    yield
    for call in calls:
        bench.switch.command(OURS.stop_command(call, _WORK))
    if not bench.wait(lambda: bench.switch.command("uuid_audio_stream list") == "[]", _END_SECONDS, 0.1):
        raise BenchError("streams over HTTP do not end after stop")
    bench.settle()


def _started(answer: str) -> None:
    if not answer.startswith("+OK"):
        raise BenchError(f"a stream does not start: {answer}")


def _report(bench: Bench, streams: int, chunk_ms: int, websocket: list[float], http: list[float],
            lost: int) -> Results:
    results = Results("http", [])
    table = Table(f"CPU per stream and frame of {FRAME_MS} ms, {streams} streams of 16000 Hz, chunks of {chunk_ms} ms, "
                  f"{bench.switch.name}, medians of {len(http)}", ("", "µs"))
    table.rows += [("JSON over a WebSocket", median(websocket)), ("HTTP: posts, and polls of 5 s", median(http))]
    table.notes.append(f"posts that came less than one for each chunk, at most in a round: {max(0, lost)}, which is "
                       "audio that went with the next one")
    results.tables += [table, goals.table([goals.Goal("HTTP / WebSocket", compare(http, websocket).ratio, GOAL)])]
    results.rounds += [{"websocket_us": one, "http_us": other} for one, other in zip(websocket, http)]
    return results
