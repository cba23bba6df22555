"""Text messages of audio that are alike: queued as if they had been read, and none that is not."""

from __future__ import annotations

import base64
import json
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Encoding, decode, encode
from freeswitch_audio_stream.realtime.alike_audio import MOST_KINDS
from freeswitch_audio_stream.testing.peers.raw_websocket import frame

from ..open_stream import OpenStream
from .test_incoming import CONTINUATION, PING, TEXT, Inbox, feed

Opening = Callable[..., OpenStream]
HEAD, TAIL = b'{"event":"media.play","payload":{"audioData":"', b'","sampleRate":8000}}'
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.one_of(st.binary(max_size=40).map(base64.b64encode),
                  st.text("AZaz09+/=-_ \"\\\n", max_size=12).map(str.encode))


def audio(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-32768, 32768, count).astype(np.int16)


def message(samples: np.ndarray[Any, Any], head: bytes = HEAD, tail: bytes = TAIL,
            encoding: Encoding = Encoding.L16) -> bytes:
    return head + base64.b64encode(encode(samples, encoding)) + tail


def queued(stream: OpenStream) -> int:
    return stream.path.statistics().queued


def waiting(stream: OpenStream) -> np.ndarray[Any, Any]:
    """The samples that wait to be heard."""
    count = queued(stream) - int(stream.field["play_read"])
    return np.frombuffer(stream.path._read_ring("play_ring", 2 * int(stream.field["play_read"]), 2 * count), np.int16)


def expecting(open_stream: Opening, encoding: Encoding = Encoding.L16, rate: int = 8000) -> OpenStream:
    stream = open_stream(rate=8000)
    stream.path.alike.expect(HEAD, TAIL, encoding, rate)
    return stream


def is_read(stream: OpenStream, body: bytes) -> bool:
    """Whether Python has to read a message."""
    before = stream.path.alike.taken
    feed(stream, frame(TEXT, body))
    read = list(Inbox(stream).messages())
    stream.path.settle_inbox()
    assert read == ([] if stream.path.alike.taken > before else [(TEXT, body)])
    return bool(read)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("count", [2, 3, 4, 160, 1600, 5000, 20000])
def test_audio_is_queued_and_heard(open_stream: Opening, encoding: Encoding, count: int) -> None:
    stream = expecting(open_stream, encoding)
    spoken = [audio(count, seed) for seed in range(2)]
    for samples in spoken:
        assert not is_read(stream, message(samples, encoding=encoding))
    assert (queued(stream), stream.path.alike.taken, stream.path.statistics().messages_received) == (2 * count, 2, 2)
    expected = np.concatenate([decode(encode(samples, encoding), encoding) for samples in spoken])
    np.testing.assert_array_equal(waiting(stream), expected)


@given(text=TEXTS)
@example(b"AAA=").via("an odd byte")
@example(b"AAAA").via("an odd byte behind a whole sample")
@example(b"AAF=")
@example(b"AA==")
@example(b"AAA")
@example(b"AAAAAAA=AAAA")
@with_fixtures
def test_what_is_taken_is_what_would_have_been_read(open_stream: Opening, text: bytes) -> None:
    """Against the parser of JSON and the decoder of base64, both of the standard library."""
    stream = expecting(open_stream)
    body = HEAD + text + TAIL
    if is_read(stream, body):
        assert queued(stream) == 0
        return
    spoken = base64.b64decode(json.loads(body)["payload"]["audioData"], validate=True)
    assert 0 < len(spoken) == 2 * queued(stream)
    np.testing.assert_array_equal(waiting(stream), np.frombuffer(spoken, "<i2"))


@pytest.mark.parametrize("body", [
    message(audio(8), tail=b'","sampleRate":16000}}'), message(audio(8), tail=TAIL + b" "),
    message(audio(8), head=b" " + HEAD), message(audio(8), head=HEAD.replace(b"play", b"plaY")),
    HEAD + TAIL, HEAD, TAIL, b"", HEAD[:-1] + TAIL[1:]])
def test_what_differs_is_read(open_stream: Opening, body: bytes) -> None:
    stream = expecting(open_stream)
    assert is_read(stream, body)
    assert queued(stream) == 0


def test_pieces_of_messages_are_read(open_stream: Opening) -> None:
    stream, body = expecting(open_stream), message(audio(8))
    for wire in (frame(TEXT, body[:20], False) + frame(CONTINUATION, body[20:]),
                 frame(TEXT, b"", False) + frame(CONTINUATION, body),
                 frame(TEXT, body, False) + frame(CONTINUATION, b"")):
        feed(stream, wire)
        assert list(Inbox(stream).messages()) == [(TEXT, body)]
        stream.path.settle_inbox()
    wire = frame(TEXT, body)
    for cut in range(1, len(wire)):
        feed(stream, wire[:cut])
        feed(stream, wire[cut:])
        # A cut in the header, or right behind it, leaves the message whole.
        assert list(Inbox(stream).messages()) == ([] if cut <= 2 else [(TEXT, body)])
        stream.path.settle_inbox()
    assert queued(stream) == 8 * stream.path.alike.taken > 0


def test_what_waits_is_not_overtaken(open_stream: Opening) -> None:
    stream, body, other = expecting(open_stream), message(audio(8)), b'{"event":"media.clear"}'
    feed(stream, frame(TEXT, body) + frame(TEXT, other) + frame(TEXT, body))
    assert (stream.path.alike.taken, queued(stream)) == (1, 8)
    inbox = Inbox(stream)
    assert list(inbox.messages()) == [(TEXT, other), (TEXT, body)]
    feed(stream, frame(TEXT, body))  # they have been taken, and may not have been obeyed yet
    assert list(inbox.messages()) == [(TEXT, body)]
    stream.path.settle_inbox()
    feed(stream, frame(PING, b"x") + frame(TEXT, body))
    assert list(inbox.messages()) == [(PING, b"x"), (TEXT, body)]
    stream.path.settle_inbox()
    assert not is_read(stream, body)


def test_nothing_is_taken_that_is_not_to_be_heard(open_stream: Opening) -> None:
    stream = expecting(open_stream)
    stream.path.discard_audio()
    assert is_read(stream, message(audio(8)))


def test_one_expectation_at_a_time(open_stream: Opening) -> None:
    stream = expecting(open_stream)
    others = [b'{"kind":%d,"audio":"' % kind for kind in range(MOST_KINDS)]
    for head in others[:-1]:
        stream.path.alike.expect(head, TAIL, Encoding.MULAW, 16000)
        assert is_read(stream, message(audio(8)))
        assert not is_read(stream, message(audio(8), head=head))
    stream.path.alike.expect(others[-1], TAIL, Encoding.L16, 8000)
    assert is_read(stream, message(audio(8), head=others[-1])), "there is no end of kinds"
    stream.path.alike.expect(HEAD, TAIL, Encoding.L16, 8000)
    assert not is_read(stream, message(audio(8)))
    stream.path.alike.forget()
    assert is_read(stream, message(audio(8)))


def test_a_queue_that_is_full(open_stream: Opening) -> None:
    stream = open_stream(rate=8000, playback_secs=1)
    stream.path.alike.expect(HEAD, TAIL, Encoding.L16, 8000)
    for _ in range(3):
        assert not is_read(stream, message(audio(4000)))
    assert queued(stream) == 8000
    assert stream.path.statistics().play_dropped == 4000
