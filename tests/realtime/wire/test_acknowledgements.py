"""Audio that stays in the ring until the server has acknowledged it, and is sent again from the byte that it misses."""

from __future__ import annotations

import json
import random
from typing import Any, Callable

import numpy as np
import pytest
from websockets.frames import Frame, Opcode

from freeswitch_audio_stream.realtime.records import ATTEND_DRAINED, ATTEND_INBOX
from freeswitch_audio_stream.testing.peers.websocket_end import WebSocketEnd

from ..open_stream import OpenStream
from ..sound import noise
from .test_outgoing import speak

Opening = Callable[..., OpenStream]
CHUNK = 320  # bytes


class Taker:
    """A server that takes bytes of audio, and acknowledges as many as the test says; all of its connections."""

    def __init__(self) -> None:
        self.taken = bytearray()
        self.chunks = 0

    def connect(self, stream: OpenStream, base: int = 0) -> None:
        self.end = WebSocketEnd(stream.connect())
        stream.path.open_media()
        stream.path.resume(len(self.taken), base)

    def take(self, count: int = 1) -> None:
        for message in self.end.messages(count):
            self.taken += message
            self.chunks += 1

    def acknowledge(self, size: int | None = None, **more: Any) -> None:
        self.say(message="Chunk processed successfully", session_id="s", chunk_count=self.chunks, status="active",
                 chunk_id=self.chunks, acked_bytes=len(self.taken) if size is None else size, **more)

    def say(self, **body: Any) -> None:
        self.send(json.dumps(body, separators=random.choice([(",", ":"), (", ", ": "), (",", " : ")])))

    def send(self, text: str) -> None:
        self.end.connection.sendall(Frame(Opcode.TEXT, text.encode()).serialize(mask=False))


def opened(open_stream: Opening, **form: Any) -> OpenStream:
    return open_stream(base64=False, keeps_unacknowledged=True, **form)


