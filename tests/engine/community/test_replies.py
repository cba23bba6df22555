"""What the server sends: text becomes events, audio becomes files, and what the caller hears where that is wanted."""

from __future__ import annotations

import base64
import io
import os
import stat
from pathlib import Path
from typing import Any, Callable

import numpy as np
import orjson
import pytest
import soundfile

from freeswitch_audio_stream.audio import Samples, alaw_to_samples, mulaw_to_samples, samples_to_alaw, samples_to_mulaw
from freeswitch_audio_stream.simulator import CodecSpec
from freeswitch_audio_stream.switch import LogLevel
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Server, stream_audio

from ..harness import PATIENCE, align, audible, find, noise, until
from .user import User

pytestmark = pytest.mark.slow

SPEECH = noise(8000, seed=1)
PROMPT = noise(8000, seed=2)
RAW_RATES = {8000: "r8", 16000: "r16", 24000: "r24", 32000: "r32", 48000: "r48", 64000: "r64"}


def raw(samples: Samples) -> bytes:
    return samples.astype("<i2").tobytes()


def container(samples: Samples, kind: str, rate: int = 8000) -> bytes:
    """A wav, mp3 or ogg file."""
    file = io.BytesIO()
    subtype = {"wav": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}[kind]
    soundfile.write(file, samples, rate, format=kind.upper(), subtype=subtype)
    return file.getvalue()


def tone(samples: int, rate: int = 8000) -> Samples:
    return np.rint(8000 * np.sin(2 * np.pi * 440 * np.arange(samples) / rate)).astype(np.int16)


AUDIO: dict[str, bytes] = {
    "raw": raw(SPEECH), "wav": container(SPEECH, "wav"), "mp3": container(tone(8000), "mp3"),
    "ogg": container(tone(8000), "ogg"), "pcmu": samples_to_mulaw(SPEECH).tobytes(),
    "pcma": samples_to_alaw(SPEECH).tobytes()}


def message(kind: str, **fields: Any) -> dict[str, Any]:
    return stream_audio(kind, AUDIO[kind], **({"sampleRate": 8000} if kind == "raw" else {}), **fields)


def files(user: User, call: Any, number: int) -> list[Path]:
    """The files of the first `number` pieces of audio, as soon as all are there."""
    until(lambda: sum("file" in body for body in user.told("play", call)) >= number)
    return [Path(body["file"]) for body in user.told("play", call) if "file" in body][:number]


# Text.

TEXTS = ['{"a":1}', '{"a": 1, "b": [null, 2.50]}', "no JSON at all", "[1,2]", '"text"', "", "ü 😀\n\ttwo lines",
         "{broken", '{"type":"somethingElse","data":{}}', '{"type": "streamAudiO"}', "%s%n", "x" * 70000]


def test_every_text_is_a_json_event_as_it_came(user: User, server: Server) -> None:
    call = user.call()
    peer = user.connect(server, call)
    for text in TEXTS:
        peer.send(text)
    until(lambda: len(user.bodies("json", call)) == len(TEXTS))
    assert user.bodies("json", call) == TEXTS


def test_events_carry_the_channel(user: User, server: Server) -> None:
    call = user.call(variables={"lower": "case"})
    peer = user.connect(server, call)
    peer.send("{}")
    user.event("json", call)
    event = next(event for event in user.platform.switch.events if event.subclass.endswith("::json"))
    assert event.headers["Unique-ID"] == call.uuid and event.headers["variable_lower"] == "case"


# Files.

@pytest.mark.parametrize("kind", AUDIO)
def test_audio_becomes_a_file_that_only_we_can_read(user: User, server: Server, tmp_path: Path, kind: str) -> None:
    call = user.call(variables={"temp_dir": str(tmp_path)})
    peer = user.connect(server, call)
    peer.send(message(kind, utterance="u-1", nested={"a": [1]}))
    body = user.event("play", call)
    file = Path(body.pop("file"))
    rate = {"sampleRate": 8000} if kind == "raw" else {}
    assert body == {"audioDataType": kind, "utterance": "u-1", "nested": {"a": [1]}, **rate}
    assert file.parent == tmp_path and file.name.startswith(f"{call.uuid}_")
    assert file.suffix == (".r8" if kind == "raw" else f".{kind}") and file.stem.endswith(".tmp")
    assert file.read_bytes() == AUDIO[kind]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("rate", RAW_RATES)
