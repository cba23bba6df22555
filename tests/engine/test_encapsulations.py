"""rtp, sln and audiosocket on calls of the embedded switch: both ways, to the sample; and external_media_start."""

from __future__ import annotations

import base64
import json
import shutil
import struct
import subprocess
import uuid
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Samples, mulaw_to_samples, samples_to_mulaw
from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall
from freeswitch_audio_stream.testing.peers.audiosocket_end import AUDIO, DIGIT, ERROR, HANGUP, UUID, AudioSocketEnd
from freeswitch_audio_stream.testing.peers.raw_websocket import (BINARY, CLOSE, PING, PONG, TEXT, RawPeer, RawServer,
                                                                 frame)

from .harness import Platform, audible, find, noise, until

pytestmark = pytest.mark.slow

SPEECH, PROMPT = noise(4000, seed=11), noise(4000, seed=12)
OVER_WEBSOCKET = ("rtp", "sln", "audiosocket")
EVERY = (*OVER_WEBSOCKET, "tcp")


def linear(samples: Samples) -> bytes:
    return samples.astype("<i2").tobytes()


def heard_as(encapsulation: str, samples: Samples) -> Samples:
    """What is left of samples on the other side."""
    return mulaw_to_samples(samples_to_mulaw(samples)) if encapsulation == "rtp" else samples


class Peer:
    """A server of one encapsulation, whichever it is."""

    def __init__(self, server: RawServer, encapsulation: str) -> None:
        self.encapsulation = encapsulation
        self._server = server
        self._sequence = 0
        self.others: list[tuple[int, bytes]] = []
        """Whatever came that was not audio."""

    @property
    def url(self) -> str:
        if self.encapsulation == "tcp":
            return f"audiosocket://127.0.0.1:{self._server.port}"
        return f"{{protocol={self.encapsulation}}}{self._server.url}"

    def accept(self) -> None:
        if self.encapsulation == "tcp":
            self.frames = AudioSocketEnd(self._server.accept_silently())
            assert self.frames.hear()[0] == UUID
        else:
            self.web = self._server.accept()

    def flows(self) -> None:
        """Wait until what the call says from now on is heard: over TCP, what it said before is not."""
        if self.encapsulation == "tcp":
            while self.frames.hear()[0] < AUDIO:
                pass

    def play(self, samples: Samples) -> None:
        """Have the caller hear samples, sent at once."""
        if self.encapsulation == "tcp":
            self.frames.play(samples)
            return
        for start in range(0, len(samples), 160):
            self.web.send(frame(BINARY, self._packet(samples[start:start + 160])))

    def _packet(self, samples: Samples) -> bytes:
        if self.encapsulation != "rtp":
            return linear(samples)
        header = struct.pack("!BBHII", 0x80, 0, self._sequence, 160 * self._sequence, 0xABCD)
        self._sequence += 1
        return header + samples_to_mulaw(samples).tobytes()

    def hear(self, wanted: Samples) -> None:
        """Wait until these samples have come."""
        data = np.zeros(0, np.int16)
        while find(data, heard_as(self.encapsulation, wanted)) < 0:
            kind, payload = self.frames.hear() if self.encapsulation == "tcp" else self.web.hear()
            if kind != (AUDIO if self.encapsulation == "tcp" else BINARY):
                self.others.append((kind, payload))
                continue
            assert len(payload) == {"rtp": 172}.get(self.encapsulation, 320)
            data = np.concatenate([data, self._samples(payload)])

    def _samples(self, payload: bytes) -> Samples:
        if self.encapsulation == "rtp":
            assert payload[0] == 0x80 and payload[1] & 127 == 0
            return mulaw_to_samples(np.frombuffer(payload[12:], np.uint8))
        return np.frombuffer(payload, "<i2").astype(np.int16)


def has_heard(call: EmbeddedCall, wanted: Samples) -> bool:
    """Whether the caller has heard these samples and no others; in between there may be silence, where a message came
    later than its turn.
    """
    return np.array_equal(audible(call.heard()), audible(wanted))


