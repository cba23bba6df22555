"""What the users of other such modules complain of most, one test per complaint, by the numbers of a list of 27.

The complaints were collected from the public issue threads of the modules that stream calls over WebSockets.
Each name says what is so with us.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import orjson
import psutil
import pytest

from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall
from freeswitch_audio_stream.testing.peers.frame_server import FrameServer
from freeswitch_audio_stream.testing.peers.listener import Listener
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Server, stream_audio

from .engine import conftest as engine_fixtures
from .engine.community import conftest as community_fixtures
from .engine.community.user import User
from .engine.harness import PATIENCE, audible, find, noise, until

pytestmark = pytest.mark.slow

running_platform = engine_fixtures.running_platform
platform = engine_fixtures.platform
user = community_fixtures.user
server = community_fixtures.server

SPEECH = noise(8000, seed=1)
PROMPT = noise(8000, seed=2)

CANNOT_APPLY = {
    27: "Nothing is built or linked: the module is Python that finds FreeSWITCH's functions when it is loaded and "
        "names every one that is missing (tests/switch/test_library.py); scripts/install is tested by "
        "tests/test_install.py, and on a real FreeSWITCH by tests/live/test_module.py.",
}
"""Complaints without a test here, and why."""


def raw(samples: Any) -> dict[str, Any]:
    return stream_audio("raw", samples.astype("<i2").tobytes(), sampleRate=8000)


def heard(peer: Peer, part: Any) -> None:
    peer.wait_for(lambda peer: find(peer.audio(), part) >= 0)


# Crashes, races, zombies.

def test_complaint_01_messages_and_audio_at_once_never_meet_in_a_buffer(user: User, server: Server) -> None:
    """Many threads send text while the media thread sends audio: all of both arrives whole and in order."""
    call = user.call(speech=noise(200000), speed=5)
    peer = user.connect(server, call)
    texts = [[f"{writer}.{number} " + "x" * number for number in range(100)] for writer in range(4)]
    writers = [threading.Thread(target=lambda mine=mine: [user.tell(call, f"send_text {text}") for text in mine])
               for mine in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    peer.wait_for(lambda peer: len(peer.texts) == 400)
    for number, mine in enumerate(texts):
        assert [text for text in peer.texts if text.startswith(f"{number}.")] == [text.strip() for text in mine]
    assert find(call.spoken(), peer.audio()) >= 0


@pytest.mark.parametrize("words", [
    "", "start", "start ws://127.0.0.1:9/", "start ws://127.0.0.1:9/ mono x", "start ws://127.0.0.1:9/ triple 8k",
    "start http://127.0.0.1/ mono", "start ws:// mono 8k {}", "stop", "send_text", "pause", "play", "start ' mono"])
def test_complaint_02_any_command_line_gets_an_answer(user: User, words: str) -> None:
    call = user.call()
    answer = user.run(call, words)
    assert re.match(r"-(ERR|USAGE:) .+", answer)
    assert call.application("uuid_audio_stream", f"{call.uuid} {words}"), "as a dialplan application too"
    assert call.variables["uuid_audio_stream_result"].startswith("-")


def test_complaint_03_a_call_that_is_not_answered_can_be_streamed(user: User, server: Server) -> None:
    call = user.call(answered=False, app="playback")
    peer = user.connect(server, call)
    call.say(SPEECH)
    heard(peer, SPEECH)
    call.answer()
    call.say(PROMPT)
    heard(peer, PROMPT)


def test_complaint_04_a_call_goes_away_when_it_is_hung_up(user: User, server: Server) -> None:
    """Also while its stream connects, plays, drains, and waits for a server that does not read."""
    stuck = threading.Event()
    with Listener(lambda connection: stuck.wait(PATIENCE) and None) as listener:
        calls = [user.call(STREAM_PLAYBACK="true") for _ in range(4)]
        user.start(calls[0], f"ws://{listener.place}/")
        user.connect(server, calls[1]).send(raw(noise(80000)))
        user.connect(server, calls[2])
        user.tell(calls[2], "graceful-shutdown")
        user.connect(server, calls[3])
        for call in calls:
            call.hangup()
            assert call.join(PATIENCE), "a zombie"
        stuck.set()


def test_complaint_05_the_socket_is_closed_when_the_call_is_over(user: User, server: Server) -> None:
    call = user.call()
    peer = user.connect(server, call)
    call.hangup()
    assert peer.closed() == 1000
    user.ended(call)
    until(lambda: not sockets(server))


def sockets(server: Server) -> list[Any]:
    """Ours and the server's, in whatever state, but for the one that listens."""
    return [c for c in psutil.Process().net_connections("tcp")
            if c.raddr and server.port in (c.raddr.port, c.laddr.port)]


