"""Media and messages on their way to the server, read by a parser that shares nothing with ours."""

from __future__ import annotations

import json
import socket
import struct
import threading
from base64 import b64decode, b64encode
from typing import Callable

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Encoding, decode, encode
from freeswitch_audio_stream.protocols.messages import Running
from freeswitch_audio_stream.realtime.records import ATTEND_DRAINED, ATTEND_SOCKET_BROKEN, ATTEND_SOCKET_DETACHED
from freeswitch_audio_stream.testing.peers.websocket_end import WebSocketEnd, media

from ..open_stream import PATIENCE, TEMPLATES, OpenStream, template
from ..sound import Samples, noise

Opening = Callable[..., OpenStream]
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
EDGES = (1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537)


def speak(stream: OpenStream, samples: Samples, frame: int = 160) -> None:
    """The caller says something, at the wire's rate."""
    for start in range(0, len(samples), frame):
        stream.leg.read(samples[start:start + frame], stream.form.rate)


@pytest.mark.parametrize("encoding", Encoding)
def test_json_media(open_stream: Opening, encoding: Encoding) -> None:
    stream = open_stream(encoding=encoding)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    spoken = noise(160 * 50)
    speak(stream, spoken)
    heard = [media(message, encoding) for message in server.messages(50)]
    assert [fields["sequence"] for fields, _ in heard] == list(range(1, 51))
    assert all(set(fields) == {"event", "sequence", "payload"} for fields, _ in heard)
    expected = decode(encode(spoken, encoding), encoding)
    assert np.array_equal(np.concatenate([samples for _, samples in heard]), expected)
    stream.wait_until(lambda: stream.path.statistics().bytes_sent == len(server.received))
    counters = stream.path.statistics()
    assert (counters.messages_sent, counters.captured, counters.dropped, counters.waiting) == (50, 8000, 0, 0)


@pytest.mark.parametrize("base64", [True, False])
@pytest.mark.parametrize("encoding", Encoding)
def test_both_tracks(open_stream: Opening, encoding: Encoding, base64: bool) -> None:
    stream = open_stream(tracks="both", encoding=encoding, base64=base64)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    inbound, outbound = noise(1600, 1), noise(1600, 2)
    for start in range(0, 1600, 160):
        stream.leg.write(outbound[start:start + 160])
        stream.leg.read(inbound[start:start + 160], 8000)
    # What the caller hears is held back by one frame, so that a late writer leaves no hole.
    outbound = np.concatenate([np.zeros(160, np.int16), outbound[:-160]])
    if base64:
        heard = [media(message, encoding) for message in server.messages(20)]
        assert [fields["sequence"] for fields, _ in heard] == list(range(1, 21))
        assert [fields["track"] for fields, _ in heard] == ["inbound", "outbound"] * 10
        tracks = [np.concatenate([samples for _, samples in heard[side::2]]) for side in (0, 1)]
    else:
        frames = server.frames(10)
        assert {frame.opcode for frame in frames} == {BINARY}
        pairs = decode(b"".join(bytes(frame.data) for frame in frames), encoding)
        tracks = [pairs[0::2], pairs[1::2]]
    for track, spoken in zip(tracks, (inbound, outbound)):
        assert np.array_equal(track, decode(encode(spoken, encoding), encoding))


@pytest.mark.parametrize("encoding", Encoding)
def test_two_tracks_interleaved_under_one_template(open_stream: Opening, encoding: Encoding) -> None:
    stream = open_stream(tracks="stereo", encoding=encoding, templates=TEMPLATES["inbound"])
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    inbound = noise(1600)
    speak(stream, inbound)
    heard = [media(message, encoding) for message in server.messages(10)]
    assert [fields["sequence"] for fields, _ in heard] == list(range(1, 11))
    pairs = np.concatenate([samples for _, samples in heard])
    assert np.array_equal(pairs[0::2], decode(encode(inbound, encoding), encoding))
    assert np.array_equal(pairs[1::2], decode(encode(np.zeros(1600, np.int16), encoding), encoding))
    assert server.nothing_more() and stream.path.statistics().messages_sent == 10


@pytest.mark.parametrize("encoding, size", [(encoding, size) for encoding in (Encoding.L16, Encoding.MULAW)
                                            for size in EDGES if size % encoding.sample_bytes == 0])