def open_stream(platform: Platform, peer: Peer, call: EmbeddedCall, **options: Any) -> None:
    platform.start(call, peer.url, **options)
    peer.accept()
    peer.flows()
    platform.event("connection_established", call)


@pytest.mark.parametrize("encapsulation", EVERY)
@pytest.mark.parametrize("app", ["park", "playback"])
def test_both_ways(platform: Platform, server: RawServer, encapsulation: str, app: str) -> None:
    call = platform.call(app=app)
    peer = Peer(server, encapsulation)
    open_stream(platform, peer, call)
    call.say(SPEECH)
    peer.play(PROMPT)
    peer.hear(SPEECH)
    assert peer.others == []
    until(lambda: has_heard(call, heard_as(encapsulation, PROMPT)))
    name = "audiosocket" if encapsulation == "tcp" else encapsulation
    started = platform.event("stream_started", call)
    assert (started["protocol"], started["codec"]) == (name, "MULAW" if encapsulation == "rtp" else "L16")


def test_nobody_can_guess_an_rtp_stream(platform: Platform, server: RawServer) -> None:
    firsts = []
    for _ in range(3):
        call = platform.call()
        platform.start(call, f"{{protocol=rtp}}{server.url}")
        peer = server.accept()
        packets = [peer.hear()[1] for _ in range(3)]
        assert [packet[1] for packet in packets] == [0x80, 0, 0], "the marker begins the talk spurt"
        firsts.append(struct.unpack("!HII", packets[0][2:12]))
    for values in zip(*firsts):
        assert len(set(values)) > 1, "sequence number, timestamp and SSRC are random"


@pytest.mark.parametrize("encapsulation", ["sln", "audiosocket", "tcp"])
def test_at_16_kHz(platform: Platform, server: RawServer, encapsulation: str) -> None:
    call = platform.call(codec=CodecSpec("L16", 16000))
    peer = Peer(server, encapsulation)
    platform.start(call, peer.url, rate=16000)
    peer.accept()
    peer.flows()
    call.say(SPEECH)
    data = b""
    wanted = linear(SPEECH)
    kinds = set()
    while wanted not in data:
        kind, payload = peer.frames.hear() if encapsulation == "tcp" else peer.web.hear()
        kinds.add(kind)
        data += payload
    assert kinds == {0x12 if encapsulation == "tcp" else BINARY}
    if encapsulation == "tcp":
        peer.frames.play(PROMPT, 0x12, 320)
    else:
        peer.web.send(frame(BINARY, linear(PROMPT)))
    until(lambda: has_heard(call, PROMPT))


@pytest.mark.parametrize("encapsulation", EVERY)
def test_both_tracks_are_heard_together(platform: Platform, server: RawServer, encapsulation: str) -> None:
    call = platform.call(app="echo")
    peer = Peer(server, encapsulation)
    open_stream(platform, peer, call, track="both")
    assert platform.event("stream_started", call)["track"] == "mixed"
    assert platform.status(call)["track"] == "mixed"


def test_a_channel_variable_chooses_it(platform: Platform, server: RawServer) -> None:
    call = platform.call(variables={"MOD_AUDIO_STREAM_PROTOCOL": "sln"})
    platform.start(call, server.url)
    peer = server.accept()
    assert peer.hear()[0] == BINARY


@pytest.mark.parametrize("words, reason", [
    ("{protocol=rtp}ws://127.0.0.1:9/ inbound 16000 0 1", "carries 8000 Hz, and not 16000 Hz"),
    ("{protocol=sln}ws://127.0.0.1:9/ inbound mulaw 8000 0 1", "carries linear samples of 16 bits"),
    ("audiosocket://127.0.0.1:9 inbound mulaw 8000 0 1", "carries linear samples of 16 bits"),
    ("audiosocket://127.0.0.1 inbound 8000 0 1", "AudioSocket has no port of its own"),
])
def test_what_cannot_be_carried_is_refused(platform: Platform, words: str, reason: str) -> None:
    call = platform.call()
    answer = platform.switch.execute(f"uuid_audio_stream {call.uuid} s start {words}")
    assert answer.startswith("-ERR") and reason in answer
    assert platform.names(call) == []