def test_raw_audio_of_every_rate(user: User, server: Server, tmp_path: Path, rate: int) -> None:
    call = user.call(codec=CodecSpec("L16", 16000), STREAM_PLAYBACK="true", variables={"temp_dir": str(tmp_path)})
    peer = user.connect(server, call)
    peer.send(stream_audio("raw", raw(tone(rate, rate)), sampleRate=rate))
    assert files(user, call, 1)[0].suffix == f".{RAW_RATES[rate]}"
    user.completed(call)
    heard = audible(call.heard())
    assert abs(len(heard) - 16000) < 300  # but for zeros of the tone, and what the filter holds
    assert align(call.heard(), tone(16000, 16000))[1] > 0.99


def test_files_stay_as_long_as_the_call(user: User, server: Server, tmp_path: Path) -> None:
    """Not the stream's end removes them: the application may still be playing them."""
    call = user.call(variables={"temp_dir": str(tmp_path)})
    peer = user.connect(server, call)
    peer.send(message("wav"))
    first = files(user, call, 1)[0]
    user.tell(call, "stop")
    user.ended(call)
    second_peer = user.connect(server, call)
    second_peer.send(message("raw"))
    first, second = files(user, call, 2)
    user.tell(call, "stop")
    user.ended(call)
    assert first != second and first.exists() and second.exists()
    call.hangup()
    assert call.join(PATIENCE)
    until(lambda: not list(tmp_path.iterdir()))


def test_a_file_that_stands_in_the_way_is_left_alone(user: User, server: Server, tmp_path: Path) -> None:
    """Names can be guessed: neither a file nor a link of somebody else is written through."""
    call = user.call(variables={"temp_dir": str(tmp_path)})
    peer = user.connect(server, call)
    peer.send(message("raw"))
    number = int(files(user, call, 1)[0].name.removeprefix(f"{call.uuid}_").partition(".")[0])
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.symlink(victim, tmp_path / f"{call.uuid}_{number + 1}.tmp.r8")
    (tmp_path / f"{call.uuid}_{number + 2}.tmp.r8").write_text("mine")
    peer.send(message("raw"))
    second = files(user, call, 2)[1]
    assert second.read_bytes() == AUDIO["raw"]
    assert victim.read_text() == "precious" and (tmp_path / f"{call.uuid}_{number + 2}.tmp.r8").read_text() == "mine"


def numbers(user: User, call: Any, count: int) -> list[str]:
    return [file.name.removeprefix(f"{call.uuid}_") for file in files(user, call, count)]


def test_files_are_numbered_from_0_in_each_stream(user: User, server: Server, tmp_path: Path) -> None:
    """Servers count along, and name the files to the application."""
    for _ in range(2):
        call = user.call(variables={"temp_dir": str(tmp_path)})
        peer = user.connect(server, call)
        for kind in ("raw", "wav", "raw"):
            peer.send(message(kind))
        peer.send({"type": "streamAudio", "data": {}})
        peer.send(message("raw"))
        assert numbers(user, call, 4) == ["0.tmp.r8", "1.tmp.wav", "2.tmp.r8", "3.tmp.r8"]


def test_a_second_stream_of_the_call_begins_at_0_again(user: User, server: Server, tmp_path: Path) -> None:
    """The file of the first is replaced, not written to: who is playing it hears it to the end."""
    call = user.call(variables={"temp_dir": str(tmp_path)})
    user.connect(server, call).send(message("raw"))
    first = files(user, call, 1)[0]
    with first.open("rb") as playing:
        user.tell(call, "stop")
        user.ended(call)
        user.connect(server, call).send(stream_audio("raw", raw(PROMPT), sampleRate=8000))
        assert files(user, call, 2)[1] == first and first.read_bytes() == raw(PROMPT)
        assert playing.read() == AUDIO["raw"]


def test_streams_at_once_do_not_take_each_others_files(user: User, server: Server, tmp_path: Path) -> None:
    call = user.call(variables={"temp_dir": str(tmp_path)})
    peer = user.connect(server, call)
    user.platform.start(call, f"{{protocol=community}}{server.url}", "own", bidirectional=1)
    own = server.wait_for_peer(2)
    peer.send(message("raw"))
    files(user, call, 1)
    own.send(stream_audio("raw", raw(PROMPT), sampleRate=8000))
    first, second = files(user, call, 2)
    assert first != second
    assert (first.read_bytes(), second.read_bytes()) == (AUDIO["raw"], raw(PROMPT))