def test_binary_payloads_of_every_length_field(open_stream: Opening, encoding: Encoding, size: int) -> None:
    stream = open_stream(rate=48000, encoding=encoding, base64=False, chunk_ms=1500)
    spoken = noise(size // encoding.sample_bytes)
    speak(stream, spoken, 4096)
    server = WebSocketEnd(stream.connect())
    stream.path.drain_media()
    (frame,) = server.frames(1)
    assert frame.opcode == BINARY and frame.data == encode(spoken, encoding)
    stream.wait_for(ATTEND_DRAINED)
    assert server.nothing_more()


@pytest.mark.parametrize("size", (0,) + EDGES + (1 << 20,))
def test_messages_of_every_length_field(open_stream: Opening, size: int) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect())
    body = noise(size, 3).astype(np.uint8).tobytes()[:size]
    if size == 1 << 20:
        assert not stream.path.send(BINARY, body), "more than the outbox holds"
        body = body[:-16]
    assert stream.path.send(BINARY, body)
    (frame,) = server.frames(1)
    assert frame.opcode == BINARY and frame.data == body and frame.fin


def test_masks_are_fresh(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect())
    for _ in range(2000):
        assert stream.path.send(TEXT, b"same")
    server.frames(2000)
    frames = np.frombuffer(server.received, np.uint8).reshape(2000, 10)
    assert len({frame[2:6].tobytes() for frame in frames}) > 1990
    assert len({frame[6:].tobytes() for frame in frames}) > 1990


def test_one_sequence_over_messages_and_media(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect())
    assert stream.path.send(TEXT, b'{"event":"start","sequence":', b"}")
    stream.path.open_media()
    for turn in range(100):
        speak(stream, noise(160))
        if turn % 3 == 0:
            assert stream.path.send(TEXT, b'{"sequence":', b',"event":"dtmf"}')
        if turn % 7 == 0:
            assert stream.path.send(PING, b"")
    frames = server.frames(1 + 100 + 34 + 15)
    texts = [json.loads(bytes(frame.data)) for frame in frames if frame.opcode == TEXT]
    assert [text["sequence"] for text in texts] == list(range(1, 136))
    assert texts[0]["event"] == "start"
    assert [frame.data for frame in frames if frame.opcode == PING] == [b""] * 15


@pytest.mark.parametrize("tracks", ["inbound", "both"])
@pytest.mark.parametrize("encoding", [Encoding.L16, Encoding.MULAW])
def test_media_without_numbers(open_stream: Opening, encoding: Encoding, tracks: str) -> None:
    templates = [template(head, Running.PAYLOAD, b'"}')
                 for head in (b'{"type":"audio","data":"', b'{"of":"the other","data":"')]
    stream = open_stream(tracks=tracks, encoding=encoding,
                         templates=templates if tracks == "both" else templates[:1])
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    spoken = noise(1600)
    speak(stream, spoken)
    messages = [json.loads(message) for message in server.messages(20 if tracks == "both" else 10)]
    ours = [message for message in messages if message.get("type") == "audio"]
    assert len(ours) == 10 and all(set(message) == {"type", "data"} for message in ours)
    heard = b"".join(b64decode(message["data"], validate=True) for message in ours)
    assert heard == encode(spoken, encoding)
    assert stream.path.send(TEXT, b"", b"!") and server.messages(1) == [b"1!"], "media counted after all"


FOREIGN = (b'{"seq":"', Running.SEQUENCE, b'","at":"', Running.TIMESTAMP, b'","chunk":', Running.CHUNK, b',"data":"',
           Running.PAYLOAD, b'","more":[]}')


@pytest.mark.parametrize("encoding", Encoding)
def test_running_fields_as_numbers_and_as_strings(open_stream: Opening, encoding: Encoding) -> None:
    stream = open_stream(encoding=encoding, templates=[template(*FOREIGN)])
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    spoken = noise(160 * 80)
    speak(stream, spoken)
    messages = [json.loads(message) for message in server.messages(80)]
    assert [message["seq"] for message in messages] == [str(number) for number in range(1, 81)]
    assert [message["chunk"] for message in messages] == list(range(1, 81))
    assert [message["at"] for message in messages] == [str(20 * number) for number in range(80)]
    assert all(list(message) == ["seq", "at", "chunk", "data", "more"] for message in messages)
    assert b"".join(b64decode(message["data"], validate=True) for message in messages) == encode(spoken, encoding)


def test_fields_in_any_order_and_number(open_stream: Opening) -> None:
    for parts in ([Running.PAYLOAD], [Running.PAYLOAD, b" ", Running.CHUNK],
                  [Running.TIMESTAMP, Running.PAYLOAD], [b"<", b"", b">", Running.PAYLOAD, b"!" * 70000]):
        stream = open_stream(templates=[template(*parts)])
        server = WebSocketEnd(stream.connect())
        stream.path.open_media()
        spoken = noise(160)
        speak(stream, spoken)
        values = {Running.PAYLOAD: b64encode(encode(spoken, Encoding.L16)), Running.CHUNK: b"1",
                  Running.TIMESTAMP: b"0"}
        expected = b"".join(part if isinstance(part, bytes) else values[part] for part in parts)
        assert server.messages(1) == [expected]