@pytest.mark.parametrize("encapsulation", OVER_WEBSOCKET)
def test_there_are_no_texts(platform: Platform, server: RawServer, encapsulation: str) -> None:
    call = platform.call()
    peer = Peer(server, encapsulation)
    open_stream(platform, peer, call)
    answer = platform.run(f"{call.uuid} s send_text {{}}")
    assert answer == (f"-ERR the protocol {encapsulation} has no text messages: start the stream with the protocol "
                      "json, binary or community to exchange text")
    peer.web.say({"event": "media.clear"})
    assert platform.event("stream_error", call)["kind"] == "text"
    call.dtmf("5")
    platform.event("dtmf", call, digit="5")
    platform.tell(call, "stop bye")
    heard = []
    while (CLOSE, b"\x03\xe8") not in heard:
        opcode, payload = peer.web.hear()
        heard.append((opcode, payload) if opcode != BINARY else (opcode, b""))
    assert set(heard) <= {(BINARY, b""), (CLOSE, b"\x03\xe8")}


def test_what_the_examples_send_without_a_header_is_told_and_does_no_harm(platform: Platform,
                                                                          server: RawServer) -> None:
    call = platform.call()
    peer = Peer(server, "rtp")
    open_stream(platform, peer, call)
    peer.web.send(frame(BINARY, bytes(172)) + frame(BINARY, b"\xff" * 160) * 49)
    error = platform.event("stream_error", call)
    assert error["kind"] == "rtp_malformed" and "RFC 3550" in error["error"]
    until(lambda: platform.status(call)["rtpMalformed"] == 50)
    peer.play(PROMPT)
    until(lambda: has_heard(call, heard_as("rtp", PROMPT)))
    platform.tell(call, "stop")
    stopped = platform.event("stream_stopped", call)["statistics"]
    assert (stopped["rtpMalformed"], stopped["rtpLost"], stopped["rtpUnknown"]) == (50, 0, 0)