def test_files_of_calls_are_kept_apart(user: User, server: Server, tmp_path: Path) -> None:
    calls = [user.call(variables={"temp_dir": str(tmp_path)}) for _ in range(2)]
    for number, call in enumerate(calls):
        user.connect(server, call).send(stream_audio("raw", raw(noise(800, number)), sampleRate=8000))
    one, other = (files(user, call, 1)[0] for call in calls)
    calls[0].hangup()
    assert calls[0].join(PATIENCE)
    until(lambda: not one.exists())
    assert other.read_bytes() == raw(noise(800, 1))


@pytest.mark.parametrize("with_stream_id", [False, True])
def test_without_a_file_the_caller_hears_it_all_the_same(user: User, server: Server, tmp_path: Path,
                                                         with_stream_id: bool) -> None:
    folder = tmp_path / "missing"
    call = user.call(app="playback", variables={"temp_dir": str(folder)}, STREAM_PLAYBACK="true")
    if with_stream_id:
        user.platform.start(call, f"{{protocol=community}}{server.url}", "own", bidirectional=1)
        peer = server.wait_for_peer()
    else:
        peer = user.connect(server, call)
    for seed in range(3):
        peer.send(stream_audio("raw", raw(noise(800, seed)), sampleRate=8000, utterance=seed))
        user.completed(call, seed + 1)
    assert np.array_equal(audible(call.heard()), np.concatenate([noise(800, seed) for seed in range(3)]))
    # Scripts that follow the playback have the server's words, and none of them a file that is not there.
    told = [body for body in user.told("play", call) if "event" not in body]
    assert told == [{"audioDataType": "raw", "sampleRate": 8000, "utterance": seed} for seed in range(3)]
    errors = user.told("stream_error" if with_stream_id else "error", call)
    text = errors[0]["error"] if with_stream_id else errors[0]["message"]["error"]
    assert len(errors) == 1
    assert text == (f"audio from the server could not be kept as a file in {folder}: No such file or directory: create "
                    "it, or set temp_dir to a folder that is there; the caller hears it all the same")
    folder.mkdir()
    peer.send(message("raw"))
    assert files(user, call, 1)[0].read_bytes() == AUDIO["raw"]
    folder.rename(tmp_path / "gone")
    peer.send(message("raw"))
    until(lambda: len([body for body in user.told("play", call) if "event" not in body]) == 5)
    assert user.status(call)["errors"] == 4
    user.tell(call, "own stop" if with_stream_id else "stop")
    until(lambda: len(user.told("stream_error" if with_stream_id else "error", call)) == 2)


def test_without_a_file_and_without_playback_there_is_only_the_error(user: User, server: Server,
                                                                     tmp_path: Path) -> None:
    """Scripts for files read the name in each such event."""
    call = user.call(variables={"temp_dir": str(tmp_path / "missing")})
    peer = user.connect(server, call)
    for _ in range(3):
        peer.send(message("raw"))
    peer.send("still there")
    until(lambda: user.bodies("json", call) == ["still there"])
    error = user.event("error", call)["message"]["error"]
    assert "No such file" in error and "create it" in error and "hears" not in error
    assert user.bodies("play", call) == [] and len(user.bodies("error", call)) == 1


