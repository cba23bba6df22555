"""What goes to the server: the metadata as they are, then bare audio in exact chunks, and nothing unasked."""

from __future__ import annotations

import base64
import threading
from typing import Sequence

import numpy as np
import orjson
import pytest

from freeswitch_audio_stream.audio import RATES, Samples
from freeswitch_audio_stream.simulator import CodecSpec
from freeswitch_audio_stream.testing.peers.listener import Listener, read_head
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Server

from ..harness import PATIENCE, audible, find, noise, until
from .user import User

SPEECH = noise(8000, seed=1)
PROMPT = noise(8000, seed=2)
CHANNELS = {"mono": 1, "mixed": 1, "stereo": 2}
METADATA = ['{"a": 1, "b": "two words"}', "any words at all", "{ not JSON", "ü 😀", '"quoted"', "8k", "[]"]


def wait_for_audio(peer: Peer, part: Samples, channels: int = 1, channel: int = 0) -> None:
    """Wait until the server has heard `part`, exact to the last bit."""
    def heard(peer: Peer) -> bool:
        audio = peer.audio(channels)
        track = np.ascontiguousarray(audio[:, channel]) if channels > 1 else audio
        return len(track) >= len(part) and find(track, part) >= 0
    peer.wait_for(heard)


# The first message.

@pytest.mark.parametrize("metadata", METADATA)
def test_the_metadata_come_first_and_verbatim(user: User, server: Server, metadata: str) -> None:
    call = user.call(speech=SPEECH)
    peer = user.connect(server, call, f"mono 8k {metadata}")
    peer.wait_for(lambda peer: len(peer.messages) >= 10)
    assert peer.messages[0] == metadata
    assert all(isinstance(message, bytes) for message in peer.messages[1:])


def test_javascript_that_escapes_apostrophes(user: User, server: Server) -> None:
    """``JSON.stringify(m).replace(/'/g, "\\\\'")``, as clients of the community module have it."""
    metadata = {"name": "O'Hara", "note": "it's"}
    given = orjson.dumps(metadata).decode().replace("'", r"\'")
    call = user.call()
    peer = user.connect(server, call, f"mono 8k {given}")
    user.tell(call, f"send_text {given}")
    user.tell(call, f"stop '{given}'")
    assert peer.closed() == 1000
    assert [orjson.loads(text) for text in peer.texts] == [metadata] * 3


def test_quotes_around_the_whole_metadata_are_taken_off(user: User, server: Server) -> None:
    peer = user.connect(server, user.call(), """mono 8k '{"a": "b c"}'""")
    peer.wait_for(lambda peer: peer.messages)
    assert peer.messages[0] == '{"a": "b c"}'


def test_without_metadata_nothing_but_audio_goes_out(user: User, server: Server) -> None:
    call = user.call()
    peer = user.connect(server, call)
    call.say(SPEECH)
    wait_for_audio(peer, SPEECH)
    call.dtmf("5")
    user.event("dtmf", call)
    user.tell(call, "stop")
    assert peer.closed() == 1000
    assert peer.texts == []


def test_long_metadata_are_compressed_and_come_out_whole(user: User, server: Server) -> None:
    metadata = orjson.dumps({"words": ["the same ones again"] * 500}).decode()
    peer = user.connect(server, user.call(), f"mono 8k {metadata}")
    peer.wait_for(lambda peer: peer.messages)
    assert peer.messages[0] == metadata


# Which audio.

def test_mono_is_the_caller(user: User, server: Server) -> None:
    call = user.call(app="playback")
    peer = user.connect(server, call)
    call.play(PROMPT)
    call.say(SPEECH)
    wait_for_audio(peer, SPEECH)


def test_mixed_is_the_sum(user: User, server: Server) -> None:
    call = user.call(app="playback")
    call.play(np.full(160000, 1000, np.int16))
    until(lambda: 1000 in call.heard())
    peer = user.connect(server, call, "mixed")
    peer.wait_for(lambda peer: 1000 in peer.audio()[-160:])
    call.say(SPEECH)
    wait_for_audio(peer, SPEECH + np.int16(1000))


@pytest.mark.parametrize("level", [30000, -30000])
def test_a_sum_too_loud_is_clipped(user: User, server: Server, level: int) -> None:
    call = user.call(app="playback")
    call.play(np.full(160000, level, np.int16))
    until(lambda: level in call.heard())
    peer = user.connect(server, call, "mixed")
    peer.wait_for(lambda peer: level in peer.audio()[-160:])
    call.say(SPEECH)
    wait_for_audio(peer, np.clip(SPEECH.astype(np.int32) + level, -32768, 32767).astype(np.int16))