MALFORMED = ["{", '{"type":"streamAudio"', '{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,'
             '"audioData":"@@@"}}', "[" * 100000, '{"type":' + "9" * 5000 + "}", '{"type":"streamAudio","data":null}',
             '{"type":"streamAudio","data":{"audioDataType":"mp3","audioData":"AAAA"}}', "\\ud800", "\0", "NaN"]


def test_complaint_06_malformed_input_harms_nobody(user: User, server: Server) -> None:
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    for message in MALFORMED:
        peer.send(message)
    peer.send(raw(SPEECH))
    user.completed(call)
    assert find(call.heard(), SPEECH) >= 0
    with FrameServer() as rough:
        other = user.call()
        user.start(other, rough.url)
        rough.next().send("text", b"\xc3\x28\xa0\xa1\xf0\x90")
        assert "UTF-8" in user.event("error", other)["message"]["error"]
        other.hangup()
        user.ended(other)


def test_complaint_07_nothing_is_left_after_many_streams(user: User, server: Server) -> None:
    def round_of_streams() -> None:
        for _ in range(10):
            call = user.call()
            user.connect(server, call, "mono 8k hello")
            call.hangup()
            assert call.join(PATIENCE)
            user.ended(call)
        until(lambda: not sockets(server))
        until(lambda: not any(thread.name == "audio-stream-connect" for thread in threading.enumerate()))
    process = psutil.Process()
    round_of_streams()
    descriptors = process.num_fds()
    round_of_streams()
    until(lambda: process.num_fds() <= descriptors)


# Playback.