BAD = [
    {"type": "streamAudio"}, {"type": "streamAudio", "data": []}, {"type": "streamAudio", "data": {}},
    {"type": "streamAudio", "data": {"audioDataType": "flac", "audioData": ""}},
    {"type": "streamAudio", "data": {"audioDataType": "raw", "audioData": "AAAA"}},
    {"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 11025, "audioData": "AAAA"}},
    {"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 8000, "audioData": "not base64!"}},
    {"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 8000}},
    {"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 8000, "audioData": 7}},
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_audio_that_cannot_be_read_is_a_text_like_any_other(user: User, server: Server, bad: dict[str, Any]) -> None:
    """And no error, on which scripts hang up; the log has the reason."""
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    text = orjson.dumps(bad).decode()
    peer.send(text)
    peer.send("still there")
    until(lambda: user.bodies("json", call) == [text, "still there"])
    assert user.names(call) == ["connect", "json", "json"]
    status = user.status(call)
    assert status["errors"] == 1 and "streamAudio" in status["lastError"]
    assert [line.level for line in user.platform.switch.log_lines
            if status["lastError"] in line.text and line.uuid == call.uuid] == [LogLevel.WARNING]


def test_with_a_stream_id_it_is_an_error(user: User, server: Server) -> None:
    call = user.call()
    user.platform.start(call, f"{{protocol=community}}{server.url}", "own", bidirectional=1)
    server.wait_for_peer().send(BAD[0])
    assert user.event("stream_error", call)["kind"] == "streamAudio"
    assert user.bodies("json", call) == []


@pytest.mark.parametrize("encode", [base64.urlsafe_b64encode, lambda data: base64.b64encode(data).rstrip(b"=")])
def test_base64_of_another_kind_is_taken(user: User, server: Server, encode: Callable[[bytes], bytes]) -> None:
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    audio = raw(SPEECH)[:-2]
    peer.send({"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 8000,
                                               "audioData": encode(audio).decode()}})
    assert files(user, call, 1)[0].read_bytes() == audio
    user.completed(call)
    assert find(call.heard(), SPEECH[:-1]) >= 0


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
def test_a_container_that_holds_no_audio(user: User, server: Server, kind: str) -> None:
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    peer.send(stream_audio(kind, b"this is no sound at all" * 20))
    assert kind in user.event("error", call)["message"]["error"]
    assert "file" in user.event("play", call), "the application may know what it is"
    peer.send(message("raw"))
    user.completed(call)
    assert find(call.heard(), SPEECH) >= 0


# What the caller hears.

def test_nothing_unless_asked_for(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_SAMPLE_RATE="8000")
    peer = user.connect(server, call)
    peer.send(message("raw"))
    peer.send(AUDIO["raw"])
    files(user, call, 1)
    heard = len(call.heard())
    until(lambda: len(call.heard()) > heard + 1600)
    assert not call.heard().any()
    assert user.tracking(call) == []


EXACT = {"raw": SPEECH, "wav": SPEECH, "pcmu": mulaw_to_samples(samples_to_mulaw(SPEECH)),
         "pcma": alaw_to_samples(samples_to_alaw(SPEECH))}


@pytest.mark.parametrize("app", ["park", "playback"])
@pytest.mark.parametrize("kind", AUDIO)
def test_every_kind_is_heard(user: User, server: Server, kind: str, app: str) -> None:
    call = user.call(app=app, STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    peer.send(message(kind))
    user.completed(call)
    if kind in EXACT:
        assert find(call.heard(), EXACT[kind]) >= 0
    else:
        assert align(call.heard(), tone(8000))[1] > 0.9  # what is lost in compression is lost
    assert user.tracking(call) == [
        {"event": "chunk_started", "seq": 1},
        {"event": "chunk_played", "seq": 1, "size": len(AUDIO[kind]), "remaining": 0},
        {"event": "queue_completed", "total_chunks": 1}]


@pytest.mark.parametrize("kind, rate", [("wav", 22050), ("wav", 11025), ("wav", 48000), ("wav", 96000), ("mp3", 44100),
                                        ("ogg", 24000)])
def test_a_container_may_have_any_rate(user: User, server: Server, kind: str, rate: int) -> None:
    call = user.call(codec=CodecSpec("L16", 16000), STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    peer.send(stream_audio(kind, container(tone(rate, rate), kind, rate)))
    user.completed(call)
    assert align(call.heard(), tone(15000, 16000))[1] > 0.99


def test_channels_of_a_container_are_averaged(user: User, server: Server) -> None:
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    peer.send(stream_audio("wav", container(np.stack([SPEECH, SPEECH], axis=1), "wav")))
    user.completed(call)
    assert find(call.heard(), SPEECH) >= 0


def test_a_burst_is_heard_in_order_without_a_gap(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    user.tell(call, "pause_play")  # so that all of it waits at once
    for begin in range(0, 8000, 333):
        peer.send(stream_audio("raw", raw(SPEECH[begin:begin + 333]), sampleRate=8000))
    pieces = len(range(0, 8000, 333))
    files(user, call, pieces)
    user.tell(call, "resume_play")
    user.completed(call)
    assert find(call.heard(), SPEECH) >= 0
    events = user.tracking(call)
    assert [body["seq"] for body in events if body["event"] == "chunk_started"] == list(range(1, pieces + 1))
    played = [body for body in events if body["event"] == "chunk_played"]
    assert [body["seq"] for body in played] == list(range(1, pieces + 1))
    assert [body["remaining"] for body in played] == list(range(pieces - 1, -1, -1))
    assert [body["size"] for body in played] == [666] * (pieces - 1) + [2 * (8000 - 333 * (pieces - 1))]
    assert events[-1] == {"event": "queue_completed", "total_chunks": pieces}
    for begun, ended in zip(range(1, pieces + 1), range(1, pieces + 1)):
        order = [(body["event"], body.get("seq")) for body in events]
        assert order.index(("chunk_started", begun)) < order.index(("chunk_played", ended))


def test_kinds_can_be_mixed(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    user.tell(call, "pause_play")
    for kind in EXACT:
        peer.send(message(kind))
    files(user, call, len(EXACT))
    user.tell(call, "resume_play")
    user.completed(call)
    assert find(call.heard(), np.concatenate(list(EXACT.values()))) >= 0


def test_a_pause_of_the_playback_loses_nothing(user: User, server: Server) -> None:
    call = user.call(app="playback", speed=1, STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    peer.send(message("raw"))
    until(lambda: call.heard().any())
    user.tell(call, "pause_play")
    until(lambda: not call.heard()[-800:].any())
    assert "chunk_played" not in [body["event"] for body in user.tracking(call)]
    user.tell(call, "resume_play")
    user.completed(call)
    assert np.array_equal(audible(call.heard()), SPEECH)


def test_a_pause_of_the_playback_is_none_of_the_stream(user: User, server: Server) -> None:
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    user.tell(call, "pause_play")
    call.say(PROMPT)
    peer.wait_for(lambda peer: find(peer.audio(), PROMPT) >= 0)


def test_a_clear_is_told_and_what_comes_after_it_is_heard(user: User, server: Server) -> None:
    call = user.call(app="playback", speed=0.5, STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    for seed in range(3):
        peer.send(stream_audio("raw", raw(noise(40000, seed)), sampleRate=8000))
    until(lambda: len(user.tracking(call)) >= 1 and call.heard().any())
    files(user, call, 3)
    user.tell(call, "clear_play")
    user.completed(call)
    peer.send(stream_audio("raw", raw(PROMPT[:800]), sampleRate=8000))
    user.completed(call, 2)
    assert user.tracking(call) == [
        {"event": "chunk_started", "seq": 1},
        {"event": "chunk_cleared", "seq": 1, "size": 80000, "remaining": 2},
        {"event": "chunk_cleared", "seq": 2, "size": 80000, "remaining": 1},
        {"event": "chunk_cleared", "seq": 3, "size": 80000, "remaining": 0},
        {"event": "queue_completed", "total_chunks": 3},
        {"event": "chunk_started", "seq": 4},
        {"event": "chunk_played", "seq": 4, "size": 1600, "remaining": 0},
        {"event": "queue_completed", "total_chunks": 4}]
    heard = audible(call.heard())
    assert len(heard) < 40000
    assert np.array_equal(heard[:-800], noise(40000, 0)[:len(heard) - 800])
    assert np.array_equal(heard[-800:], PROMPT[:800])


def test_a_clear_comes_before_the_resume_behind_it(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    for number in range(1, 21):
        user.tell(call, "pause_play")
        peer.send(stream_audio("raw", raw(SPEECH), sampleRate=8000))
        files(user, call, number)
        user.tell(call, "clear_play")
        user.tell(call, "resume_play")
        user.completed(call, number)
    assert not call.heard().any()


def test_a_clear_while_the_playback_is_paused(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    user.tell(call, "pause_play")
    peer.send(message("raw"))
    files(user, call, 1)
    user.tell(call, "clear_play")
    user.completed(call)
    user.tell(call, "resume_play")
    peer.send(stream_audio("raw", raw(PROMPT), sampleRate=8000))
    user.completed(call, 2)
    assert np.array_equal(audible(call.heard()), PROMPT)


def test_a_hangup_settles_what_was_queued(user: User, server: Server) -> None:
    call = user.call(app="playback", speed=0.5, STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    for _ in range(2):
        peer.send(message("raw"))
    files(user, call, 2)
    until(lambda: user.tracking(call))
    call.hangup()
    user.completed(call)
    cleared = [body["seq"] for body in user.tracking(call) if body["event"] == "chunk_cleared"]
    assert cleared == [1, 2]
    assert user.names(call)[-1] != "error"


@pytest.mark.parametrize("command", ["pause_play", "resume_play", "clear_play"])
def test_commands_of_the_playback_need_a_stream(user: User, command: str) -> None:
    answer = user.run(user.call(), command)
    assert answer.startswith("-ERR") and "no stream" in answer


def test_playback_is_heard_by_the_server_too(user: User, server: Server) -> None:
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call, "stereo")
    peer.send(message("raw"))
    peer.wait_for(lambda peer: np.count_nonzero(peer.audio(2)[:, 1]) >= len(SPEECH))
    assert np.array_equal(audible(peer.audio(2)[:, 1]), SPEECH)


# Binary messages.

def binary(user: User, peer: Peer, samples: Samples) -> None:
    data = raw(samples)
    for begin, end in zip((0, 1, 2, 5, 1000, 1001), (1, 2, 5, 1000, 1001, len(data))):
        peer.send(data[begin:end])


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_binary_messages_are_heard_at_the_rate_named(user: User, compression: str | None, rate: int) -> None:
    call = user.call(app="playback", codec=CodecSpec("L16", 16000), STREAM_PLAYBACK="true",
                     STREAM_SAMPLE_RATE=str(rate))
    with Server(compression=compression) as server:
        peer = user.connect(server, call, "mono 8k")
        user.tell(call, "pause_play")  # so that all of it waits at once
        for begin in range(0, rate, rate // 10):
            peer.send(raw(tone(rate, rate)[begin:begin + rate // 10]))
        until(lambda: user.status(call)["playbackQueueMs"] == 1000)
        user.tell(call, "resume_play")
        user.completed(call)
        assert align(call.heard(), tone(15800, 16000))[1] > 0.99
        assert user.bodies("error", call) == [] and user.bodies("json", call) == []


def test_binary_messages_are_heard_to_the_sample(user: User) -> None:
    """They may cut a sample in two."""
    call = user.call(app="playback", STREAM_PLAYBACK="true", STREAM_SAMPLE_RATE="8000")
    with Server(compression=None) as server:
        peer = user.connect(server, call, "mono 16k")
        binary(user, peer, SPEECH)
        until(lambda: len(audible(call.heard())) >= len(SPEECH))
        assert np.array_equal(audible(call.heard()), SPEECH)


def test_binary_messages_that_may_come_compressed_are_heard_to_the_sample(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true", STREAM_SAMPLE_RATE="8000")
    peer = user.connect(server, call, "mono 16k")
    assert peer.extensions
    binary(user, peer, SPEECH)
    until(lambda: len(audible(call.heard())) >= len(SPEECH))
    assert np.array_equal(audible(call.heard()), SPEECH)


def test_binary_messages_without_a_rate_are_passed_over(user: User, server: Server) -> None:
    """As the community module does."""
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    peer.send(raw(PROMPT))
    peer.send(message("raw"))
    user.completed(call)
    assert np.array_equal(audible(call.heard()), SPEECH)


def test_pieces_of_a_message_are_put_together(user: User, server: Server) -> None:
    call = user.call()
    peer = user.connect(server, call)
    text = orjson.dumps({"words": "many"}).decode()
    peer.send_in_pieces([text[:4], text[4:5], text[5:]])
    until(lambda: user.bodies("json", call) == [text])


# With a stream id.

@pytest.mark.parametrize("playback", ["true", "false"])
def test_the_protocol_with_a_stream_id_plays_as_the_flag_says(user: User, server: Server, playback: str) -> None:
    """The setting `playback` is for streams without one."""
    call = user.call(app="playback")
    user.platform.start(call, f"{{protocol=community,playback={playback}}}{server.url}", "own", bidirectional=1)
    peer = server.wait_for_peer()
    peer.send("hello")
    peer.send(stream_audio("raw", raw(SPEECH), sampleRate=8000))
    user.completed(call)
    assert find(call.heard(), SPEECH) >= 0
    assert user.bodies("json", call) == ["hello"] and "file" in user.told("play", call)[0]
    assert user.names(call)[:2] == ["connection_established", "stream_started"]


def test_the_protocol_with_a_stream_id_one_way(user: User, server: Server) -> None:
    call = user.call()
    user.platform.start(call, f"{{protocol=community}}{server.url}", "own", bidirectional=0)
    server.wait_for_peer().send(stream_audio("raw", raw(SPEECH), sampleRate=8000))
    assert user.event("stream_error", call)["kind"] == "one_way"
    assert user.bodies("play", call) == []