def test_chunks_are_counted_by_track_and_messages_over_all(open_stream: Opening) -> None:
    stream = open_stream(tracks="both", templates=[template(*FOREIGN), template(*FOREIGN)])
    server = WebSocketEnd(stream.connect())
    assert stream.path.send(TEXT, b'{"seq":"', b'"}')
    stream.path.open_media()
    speak(stream, noise(1600))
    messages = [json.loads(message) for message in server.messages(21)]
    assert [message["seq"] for message in messages] == [str(number) for number in range(1, 22)]
    assert [message["chunk"] for message in messages[1:]] == [number for number in range(1, 11) for _ in range(2)]
    assert [message["at"] for message in messages[1:]] == [str(20 * number) for number in range(10) for _ in range(2)]


def test_timestamps_go_on_over_what_was_not_captured(open_stream: Opening) -> None:
    stream = open_stream(templates=[template(*FOREIGN)])
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    speak(stream, noise(320))
    stream.path.pause(True)
    speak(stream, noise(1600))
    stream.path.pause(False)
    speak(stream, noise(320))
    at = [int(json.loads(message)["at"]) for message in server.messages(4)]
    assert at == [0, 20, 240, 260]


def test_messages_go_before_media(open_stream: Opening) -> None:
    stream = open_stream()
    speak(stream, noise(1600))
    for number in range(3):
        assert stream.path.send(TEXT, b'{"event":"message","sequence":', b"}")
    stream.path.open_media()
    server = WebSocketEnd(stream.connect())
    events = [json.loads(message)["event"] for message in server.messages(13)]
    assert events == ["message"] * 3 + ["media"] * 10


def test_without_a_tail_nothing_is_numbered(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect())
    for head, tail in ((b"plain", None), (b"<", b""), (b"", b">")):
        assert stream.path.send(TEXT, head, tail)
    assert server.messages(3) == [b"plain", b"<1", b"2>"]


def test_held_media_waits_and_then_flows(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect())
    spoken = noise(480)
    speak(stream, spoken)
    assert stream.path.send(TEXT, b"first")
    assert server.messages(1) == [b"first"] and server.nothing_more()
    stream.path.open_media()
    assert np.array_equal(np.concatenate([media(message)[1] for message in server.messages(3)]), spoken)
    stream.path.hold_media()
    speak(stream, spoken)
    assert stream.path.send(TEXT, b"last")
    assert server.messages(1) == [b"last"] and server.nothing_more()
    assert stream.path.statistics().waiting == 480


def test_a_chunk_is_sent_when_it_is_whole(open_stream: Opening) -> None:
    stream = open_stream(chunk_ms=50)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    spoken = noise(160 * 10)
    speak(stream, spoken)
    heard = [media(message)[1] for message in server.messages(4)]
    assert [len(samples) for samples in heard] == [400] * 4
    assert np.array_equal(np.concatenate(heard), spoken)