def test_nothing_is_sent_before_it_is_known_what_the_server_has(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = Taker()
    server.end = WebSocketEnd(stream.connect())
    stream.path.drain_media()
    speak(stream, noise(480))
    stream.path.send(1, b"first")
    assert server.end.messages(1) == [b"first"]
    assert stream.path.statistics().messages_sent == 1 and not stream.attention() & ATTEND_DRAINED
    stream.path.resume(0, 0)
    server.take(3)
    assert bytes(server.taken) == noise(480).tobytes()
    stream.wait_for(ATTEND_DRAINED)


def test_what_is_acknowledged_leaves_the_ring_without_python(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = Taker()
    server.connect(stream)
    speak(stream, noise(1600))
    server.take(10)
    counters = stream.path.statistics()
    assert (counters.waiting, counters.unacknowledged) == (1600, 1600)
    for size in (CHUNK, 3 * CHUNK, 3 * CHUNK + 1, 2 * CHUNK):  # half a sample does not count, and none comes back
        server.acknowledge(size)
    stream.wait_until(lambda: stream.path.statistics().messages_received == 4)
    counters = stream.path.statistics()
    assert (counters.waiting, counters.unacknowledged) == (1120, 1120)
    server.acknowledge(1 << 40)
    stream.wait_until(lambda: stream.path.statistics().waiting == 0)
    assert not stream.attention() & ATTEND_INBOX and list(stream.path.take_inbox()) == []
    speak(stream, noise(160))
    server.take()
    assert stream.path.statistics().unacknowledged == 160


@pytest.mark.parametrize("more", [{"error": "the disk is full"}, {"degraded": "late"}])
def test_other_texts_come_whole(open_stream: Opening, more: dict[str, str]) -> None:
    stream = opened(open_stream)
    server = Taker()
    server.connect(stream)
    speak(stream, noise(160))
    server.take()
    server.acknowledge(**more)
    server.say(message="Session closed", acked_bytes=CHUNK)
    server.say(chunk_id=1, acked_bytes=-1)
    server.send("x" * 40_000)
    pieces = []
    while len(pieces) < 4:
        stream.wait_for(ATTEND_INBOX)
        pieces += list(stream.path.take_inbox())
    assert all(piece.is_last for piece in pieces)
    assert [json.loads(piece.data)["acked_bytes"] for piece in pieces[:3]] == [CHUNK, CHUNK, -1]
    assert pieces[3].data == b"x" * 16384, "more than any answer has"
    assert stream.path.statistics().unacknowledged == (160 if "error" in more else 0)


def test_a_text_may_come_byte_by_byte(open_stream: Opening) -> None:
    stream = opened(open_stream)
    server = Taker()
    server.connect(stream)
    speak(stream, noise(160))
    server.take()
    text = b'{"chunk_id":1,"acked_bytes":320}'
    for octet in bytes((0x81, len(text))) + text:
        server.end.connection.sendall(bytes((octet,)))
    stream.wait_until(lambda: stream.path.statistics().waiting == 0)


@pytest.mark.parametrize("tracks", ["inbound", "both"])
def test_connections_end_at_any_byte(open_stream: Opening, tracks: str) -> None:
    """Nothing is lost, and nothing comes twice, whatever the server has got of what was sent."""
    chance = random.Random(tracks)
    stream = opened(open_stream, tracks=tracks)
    server = Taker()
    spoken = bytearray()
    base = 1001
    server.taken += bytes(base)
    for part in range(12):
        server.connect(stream, base)
        samples = noise(chance.randrange(1, 9) * 160, part)
        if tracks == "both":
            spoken += np.column_stack((samples, samples)).tobytes()
            for start in range(0, len(samples), 160):
                stream.leg.write(samples[start:start + 160])
                stream.leg.read(samples[start:start + 160], 8000)
        else:
            spoken += samples.tobytes()
            speak(stream, samples)
        while base + len(spoken) - len(server.taken) >= 2 + CHUNK * stream.form.channels:
            server.take()
        server.acknowledge(chance.randrange(base, len(server.taken) + 1))
        stream.wait_until(lambda: stream.path.statistics().messages_received == part + 1)
        kept = base + 2 * stream.form.channels * stream.path.kept[0]
        stream.disconnect()
        del server.taken[chance.randrange(kept, len(server.taken) + 1):]
    server.connect(stream, base)
    stream.path.drain_media()
    while len(server.taken) < base + len(spoken):
        server.take()
    heard = bytes(server.taken[base:])
    assert len(heard) == len(spoken)
    assert heard == bytes(spoken) if tracks == "inbound" else heard[::4] == bytes(spoken)[::4]


def test_a_full_ring_keeps_what_was_sent(open_stream: Opening) -> None:
    stream = opened(open_stream, buffer_secs=1)
    server = Taker()
    server.connect(stream)
    speak(stream, noise(8000, 1))
    server.take(50)
    speak(stream, noise(800, 2))
    counters = stream.path.statistics()
    assert (counters.dropped, counters.waiting) == (800, 8000)
    stream.disconnect()
    server.taken.clear()
    server.connect(stream)
    server.take(50)
    assert bytes(server.taken) == noise(8000, 1).tobytes()


@pytest.mark.parametrize("silent", [False, True])
def test_a_pause_leaves_a_gap_or_silence(open_stream: Opening, silent: bool) -> None:
    stream = opened(open_stream, tracks="both", silent_pause=silent)
    server = Taker()
    server.connect(stream)

    def call(seed: int) -> None:
        stream.leg.write(noise(160, seed))
        stream.leg.read(noise(160, seed), 8000)
    for seed in range(4):
        call(seed)
    stream.path.pause(True)
    assert stream.path.paused
    call(4)
    call(5)
    stream.path.pause(False)
    call(6)
    server.take(7 if silent else 5)
    inbound, outbound = np.frombuffer(bytes(server.taken), np.int16).reshape(-1, 2).T
    silence = np.zeros(320 if silent else 0, np.int16)
    assert np.array_equal(inbound, np.concatenate([*(noise(160, seed) for seed in range(4)), silence, noise(160, 6)]))
    paused = outbound[640:640 + len(silence)]
    assert not paused.any() and outbound[160:640].all()