def test_complaint_08_caller_hears_audio_itself(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    user.connect(server, call).send(raw(SPEECH))
    user.completed(call)
    assert find(call.heard(), SPEECH) >= 0


def test_complaint_09_a_parked_call_hears_it_too(user: User, server: Server) -> None:
    call = user.call(app="park", STREAM_PLAYBACK="true")
    user.connect(server, call).send(raw(SPEECH))
    user.completed(call)
    assert find(call.heard(), SPEECH) >= 0


def test_complaint_10_chunks_do_not_cut_each_other_off(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    for begin in range(0, 8000, 160):
        peer.send(raw(SPEECH[begin:begin + 160]))
    until(lambda: np.count_nonzero(call.heard()) >= len(SPEECH))
    assert np.array_equal(audible(call.heard()), SPEECH)


@pytest.mark.parametrize("codec", [CodecSpec("L16", 8000, 30), CodecSpec("OPUS", 48000, 20, 2),
                                   CodecSpec("G722", 16000, 20), CodecSpec("OPUS", 48000, 60)])
def test_complaint_11_frames_fit_the_codec_and_the_pitch_stays(user: User, server: Server, codec: CodecSpec) -> None:
    call = user.call(codec=codec, app="playback", STREAM_PLAYBACK="true")
    tone = np.rint(8000 * np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)).astype(np.int16)
    user.connect(server, call).send(raw(tone))
    user.completed(call)
    assert set(call.heard_frames()[:, 2]) == {codec.packet_samples * codec.channels}
    sound = call.heard().reshape(-1, codec.channels)[:, 0]
    sound = sound[np.flatnonzero(sound)[0]:][:codec.rate]
    assert np.argmax(np.abs(np.fft.rfft(sound.astype(float)))) == pytest.approx(440, abs=2)


def test_complaint_12_the_uplink_goes_on_while_it_plays(user: User, server: Server) -> None:
    call = user.call(app="park", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    peer.send(raw(noise(80000, seed=3)))
    until(lambda: call.heard().any())
    call.say(SPEECH)
    heard(peer, SPEECH)


def test_complaint_13_playback_can_be_interrupted_again_and_again(user: User, server: Server) -> None:
    call = user.call(app="playback", STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    for number in range(1, 6):
        user.tell(call, "pause_play")
        peer.send(raw(noise(400000, seed=3)))  # the queue takes 60 s: without a real clear it would be full soon
        until(lambda: sum("file" in body for body in user.told("play", call)) >= number)
        user.tell(call, "clear_play")
        user.tell(call, "resume_play")
        user.completed(call, number)
        assert [body["event"] for body in user.tracking(call) if body.get("seq") == number] == ["chunk_cleared"]
    peer.send(raw(SPEECH))
    user.completed(call, 6)
    assert find(call.heard(), SPEECH) >= 0
    assert user.status(call)["playbackDroppedMs"] == 0


def test_complaint_14_progress_is_told_when_it_is_heard(user: User, server: Server) -> None:
    call = user.call(app="playback", speed=1, STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    user.tell(call, "pause_play")
    peer.send(raw(SPEECH[:1600]))
    peer.send(raw(SPEECH[1600:3200]))
    until(lambda: sum("file" in body for body in user.told("play", call)) == 2)
    assert user.tracking(call) == [], "not at once"
    user.tell(call, "resume_play")
    until(lambda: {"event": "chunk_played", "seq": 1, "size": 3200, "remaining": 1} in user.tracking(call))
    assert find(call.heard(), SPEECH[:1600]) >= 0
    user.completed(call)
    assert find(call.heard(), SPEECH[:3200]) >= 0


def test_complaint_15_a_recording_holds_the_bots_voice(user: User, server: Server) -> None:
    """Whoever listens to what the caller hears, as a recorder does: here, a second stream's outbound track."""
    call = user.call(app="park", STREAM_PLAYBACK="true")
    user.platform.start(call, "{protocol=binary}" + server.url, "recorder", "outbound", bidirectional=0)
    recorder = server.wait_for_peer()
    user.connect(server, call).send(raw(SPEECH))
    recorder.wait_for(lambda peer: np.count_nonzero(peer.audio()) >= len(SPEECH))
    assert np.array_equal(audible(recorder.audio()), SPEECH)


# Audio to the server.

@pytest.mark.parametrize("mix", ["mixed", "stereo"])
def test_complaint_16_a_call_of_one_leg_sends_every_mix(user: User, server: Server, mix: str) -> None:
    call = user.call(app="park")
    peer = user.connect(server, call, mix)
    call.say(SPEECH)
    peer.wait_for(lambda peer: find(peer.audio() if mix == "mixed" else np.ascontiguousarray(peer.audio(2)[:, 0]),
                                    SPEECH) >= 0)
    user.tell(call, "stop")
    assert peer.closed() == 1000
    user.connect(server, call, "stereo" if mix == "mixed" else "mixed").wait_for(lambda peer: len(peer.chunks) > 10)


def test_complaint_17_left_is_the_caller_and_right_the_callee(user: User, server: Server) -> None:
    call = user.call(app="playback")
    peer = user.connect(server, call, "stereo")
    call.say(SPEECH)
    call.play(PROMPT)
    peer.wait_for(lambda peer: all(np.count_nonzero(peer.audio(2)[:, side]) >= 8000 for side in range(2)))
    left, right = (audible(peer.audio(2)[:, side]) for side in range(2))
    assert np.array_equal(left, SPEECH) and np.array_equal(right, PROMPT)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_complaint_18_a_chunk_is_as_long_as_asked_for(user: User, server: Server, ptime_ms: int) -> None:
    call = user.call(codec=CodecSpec("PCMU", 8000, ptime_ms), STREAM_BUFFER_SIZE="20")
    peer = user.connect(server, call)
    peer.wait_for(lambda peer: len(peer.chunks) >= 50)
    assert {len(chunk) for chunk in peer.chunks} == {320}


def test_complaint_19_hold_and_a_new_codec_do_not_stop_it(user: User, server: Server) -> None:
    call = user.call(codec=CodecSpec("L16", 8000, 20))
    peer = user.connect(server, call)
    call.hold()
    call.hold(False)
    for codec in (CodecSpec("L16", 16000, 20), CodecSpec("L16", 8000, 40)):
        call.change_codec(codec)
    call.say(SPEECH)
    heard(peer, SPEECH)


def test_complaint_20_the_metadata_come_before_any_audio(user: User, server: Server) -> None:
    for number in range(20):
        call = user.call(speech=noise(80000))
        peer = user.connect(server, call, f"mono 8k metadata {number}")
        peer.wait_for(lambda peer: len(peer.messages) >= 3)
        assert [type(message) for message in peer.messages[:3]] == [str, bytes, bytes]
        assert peer.messages[0] == f"metadata {number}"


# Connections.

def test_complaint_21_a_clean_close_is_the_end(user: User, server: Server) -> None:
    call = user.call()
    user.connect(server, call).close(1000)
    user.ended(call)
    assert len(server.peers) == 1 and user.names(call) == ["connect", "disconnect"], "no flood"


def test_complaint_22_after_a_drop_a_new_start_works(user: User, server: Server) -> None:
    call = user.call(STREAM_NO_RECONNECT="true")
    user.connect(server, call).drop()
    user.ended(call)
    peer = user.connect(server, call)
    call.say(SPEECH)
    heard(peer, SPEECH)


def test_complaint_23_an_error_says_what_is_wrong(user: User, server: Server) -> None:
    """Every failure of TLS is in tests/engine/community/test_tls.py; here, that the event names host and remedy."""
    def answer(connection: Any) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with Listener(answer) as listener:
        call = user.call()
        user.start(call, f"wss://{listener.place}/")
        text = user.event("error", call)["message"]["error"]
        assert listener.place in text and "use ws://" in text


def test_complaint_24_control_frames_and_pieces_are_taken(user: User) -> None:
    call = user.call(cng=True)
    with FrameServer() as rough:
        user.start(call, rough.url)
        connection = rough.next()
        connection.send("text", b"one ", final=False)
        connection.send("ping", b"?")
        connection.send_raw(b"\x80\x05piece")
        assert user.event("connect", call) and bytes(connection.frames.get(timeout=PATIENCE).data) == b"?"
        until(lambda: user.bodies("json", call) == ["one piece"])
        call.hangup()
        user.ended(call)


# Scale.

def test_complaint_25_many_streams_on_one_call_and_no_thread_for_each(user: User, server: Server) -> None:
    call = user.call()
    user.connect(server, call)
    until(lambda: not any(thread.name == "audio-stream-connect" for thread in threading.enumerate()))
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("audio-stream")]
    for number in range(10):
        user.platform.start(call, server.url, f"s{number}")
    server.wait_for_peer(11)
    for peer in server.peers:
        peer.wait_for(lambda peer: len(peer.messages) > 5)
    until(lambda: len([thread for thread in threading.enumerate()
                       if thread.name.startswith("audio-stream")]) <= len(ours))


def test_complaint_26_a_backlog_is_made_up_for(user: User, server: Server) -> None:
    """What waited while the server was away leaves at once, and from then on nothing waits."""
    call = user.call(speed=2)
    user.connect(server, call).drop()
    user.event("disconnect", call)
    server.wait_for_peer(2)
    until(lambda: user.status(call)["state"] == "streaming" and user.status(call)["captureQueueMs"] <= 40)
    call.say(SPEECH)
    heard(server.peers[1], SPEECH)
    until(lambda: user.status(call)["captureQueueMs"] <= 40)


def test_every_number_is_here() -> None:
    tested = {int(name.split("_")[2]) for name in globals() if name.startswith("test_complaint_")}
    assert tested | CANNOT_APPLY.keys() == set(range(1, 28)) and not tested & CANNOT_APPLY.keys()


def test_what_is_also_asked_for(user: User, server: Server) -> None:
    """Audio as JSON, digits to the server, a resume that resumes."""
    call: EmbeddedCall = user.call(STREAM_FORMAT="base64", STREAM_DTMF="true")
    peer = user.connect(server, call)
    user.tell(call, "pause")
    call.dtmf("1")
    peer.wait_for(lambda peer: any('"dtmf"' in text for text in peer.texts))
    user.tell(call, "resume")
    before = len(peer.texts)
    peer.wait_for(lambda peer: len(peer.texts) > before + 5)
    assert {orjson.loads(text).get("type", "dtmf") for text in peer.texts} == {"audio", "dtmf"}
    assert server.peers == [peer]
