"""The benchmark of the recorder: its client, and the whole with a few sessions for a moment."""

from __future__ import annotations

import asyncio
import os
import queue
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.benchmarks.options import RECORDER, parse
from freeswitch_audio_stream.benchmarks.recorder.client import Answers, frame

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", [0, 1, 125, 126, 4096, 65535, 65536, 70_000])
def test_frames_are_those_of_the_standard(size: int) -> None:
    pytest.importorskip("websockets")
    from websockets.frames import Frame
    from websockets.streams import StreamReader
    payload, reader = os.urandom(size), StreamReader()
    reader.feed_data(frame(payload))
    with pytest.raises(StopIteration) as parsed:
        next(Frame.parse(reader.read_exact, mask=True))
    found = parsed.value.value
    assert (found.opcode, found.data, found.fin) == (2, payload, True)


def of_server(payload: bytes, opcode: int = 1) -> bytes:
    size = len(payload)
    head = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + head + payload


@given(st.lists(st.tuples(st.sampled_from([1, 9, 10]), st.binary(max_size=200)), max_size=6), st.integers(1, 50))
def test_answers_in_any_pieces(said: list[tuple[int, bytes]], step: int) -> None:
    data, answers, count = b"".join(of_server(payload, opcode) for opcode, payload in said), Answers(), 0
    for at in range(0, len(data), step):
        count += answers.take(data[at:at + step])
    assert count == sum(opcode == 1 for opcode, _ in said)
    with pytest.raises(ConnectionError):
        answers.take(of_server(b"\x03\xe8", 8))


def test_the_bare_sink_answers_what_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn")
    from freeswitch_audio_stream.benchmarks.recorder.bare_sink import BareSink
    order: queue.Queue[str] = queue.Queue()
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        real(descriptor)
        order.put("synced")
    monkeypatch.setattr(os, "fdatasync", sync)

    async def main() -> None:
        sink, inbox = BareSink(str(tmp_path / "sink")), asyncio.Queue[dict[str, object]]()
        answered = asyncio.Event()

        async def send(message: dict[str, object]) -> None:
            order.put(str(message["type"]))
            if order.qsize() == 4:
                answered.set()
        for message in ({"type": "websocket.connect"}, {"type": "websocket.receive", "bytes": b"abcd"}):
            inbox.put_nowait(message)
        serving = asyncio.ensure_future(sink({}, inbox.get, send))
        await answered.wait()
        inbox.put_nowait({"type": "websocket.disconnect"})
        await serving
        sink.stop()
    asyncio.run(main())
    assert (tmp_path / "sink").read_bytes() == b"abcd"
    assert [order.get() for _ in range(4)] == ["websocket.accept", "websocket.send", "synced", "websocket.send"]


def test_options() -> None:
    options = parse([RECORDER, "--scale", "0.5", "--sync", "never"])
    assert (options.scale, options.sync, options.rounds, options.seconds) == (0.5, "never", 3, 20.0)


def test_the_whole_with_a_few_sessions() -> None:
    pytest.importorskip("fastapi_offline")
    from freeswitch_audio_stream.benchmarks.measures import recorder
    results = recorder.measure(0.02, 0.5, 1, "always", 0.2)
    assert {"48 kHz stereo, PCM", "telephone, 8 kHz, PCM", "recorder", "bare sink"} <= {
        each["work"] for each in results.rounds}
    assert all(each["answers"] > 0 and each["failed"] == [] for each in results.rounds)
    assert [str(table.title).split(" ")[0] for table in results.tables] == ["Live", "32", "Goals"]
