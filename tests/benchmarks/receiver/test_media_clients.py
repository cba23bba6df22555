"""The receiver as a client of the media server in the embedded switch: every encapsulation, both ways, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from freeswitch_audio_stream.benchmarks.errors import BenchError
from freeswitch_audio_stream.benchmarks.measures import cost
from freeswitch_audio_stream.benchmarks.measures.trial import Bench
from freeswitch_audio_stream.benchmarks.receiver.media_clients import MeasuredMediaServer
from freeswitch_audio_stream.benchmarks.receiver.receiver import Receiver
from freeswitch_audio_stream.benchmarks.work import Work
from freeswitch_audio_stream.protocols import ENCAPSULATIONS
from freeswitch_audio_stream.threads import start_thread

from .test_receiver import until

pytestmark = pytest.mark.slow

for package in ("fastapi", "uvicorn", "h11", "jwt"):
    pytest.importorskip(package)

WORKS = [Work(form, way, 8000, 8000, attached=True) for form, way in
         (("rtp", True), ("sln", True), ("audiosocket", False))]


@pytest.mark.parametrize("form", ENCAPSULATIONS)
def test_a_client_hears_and_is_heard(bench: Bench, form: str) -> None:
    work = Work(form, True, 8000, 8000, attached=True)

    def statistics(call: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bench.switch.command(f"uuid_audio_stream {call} media-1 status"))
        return found

    with bench.calls(2, 8000) as calls:
        bench.reply(work)
        with bench.streams(calls, work):
            for call in calls:
                until(lambda: statistics(call)["msPlayed"] >= 100)
                found = statistics(call)
                assert found["errors"] == 0
                assert not any(count for name, count in found.items() if name.startswith("rtp"))
        assert bench.receiver.reply_faults == 0


@pytest.mark.slow
def test_cost(bench: Bench) -> None:
    table = cost.measure(bench, None, WORKS, (2,), 0.1, 1).tables[0]
    names = [row[0] for row in table.rows]
    assert names[:4] == ["bare bug 8000", *(f"ours {work.label}" for work in WORKS)]
    assert {f"floor: send(2) {work.message_bytes} bytes" for work in WORKS} <= set(names[4:])


def test_a_refusal_says_why(bench: Bench) -> None:
    with pytest.raises(BenchError, match="does not let a client attach: HTTP/1.1 404 .*no such call"):
        bench.start(["nobody"], WORKS[0])


def test_no_media_server_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeswitch_audio_stream.benchmarks.receiver.media_clients._START_SECONDS", 0.0)
    server = MeasuredMediaServer()
    with pytest.raises(BenchError, match=f"does not listen on 127.0.0.1:{server.port}: see whether"):
        server.wait()


def test_missing_packages_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"missing in .* \(fastapi, uvicorn, h11, jwt\): install fastapi"):
        MeasuredMediaServer(tmp_path)


# Beside a server that shares no code with it

@pytest.fixture
def peer() -> Iterator[tuple[Server, list[bytes | str]]]:
    came: list[bytes | str] = []

    def talk(connection: ServerConnection) -> None:
        for size in (0, 1, 125, 126, 320, 65535, 65536):
            connection.send(bytes(size))
        came.extend(connection.recv() for _ in range(7))
    with serve(talk, "127.0.0.1", 0, compression=None) as server:
        thread = start_thread("peer", server.serve_forever)
        yield server, came
        server.shutdown()
        thread.join()


def test_frames_of_a_server_are_counted_and_answered(receiver: Receiver, peer: tuple[Server, list[bytes | str]]
                                                     ) -> None:
    server, came = peer
    until(lambda: receiver.open_connections() == 0)
    receiver.forget(0)
    receiver.reply_to_each(WORKS[0].reply())
    assert receiver.attach(0, server.socket.getsockname()[1], "/") == ""
    until(lambda: len(came) == 7)  # masked as a server wants it, or it would have hung up
    assert [message[:8] for message in came] == [
        bytes((0x80, 0, 0, number, *(160 * number).to_bytes(4, "big"))) for number in range(7)]
    until(lambda: receiver.open_connections() == 0)  # its close was answered
    assert receiver.frames(0) == 7
    assert "Connection refused" in receiver.attach(0, 1, "/")