def test_a_client_that_sends_frames_within_a_websocket(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    peer = Peer(server, "audiosocket")
    open_stream(platform, peer, call)
    tlv = [struct.pack("!BH", AUDIO, 320) + linear(PROMPT[start:start + 160]) for start in range(0, 4000, 160)]
    peer.web.send(b"".join(frame(BINARY, one) for one in tlv))
    until(lambda: has_heard(call, PROMPT))
    call.dtmf("2")
    digits = []
    while not digits:
        opcode, payload = peer.web.hear()
        if len(payload) != 320:
            digits.append((opcode, payload))
    assert digits == [(BINARY, b"\3\0\x012")]
    peer.web.send(frame(BINARY, b"\0\0\0"))
    assert peer.web.hear_close() == 1000
    assert platform.event("stream_stopped", call)["reason"] == "server_closed"


# Faster than it is heard.

@pytest.mark.parametrize("encapsulation", EVERY)
def test_a_server_that_sends_too_fast_is_told_and_slowed(platform: Platform, server: RawServer,
                                                         encapsulation: str) -> None:
    call = platform.call(app="playback", speed=20)
    long = noise(160 * 750, seed=3)
    peer = Peer(server, encapsulation)
    prefix = "{playback-secs=1,ping-secs=1}" if encapsulation == "tcp" else (
        f"{{playback-secs=1,ping-secs=1,protocol={encapsulation}}}")
    platform.start(call, prefix + peer.url.rpartition("}")[2])
    peer.accept()
    peer.play(long)
    until(lambda: platform.status(call)["playbackQueueMs"] >= 1000)
    wanted = heard_as(encapsulation, long)
    until(lambda: has_heard(call, wanted))
    errors = platform.events("stream_error", call)
    assert [error["kind"] for error in errors] == ["playback_full"] and "no more is read" in errors[0]["error"]
    status = platform.status(call)
    assert (status["state"], status["playbackDroppedMs"]) == ("streaming", 0)


def test_who_is_held_back_is_not_taken_for_dead(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback", speed=1)
    peer = Peer(server, "sln")
    platform.start(call, f"{{playback-secs=2,ping-secs=1,protocol=sln}}{server.url}")
    peer.accept()
    platform.tell(call, "pause_play")
    # All at once, and then the pongs wait behind it.
    peer.web.sock.settimeout(None)
    peer.web.send(frame(BINARY, linear(noise(32000)), mask=None))
    pings = 0
    while pings < 4:
        opcode, payload = peer.web.hear()
        if opcode == PING:
            pings += 1
            peer.web.send(frame(PONG, payload))
    assert platform.status(call)["state"] == "streaming"
    platform.tell(call, "stop")
    peer.web.hear_close()
    peer.web.send(frame(CLOSE, b"\x03\xe8"))
    assert platform.event("connection_closed", call)["code"] == 1000


def test_one_that_sends_too_slowly_is_silence(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback")
    peer = Peer(server, "sln")
    open_stream(platform, peer, call)
    for start in range(0, 800, 160):
        peer.play(PROMPT[start:start + 160])
        until(lambda: len(audible(call.heard())) == start + 160)
        silent = len(call.heard())
        until(lambda: len(call.heard()) > silent + 480)
    assert np.array_equal(audible(call.heard()), PROMPT[:800])


# AudioSocket over TCP.

def accept(server: RawServer) -> AudioSocketEnd:
    return AudioSocketEnd(server.accept_silently())


def test_the_uuid_comes_first(platform: Platform, server: RawServer) -> None:
    name = str(uuid.uuid4())
    call = platform.switch.call(name, codec=CodecSpec("L16"), speed=10)
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    assert accept(server).hear() == (UUID, uuid.UUID(name).bytes)


def test_a_server_that_reads_once_has_the_uuid_and_no_more(platform: Platform, server: RawServer) -> None:
    """Whatever has been captured by then: a library that takes its first read for the UUID loses nothing else."""
    name = str(uuid.uuid4())
    call = platform.switch.call(name, codec=CodecSpec("L16"), speed=1)
    platform.start(call, f"{{protocol=sln}}{server.url}")  # the call has been captured for a while, by another stream
    web = server.accept()
    for _ in range(10):
        web.hear()
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}", "tcp")
    sock = server.accept_silently()
    assert sock.recv(65536) == struct.pack("!BH", UUID, 16) + uuid.UUID(name).bytes
    assert AudioSocketEnd(sock).hear()[0] == AUDIO


def test_nothing_of_the_time_without_a_connection_is_sent(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    first = accept(server)
    first.hear_until(AUDIO)
    first.reset()
    platform.event("connection_closed", call, willReconnect=True)
    call.say(SPEECH)
    second = accept(server)
    second.hear_until(AUDIO)
    while not call.has_spoken():
        second.hear()
    status = platform.status(call)
    assert status["framesSkipped"] > 0 and status["framesDropped"] == 0 and status["captureQueueMs"] < 1000
    call.say(PROMPT)
    heard = np.zeros(0, np.int16)
    while find(heard, PROMPT) < 0:
        heard = np.concatenate([heard, second.hear_audio(160)])


def test_stop_hangs_up(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    peer = accept(server)
    peer.hear_until(AUDIO)
    platform.tell(call, "stop")
    assert peer.hear_until(HANGUP) == b""
    peer.sock.close()
    assert platform.event("stream_stopped", call)["reason"] == "requested"
    assert platform.events("connection_closed", call)[0]["willReconnect"] is False


def test_a_server_that_does_not_close_is_left(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    peer = accept(server)
    peer.hear_until(AUDIO)
    platform.tell(call, "stop")
    assert peer.ends()


@pytest.mark.parametrize("how", ["frame", "close"])
def test_the_server_hangs_up(platform: Platform, server: RawServer, how: str) -> None:
    call = platform.call(speed=1)
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    peer = accept(server)
    peer.hear_until(AUDIO)
    if how == "frame":
        peer.say(HANGUP)
        assert peer.ends()
    else:
        peer.sock.shutdown(1)
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "server_closed"
    assert platform.event("connection_closed", call)["code"] == 1000


def test_a_connection_that_breaks_is_made_again(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    first = accept(server)
    introduction = first.hear()
    first.say(AUDIO, b"\x7f")  # half a sample, which no other connection goes on with
    until(lambda: platform.status(call)["bytesReceived"] == 4)
    first.reset()
    second = accept(server)
    assert second.hear() == introduction
    assert platform.event("connection_closed", call)["willReconnect"] is True
    second.play(PROMPT)
    until(lambda: has_heard(call, PROMPT))


def test_digits_of_the_caller(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    peer = accept(server)
    peer.hear_until(AUDIO)
    for digit in "1#D":
        call.dtmf(digit)
        assert peer.hear_until(DIGIT) == digit.encode()


def test_errors_and_unknown_kinds_are_told_and_never_fatal(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, f"audiosocket://127.0.0.1:{server.port}")
    peer = accept(server)
    peer.hear_until(AUDIO)
    peer.say(ERROR, b"\2")
    peer.say(ERROR)
    for kind in (0x02, 0x42, 0x19):
        peer.say(kind, b"x" * 1000)
    peer.play(PROMPT)
    until(lambda: has_heard(call, PROMPT))
    until(lambda: platform.status(call)["errors"] == 5)
    errors = platform.events("stream_error", call)
    assert [error["kind"] for error in errors] == ["audiosocket_error", "audiosocket_kind"]
    assert "code 0x02, a frame could not be forwarded" in errors[0]["error"]
    assert platform.status(call)["state"] == "streaming"


def test_nobody_listens(platform: Platform) -> None:
    call = platform.call()
    with RawServer() as server:
        port = server.port
    platform.start(call, f"audiosocket://127.0.0.1:{port}")
    assert f"127.0.0.1:{port} does not accept connections" in platform.event("connection_failed", call)["error"]


@pytest.fixture(scope="session")
def node_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """npm's asterisk-audiosocket; the tests that need it are skipped where it cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("node")
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "asterisk-audiosocket@0.1.0"],
                   capture_output=True, timeout=120, check=False)
    entry = folder / "node_modules" / "asterisk-audiosocket" / "dist" / "index.js"
    if not entry.exists():
        pytest.skip("npm could not install asterisk-audiosocket")
    return entry


@pytest.fixture
def node(node_package: Path, tmp_path: Path) -> Iterator[Any]:
    """Starts a server on that package, which plays PROMPT; answers its process."""
    (tmp_path / "prompt.raw").write_bytes(linear(PROMPT))
    script = Path(__file__).parent.parent / "data" / "audiosocket_server.mjs"
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        words = ["node", str(script), str(node_package), str(tmp_path / "prompt.raw"), *options]
        started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]
    yield start
    for process in started:
        process.communicate(timeout=20)


def facts(process: subprocess.Popen[str], wanted: str) -> Iterator[dict[str, Any]]:
    """What the server says, up to the first fact of that name."""
    assert process.stdout is not None
    for line in process.stdout:
        fact = json.loads(line)
        yield fact
        if wanted in fact:
            return


def sound_of(heard: list[dict[str, Any]]) -> Samples:
    return np.frombuffer(b"".join(base64.b64decode(fact["audio"]) for fact in heard if "audio" in fact), "<i2")


def test_a_server_written_for_asterisk(platform: Platform, node: Any) -> None:
    name = str(uuid.uuid4())
    call = platform.switch.call(name, codec=CodecSpec("L16"), speed=1)
    process = node()
    (port,) = [fact["port"] for fact in facts(process, "port")]
    platform.start(call, f"audiosocket://127.0.0.1:{port}")
    heard = list(facts(process, "audio"))
    call.say(SPEECH)
    heard += facts(process, "played")
    while find(sound_of(heard), SPEECH) < 0:
        heard += facts(process, "audio")
    until(lambda: len(audible(call.heard())) >= len(PROMPT))
    platform.tell(call, "stop")
    heard += facts(process, "hangup")
    assert heard[0] == {"id": name} and not any("error" in fact for fact in heard)
    # Its 20 ms come from a clock of its own: between them there may be silence, but nothing is lost or added.
    assert np.array_equal(audible(call.heard()), PROMPT)


def test_a_server_written_for_asterisk_hangs_up(platform: Platform, node: Any) -> None:
    call = platform.call(speed=1)
    process = node("hangup")
    (port,) = [fact["port"] for fact in facts(process, "port")]
    platform.start(call, f"audiosocket://127.0.0.1:{port}")
    list(facts(process, "hangup"))
    assert platform.event("stream_stopped", call)["reason"] == "server_closed"


# External media.

@pytest.mark.parametrize("encapsulation", EVERY)
def test_external_media_only_plays(platform: Platform, server: RawServer, encapsulation: str) -> None:
    call = platform.call()
    call.say(SPEECH)
    peer = Peer(server, encapsulation)
    url, words = peer.url.rpartition("}")[2], "audiosocket" if encapsulation == "tcp" else encapsulation
    answer = platform.run(f"{call.uuid} s external_media_start {url} {words}")
    assert answer == "+OK Success"
    platform.started[call.uuid, "s"] += 1
    peer.accept()
    peer.play(PROMPT)
    wanted = heard_as(encapsulation, PROMPT)
    until(lambda: has_heard(call, wanted))
    assert platform.status(call)["framesCaptured"] == 0
    call.dtmf("5")
    platform.event("dtmf", call, digit="5")
    platform.tell(call, "stop")
    if encapsulation == "tcp":
        assert peer.frames.hear() == (HANGUP, b"")
        assert peer.frames.ends()
    else:
        assert peer.web.hear() == (CLOSE, b"\x03\xe8")
    assert "stream_started" in platform.names(call)


@pytest.mark.parametrize("encapsulation", EVERY)
@pytest.mark.parametrize("end", ["closes", "stop", "hangup"])
def test_what_the_server_sent_before_it_left_is_heard(platform: Platform, server: RawServer, encapsulation: str,
                                                      end: str) -> None:
    call = platform.call(app="playback", speed=10) if end == "closes" else platform.call(speed=1)
    peer = Peer(server, encapsulation)
    url, words = peer.url.rpartition("}")[2], "audiosocket" if encapsulation == "tcp" else encapsulation
    platform.started[call.uuid, "s"] += 1
    assert platform.run(f"{call.uuid} s external_media_start {url} {words}") == "+OK Success"
    peer.accept()
    long = noise(32000 if end == "closes" else 80000, seed=5)
    peer.play(long)
    if encapsulation == "tcp":
        peer.frames.say(HANGUP)
    else:
        peer.web.send(frame(CLOSE, b"\x03\xe8"))
        assert peer.web.hear_close() == 1000
        peer.web.sock.close()
    platform.event("connection_closed", call, code=1000)
    if end == "stop":
        platform.tell(call, "stop")
    elif end == "hangup":
        call.hangup()
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "server_closed"
    if end == "closes":
        assert has_heard(call, heard_as(encapsulation, long))


def test_the_application_external_media_start(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    assert call.application("external_media_start", json.dumps({"url": server.url, "encapsulation": "audiosocket"}))
    platform.started[call.uuid, "external_media"] += 1
    assert call.variables["uuid_audio_stream_result"] == "+OK Success"
    peer = Peer(server, "audiosocket")
    peer.accept()
    peer.play(PROMPT)
    until(lambda: has_heard(call, PROMPT))
    assert platform.status(call, "external_media")["protocol"] == "audiosocket"


def test_the_application_tells_what_is_wrong(platform: Platform) -> None:
    call = platform.call()
    assert call.application("external_media_start", "ws://user:secret@127.0.0.1:9/ mp3")
    assert call.variables["uuid_audio_stream_result"] == (
        "-ERR bad encapsulation 'mp3': use one of rtp, sln, audiosocket")
    lines = [line.text for line in platform.switch.log_lines if "external_media_start" in line.text]
    assert len(lines) == 1 and "secret" not in lines[0]


def test_texts_on_external_media(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.started[call.uuid, "s"] += 1
    assert platform.run(f"{call.uuid} s external_media_start {server.url} rtp") == "+OK Success"
    peer: RawPeer = server.accept()
    peer.send(frame(TEXT, b"hello"))
    assert platform.event("stream_error", call)["kind"] == "text"