def test_drain_sends_the_part_of_a_chunk(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    spoken = noise(3 * 160 + 57)
    speak(stream, spoken, 57)
    assert len(server.messages(3)) == 3 and server.nothing_more()
    stream.path.drain_media()
    stream.wait_for(ATTEND_DRAINED)
    (message,) = server.messages(1)
    assert np.array_equal(media(message)[1], spoken[-57:])
    stream.path.send(TEXT, b"stop")
    assert server.messages(1) == [b"stop"]
    assert stream.attention() == 0


def test_drain_of_an_empty_ring(open_stream: Opening) -> None:
    stream = open_stream()
    stream.connect()
    stream.path.drain_media()
    stream.wait_for(ATTEND_DRAINED)


def stall(stream: OpenStream) -> None:
    """Have the socket full."""
    while not stream.field["waiting_write"]:
        if not stream.path.send(BINARY, bytes(3000)):
            stream.wait_until(lambda: bool(stream.field["waiting_write"]))


@pytest.mark.parametrize("read_size", [1, 97, 4096])
def test_short_writes(open_stream: Opening, read_size: int) -> None:
    stream = open_stream(tracks="both")
    connection = stream.connect(send_buffer=1)
    server = WebSocketEnd(connection)
    stream.path.open_media()
    bodies = [noise(size, size).tobytes() for size in (10, 3000, 70000 if read_size > 1 else 700, 1)]

    def write() -> None:
        for body in bodies:
            assert stream.path.send(BINARY, body)
            speak(stream, noise(320))
    writer = threading.Thread(target=write)
    writer.start()
    frames = server.frames(4 + 4 * 2 * 2, read_size)
    writer.join(PATIENCE)
    assert [frame.data for frame in frames if frame.opcode == BINARY] == bodies
    texts = [json.loads(bytes(frame.data)) for frame in frames if frame.opcode == TEXT]
    assert [text["sequence"] for text in texts] == list(range(1, 17))


def test_a_backlog_leaves_at_once_when_the_server_reads_again(open_stream: Opening) -> None:
    stream = open_stream(buffer_secs=40)
    server = WebSocketEnd(stream.connect(send_buffer=1))
    stream.path.open_media()
    stall(stream)
    spoken = noise(8000 * 20)
    speak(stream, spoken)
    assert stream.path.statistics().waiting > 8000 * 15
    heard: list[Samples] = []
    while sum(map(len, heard)) < len(spoken):
        (frame,) = server.frames(1)
        if frame.opcode == TEXT:
            fields, samples = media(bytes(frame.data))
            assert fields["sequence"] == len(heard) + 1
            heard.append(samples)
    assert np.array_equal(np.concatenate(heard), spoken)
    stream.wait_until(lambda: stream.path.statistics().waiting == 0 and not stream.field["waiting_write"])
    # No delay stays behind: what is said now is on the wire now.
    speak(stream, noise(160, 9))
    assert np.array_equal(media(server.messages(1)[0])[1], noise(160, 9))


def test_drained_means_taken_by_the_socket(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect(send_buffer=1))
    stream.path.open_media()
    stall(stream)
    speak(stream, noise(1600))
    stream.path.drain_media()
    assert stream.path.send(TEXT, b"behind")
    assert stream.attention() & ATTEND_DRAINED == 0
    while True:
        (frame,) = server.frames(1)
        if frame.data == b"behind":
            break
    stream.wait_for(ATTEND_DRAINED)
    rest = server.messages(10)
    assert [media(message)[0]["sequence"] for message in rest] == list(range(1, 11))


def test_a_full_outbox_is_said(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect(send_buffer=1))
    stall(stream)
    sent = 0
    while stream.path.send(TEXT, b"x" * 1000):
        sent += 1
    assert stream.path.unsent > (1 << 20) - 2048
    while server.frames(1)[0].opcode == BINARY:
        pass
    assert {bytes(frame.data) for frame in server.frames(sent - 1)} == {b"x" * 1000}
    stream.wait_until(lambda: stream.path.unsent == 0)
    assert stream.path.send(TEXT, b"again") and server.messages(1) == [b"again"]


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_a_server_that_goes_is_reported_once(open_stream: Opening, how: str) -> None:
    stream = open_stream()
    if how == "reset":
        connection = stream.connect_by_tcp()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        connection = stream.connect()
    stream.path.open_media()
    speak(stream, noise(160))
    WebSocketEnd(connection).frames(1)
    if how == "half":
        connection.shutdown(socket.SHUT_WR)
    else:
        connection.close()
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    assert (stream.path.socket_error != 0) == (how == "reset")
    speak(stream, noise(1600))
    stream.path.send(TEXT, b"into the void")
    stream.path.detach_socket()
    stream.wait_for(ATTEND_SOCKET_DETACHED)
    assert stream.attention() == 0


def test_a_server_that_goes_while_the_socket_is_full(open_stream: Opening) -> None:
    stream = open_stream()
    connection = stream.connect(send_buffer=1)
    stall(stream)
    connection.close()
    stream.wait_for(ATTEND_SOCKET_BROKEN)


def test_a_bad_descriptor_is_reported(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.attach_socket(10 ** 6)
    stream.wait_for(ATTEND_SOCKET_BROKEN)
    assert stream.path.socket_error == 9


def test_a_new_connection_begins_with_a_whole_frame(open_stream: Opening) -> None:
    stream = open_stream()
    stream.connect(send_buffer=1)
    stream.path.open_media()
    stall(stream)
    stream.disconnect()
    stream.path.discard_outbox()
    before = int(stream.field["sequence"])
    speak(stream, noise(160))
    server = WebSocketEnd(stream.connect())
    fields, samples = media(server.messages(1)[0])
    assert fields["sequence"] == before + 1 and np.array_equal(samples, noise(160))
    assert server.nothing_more()


def test_a_detached_socket_is_left_alone(open_stream: Opening) -> None:
    stream = open_stream()
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    stream.path.detach_socket()
    stream.wait_for(ATTEND_SOCKET_DETACHED)
    speak(stream, noise(1600))
    stream.path.send(TEXT, b"not now")
    assert server.nothing_more()
    server.connection.send(b"\x81\x00")
    assert stream.attention() == 0
    assert stream.ours.recv(10) == b"\x81\x00"
    assert stream.path.unsent > 0