def test_stereo_has_the_caller_left_and_the_callee_right(user: User, server: Server) -> None:
    call = user.call(app="playback")
    peer = user.connect(server, call, "stereo")
    call.say(SPEECH)
    call.play(PROMPT)
    wait_for_audio(peer, SPEECH, 2, 0)
    wait_for_audio(peer, PROMPT, 2, 1)


@pytest.mark.parametrize("mix", CHANNELS)
def test_a_call_of_one_leg_sends_without_a_gap(user: User, server: Server, mix: str) -> None:
    """Nobody writes to a parked call, and still every sample that the caller says is sent."""
    call = user.call(app="park", speech=noise(40000))
    peer = user.connect(server, call, mix)
    peer.wait_for_bytes(2 * CHANNELS[mix] * 20000)
    user.tell(call, "stop")
    assert peer.closed() == 1000
    audio = peer.audio(CHANNELS[mix])
    caller = np.ascontiguousarray(audio[:, 0]) if mix == "stereo" else audio
    assert find(call.spoken(), caller) >= 0
    assert mix != "stereo" or not audio[:, 1].any()


@pytest.mark.parametrize("rate", [*map(str, RATES), "8k", "16k", "48k", ""])
@pytest.mark.parametrize("mix", ["mixed", "stereo"])
def test_any_rate(user: User, server: Server, mix: str, rate: str) -> None:
    hertz = int(rate.replace("k", "000")) if rate else 8000
    call = user.call(speech=tone(400000))
    peer = user.connect(server, call, f"{mix} {rate}")
    peer.wait_for_bytes(2 * CHANNELS[mix] * hertz)
    assert {len(chunk) for chunk in peer.chunks} == {2 * CHANNELS[mix] * hertz // 50}
    audio = peer.audio(CHANNELS[mix])
    left = audio[:, 0] if mix == "stereo" else audio
    spectrum = np.abs(np.fft.rfft(left[:hertz].astype(float)))
    assert np.argmax(spectrum) * hertz / len(left[:hertz]) == pytest.approx(440, abs=3)


def tone(samples: int) -> Samples:
    """440 Hz at 8 kHz."""
    return np.rint(8000 * np.sin(2 * np.pi * 440 * np.arange(samples) / 8000)).astype(np.int16)


# Chunks.

@pytest.mark.parametrize("mix", CHANNELS)
@pytest.mark.parametrize("chunk_ms", [10, 20, 100])
@pytest.mark.parametrize("ptime_ms", [20, 30, *(pytest.param(ms, marks=pytest.mark.slow) for ms in (10, 40, 60))])
def test_chunks_are_exact_at_any_ptime(user: User, server: Server, ptime_ms: int, chunk_ms: int, mix: str) -> None:
    call = user.call(codec=CodecSpec("L16", 8000, ptime_ms), app="playback", STREAM_BUFFER_SIZE=str(chunk_ms))
    peer = user.connect(server, call, mix)
    call.say(SPEECH)
    peer.wait_for(lambda peer: len(audible(left(peer, mix))) >= len(SPEECH))
    assert {len(chunk) for chunk in peer.chunks} == {16 * CHANNELS[mix] * chunk_ms}
    assert np.array_equal(audible(left(peer, mix)), SPEECH)


def left(peer: Peer, mix: str) -> Samples:
    audio = peer.audio(CHANNELS[mix])
    return audio[:, 0] if mix == "stereo" else audio


@pytest.mark.parametrize("chunk_ms", [30, 250, 1000])
def test_any_multiple_of_ten_will_do(user: User, server: Server, chunk_ms: int) -> None:
    call = user.call(STREAM_BUFFER_SIZE=str(chunk_ms))
    peer = user.connect(server, call)
    call.say(np.concatenate([SPEECH, np.zeros(8000, np.int16)]))
    wait_for_audio(peer, SPEECH)
    assert {len(chunk) for chunk in peer.chunks} == {16 * chunk_ms}


@pytest.mark.parametrize("size", ["25", "0", "5", "1015", "-20", "many"])
def test_a_size_that_cannot_be_is_20_ms_and_a_warning(user: User, server: Server, size: str) -> None:
    call = user.call(speech=SPEECH, STREAM_BUFFER_SIZE=size)
    peer = user.connect(server, call)
    peer.wait_for_bytes(16000)
    assert {len(chunk) for chunk in peer.chunks} == {320}
    until(lambda: any("STREAM_BUFFER_SIZE" in line.text or size in line.text
                      for line in user.platform.switch.log_lines) or size in _warned)
    _warned.add(size)


@pytest.mark.parametrize("size, chunk_ms", [("60ms", 60), ("1010", 1000), ("5000", 1000)])
def test_a_size_with_a_unit_and_one_that_is_too_large(user: User, server: Server, size: str, chunk_ms: int) -> None:
    peer = user.connect(server, user.call(speech=noise(80000), STREAM_BUFFER_SIZE=size))
    peer.wait_for_bytes(48000)
    assert {len(chunk) for chunk in peer.chunks} == {16 * chunk_ms}


_warned: set[str] = set()
"""A warning is given once in the life of the module."""


def test_the_rest_of_a_chunk_is_sent_at_the_end(user: User, server: Server) -> None:
    call = user.call(speech=noise(80000), STREAM_BUFFER_SIZE="1000", speed=5)
    peer = user.connect(server, call)
    peer.wait_for_bytes(16000)
    until(lambda: user.status(call)["captureQueueMs"] > 0)
    user.tell(call, "stop the end")
    assert peer.closed() == 1000
    assert peer.messages[-1] == "the end"
    *whole, last = peer.chunks
    assert {len(chunk) for chunk in whole} == {16000} and 0 < len(last) <= 16000
    assert find(call.spoken(), peer.audio()) >= 0


# In base64.

@pytest.mark.parametrize("mix", CHANNELS)
def test_audio_in_base64(user: User, server: Server, mix: str) -> None:
    call = user.call(app="playback", STREAM_FORMAT="base64", STREAM_BUFFER_SIZE="100")
    peer = user.connect(server, call, f"{mix} 8k the metadata")
    call.say(SPEECH)
    peer.wait_for(lambda peer: len(audible(_left(_decoded(peer.texts[1:]), mix))) >= len(SPEECH))
    assert peer.messages[0] == "the metadata"
    assert np.array_equal(audible(_left(_decoded(peer.texts[1:]), mix)), SPEECH)
    user.tell(call, "stop goodbye")
    assert peer.closed() == 1000
    assert peer.chunks == [] and peer.texts[-1] == "goodbye"
    for message in peer.texts[1:-1]:
        assert orjson.loads(message).keys() == {"type", "data"}
        assert message.startswith('{"type":"audio","data":"')


def _decoded(messages: Sequence[str]) -> Samples:
    parts = [base64.b64decode(orjson.loads(message)["data"], validate=True) for message in messages]
    assert all(len(part) % 1600 == 0 for part in parts)
    return np.frombuffer(b"".join(parts), "<i2")


def _left(samples: Samples, mix: str) -> Samples:
    return samples.reshape(-1, 2)[:, 0] if mix == "stereo" else samples


# Commands while it runs.

@pytest.mark.parametrize("text", METADATA)
def test_text_goes_out_verbatim(user: User, server: Server, text: str) -> None:
    call = user.call()
    peer = user.connect(server, call)
    user.tell(call, f"send_text {text}")
    user.tell(call, "send_text second")
    user.tell(call, f"stop {text}")
    assert peer.closed() == 1000
    assert peer.texts == [text, "second", text]


def test_text_straight_after_the_start_comes_behind_the_metadata(user: User) -> None:
    told = threading.Event()
    with Server(process_request=lambda *_: told.wait(PATIENCE) and None) as server:
        call = user.call(speech=SPEECH)
        user.start(call, server.url, "mono 8k hello")
        for text in ("one", "two"):
            user.tell(call, f"send_text {text}")
        told.set()
        peer = server.wait_for_peer()
        peer.wait_for(lambda peer: peer.chunks)
        assert peer.messages[:3] == ["hello", "one", "two"]
        user.tell(call, "stop bye")
        assert peer.closed() == 1000 and peer.texts == ["hello", "one", "two", "bye"]


def test_text_that_waits_for_a_server_that_is_not_there_is_an_error(user: User) -> None:
    call = user.call()
    waiting = threading.Event()
    with Listener(lambda connection: (read_head(connection), waiting.wait(PATIENCE))[0] and None) as listener:
        user.start(call, f"ws://{listener.place}/")
        user.tell(call, "send_text one")
        waiting.set()
        assert "1 text that waited" in user.event("error", call, 2)["message"]["error"]
    user.ended(call)
    assert user.names(call) == ["error", "error"]


def test_a_stop_before_the_connection_is_made_takes_its_texts_along(user: User) -> None:
    call = user.call()
    waiting = threading.Event()
    with Listener(lambda connection: (read_head(connection), waiting.wait(PATIENCE))[0] and None) as listener:
        user.start(call, f"ws://{listener.place}/")
        user.tell(call, "send_text one")
        user.tell(call, "stop")
        user.ended(call)
        waiting.set()
    assert user.names(call) == []


def test_a_hangup_closes_with_1000_and_no_word(user: User, server: Server) -> None:
    call = user.call(speech=noise(80000), speed=5)
    peer = user.connect(server, call, "mono 8k hello")
    peer.wait_for_bytes(8000)
    call.hangup()
    assert peer.closed() == 1000
    assert peer.texts == ["hello"]
    assert call.join(PATIENCE)
    assert find(call.spoken(), peer.audio()) >= 0


@pytest.mark.parametrize("words", ["start {url} mono 8k {bad}", "start {url}{bad} mono", "send_text {bad}",
                                   "stop {bad}"])
def test_what_is_not_utf_8_is_refused(user: User, server: Server, words: str) -> None:
    """The byte 0xFF, in Python's notation for what cannot be decoded."""
    call = user.call()
    if not words.startswith("start"):
        user.connect(server, call)
    answer = user.platform.module.execute(f"{call.uuid} {words.format(url=server.url, bad=chr(0xdcff))}")
    assert answer.startswith("-ERR") and "UTF-8" in answer
    assert len(server.peers) == (0 if words.startswith("start") else 1)


def test_what_is_said_in_a_pause_is_not_sent(user: User, server: Server) -> None:
    call = user.call()
    peer = user.connect(server, call)
    wait_for_audio(peer, np.zeros(800, np.int16))
    user.tell(call, "pause")
    call.say(PROMPT)
    until(call.has_spoken)
    captured = len(call.spoken())
    until(lambda: len(call.spoken()) > captured + 800)
    user.tell(call, "resume")
    until(lambda: not user.status(call)["captureQueueMs"])
    call.say(SPEECH)
    wait_for_audio(peer, SPEECH)
    assert np.array_equal(audible(peer.audio()), SPEECH)
    assert {len(chunk) for chunk in peer.chunks} == {320}


@pytest.mark.slow
def test_a_graceful_shutdown_plays_to_the_end(user: User, server: Server) -> None:
    call = user.call(STREAM_PLAYBACK="true", STREAM_SAMPLE_RATE="8000", speech=noise(80000))
    peer = user.connect(server, call)
    peer.send(PROMPT.astype("<i2").tobytes())
    until(lambda: call.heard().any())
    user.tell(call, "graceful-shutdown the last words")
    assert peer.closed() == 1000
    assert peer.texts == ["the last words"]
    assert np.array_equal(audible(call.heard()), PROMPT)


def test_a_call_has_one_such_stream_and_a_new_one_after_it(user: User, server: Server) -> None:
    call = user.call()
    first = user.connect(server, call, "mono 8k first")
    answer = user.run(call, f"start {server.url} mono 8k second")
    assert answer.startswith("-ERR") and "runs on this call already" in answer
    user.tell(call, "stop")
    second = user.connect(server, call, "stereo 16k third")
    second.wait_for_bytes(6400)
    assert first.closed() == 1000
    assert (first.texts, second.texts) == (["first"], ["third"])
    assert {len(chunk) for chunk in second.chunks} == {1280}


def test_beside_a_stream_of_the_other_grammar(user: User, server: Server) -> None:
    call = user.call(speech=SPEECH)
    user.platform.start(call, server.url, "other", bidirectional=0)
    other = server.wait_for_peer()
    peer = user.connect(server, call, "mono 8k hello")
    peer.wait_for_bytes(16000)
    user.platform.tell(call, "stop", "other")
    assert other.closed() == 1000
    before = len(peer.chunks)
    peer.wait_for(lambda peer: len(peer.chunks) > before + 5)
    assert peer.texts == ["hello"] and orjson.loads(other.texts[0])["event"] == "start"


def test_a_codec_that_changes_goes_on_in_the_same_chunks(user: User, server: Server) -> None:
    call = user.call(app="playback", codec=CodecSpec("L16", 16000, 20), STREAM_BUFFER_SIZE="100")
    peer = user.connect(server, call, "stereo 16k")
    codecs = CodecSpec("L16", 16000, 30), CodecSpec("PCMU", 8000, 60), CodecSpec("L16", 16000, 10)
    for seed, codec in enumerate(codecs):
        call.change_codec(codec)
        before, said = len(peer.audio(2)), noise(8000, seed)
        call.say(said)
        if codec.name == "L16":
            wait_for_audio(peer, said, 2)
        peer.wait_for(lambda peer: np.count_nonzero(peer.audio(2)[before:, 0]) >= 7900)
    assert {len(chunk) for chunk in peer.chunks} == {6400}
