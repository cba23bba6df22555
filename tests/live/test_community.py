"""Servers, commands and events of the community module's users, unchanged, with a real FreeSWITCH."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import psutil
import pytest
import soxr
from numpy.typing import NDArray

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.services.agent.session import AgentSession
from freeswitch_audio_stream.services.agent.wav import read_wav, write_wav
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Recording, Server, stream_audio
from tests.node import install_ws

from .conftest import DATA, Pair, call, likeness, wait_until

Samples = NDArray[np.int16]
EVENTS = "CUSTOM " + " ".join(
    f"mod_audio_stream::{name}" for name in ("connect", "disconnect", "error", "json", "play"))
METADATA = '{"tenant": "seven", "words": "two words"}'
STREAMS = 20


@pytest.fixture
def events(events: EventSocket) -> EventSocket:
    events.subscribe(EVENTS)
    return events


def bodies(events: EventSocket, name: str, uuid: str) -> list[str]:
    return [event["_body"] for event in list(events.events)
            if event.get("Event-Subclass") == f"mod_audio_stream::{name}" and event["Unique-ID"] == uuid]


def body(events: EventSocket, name: str, uuid: str) -> Any:
    """Of the first event with that name, as soon as it is there."""
    wait_until(lambda: bodies(events, name, uuid))
    return json.loads(bodies(events, name, uuid)[0])


def tell(events: EventSocket, uuid: str, words: str) -> None:
    answer = events.api(f"uuid_audio_stream {uuid} {words}")
    assert answer == "+OK Success", answer


def start(events: EventSocket, uuid: str, url: str, words: str, **variables: str) -> None:
    for name, value in variables.items():
        assert events.api(f"uuid_setvar {uuid} {name} {value}").startswith("+OK")
    tell(events, uuid, f"start {url} {words}")


# Servers written for the community module.

class NodePeer(Recording):
    """The end of the one connection of a Node server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        assert process.stdin is not None and process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self.port: int = json.loads(self._output.readline())["port"]
        self.tenant = self.extensions = ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._output:
            said = json.loads(line)
            if "closed" in said:
                self.end(said["closed"], said["reason"])
            elif "extensions" in said:
                self.tenant, self.extensions = said["tenant"], said["extensions"]
            else:
                self.keep(said["text"] if "text" in said else base64.b64decode(said["audio"]))

    def send(self, message: str | dict[str, Any]) -> None:
        self._input.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self._input.flush()

    def join(self) -> None:
        self._thread.join()


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Node finds the package ``ws``."""
    folder = tmp_path_factory.mktemp("node")
    install_ws(folder)
    shutil.copy(Path(__file__).parent / "node_server.js", folder)
    return folder


@pytest.fixture
def node_peer(node_folder: Path) -> Iterator[NodePeer]:
    with subprocess.Popen(["node", "node_server.js"], cwd=node_folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        peer = NodePeer(process)
        yield peer
        process.kill()
        peer.join()


def test_a_node_server_works_unchanged(freeswitch: FreeSwitch, events: EventSocket, node_peer: NodePeer, tmp_path: Path,
                                       caller_speech: Samples, agent_speech: Samples) -> None:
    pair = _begin(freeswitch, events, f"ws://127.0.0.1:{node_peer.port}/path?query=1", tmp_path)
    _converse(events, pair, node_peer, tmp_path, caller_speech, agent_speech)
    assert "permessage-deflate" in node_peer.extensions and node_peer.tenant == "seven"


def test_a_python_server_works_unchanged(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path,
                                         caller_speech: Samples, agent_speech: Samples) -> None:
    with Server() as server:
        pair = _begin(freeswitch, events, server.url, tmp_path)
        peer = server.wait_for_peer()
        _converse(events, pair, peer, tmp_path, caller_speech, agent_speech)
        assert peer.extensions and peer.headers["X-Tenant"] == "seven"


def _begin(freeswitch: FreeSwitch, events: EventSocket, url: str, folder: Path) -> Pair:
    pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
    events.api(f"uuid_record {pair.caller} start {folder / 'heard.wav'}")
    start(events, pair.leg, url, f"mixed 16k {METADATA}", STREAM_PLAYBACK="true", STREAM_HEART_BEAT="1",
          STREAM_EXTRA_HEADERS='{"X-Tenant":"seven"}')
    assert body(events, "connect", pair.leg) == {"status": "connected"}
    return pair


def _converse(events: EventSocket, pair: Pair, peer: Peer | NodePeer, folder: Path, caller_speech: Samples,
              agent_speech: Samples) -> None:
    peer.wait_for(lambda peer: len(peer.chunks) >= 10)
    assert peer.messages[0] == METADATA
    text = json.dumps({"type": "transcript", "text": "said again and again " * 20})
    peer.send(text)
    peer.send("no JSON")
    said = agent_speech[:32000]
    for begin in (0, 16000):
        peer.send(stream_audio("raw", said[begin:begin + 16000].astype("<i2").tobytes(), sampleRate=16000, turn=begin))
    wait_until(lambda: any("queue_completed" in told for told in bodies(events, "play", pair.leg)))
    assert bodies(events, "json", pair.leg) == [text, "no JSON"]
    files = [Path(told["file"]) for told in map(json.loads, bodies(events, "play", pair.leg)) if "file" in told]
    assert len(files) == 2 and files[0].read_bytes() == said[:16000].astype("<i2").tobytes()
    words = "tell it: größer than that"
    tell(events, pair.leg, f"send_text {words}")
    tell(events, pair.leg, "stop bye bye")
    assert peer.closed() == 1000
    assert peer.texts == [METADATA, words, "bye bye"]
    assert {len(chunk) for chunk in peer.chunks[:-1]} == {640} and len(peer.chunks[-1]) <= 640
    assert body(events, "disconnect", pair.leg)["message"]["code"] == 1000
    _check_sound(events, pair, peer, folder, caller_speech, said)
    wait_until(lambda: not any(file.exists() for file in files))


def _check_sound(events: EventSocket, pair: Pair, peer: Recording, folder: Path, caller_speech: Samples,
                 said: Samples) -> None:
    events.api(f"uuid_record {pair.caller} stop {folder / 'heard.wav'}")
    events.api(f"uuid_kill {pair.caller}")
    wait_until(lambda: events.api(f"uuid_exists {pair.leg}") == "false")
    heard = read_wav(folder / "heard.wav")[0]
    assert likeness(heard, soxr.resample(said, 16000, 8000, quality="VHQ"), 8000) > 0.97
    # The mix holds the caller and what the caller hears; before the answer was played, the caller alone.
    mixed = peer.audio()
    caller = soxr.resample(caller_speech, 8000, 16000, quality="VHQ")[:len(mixed)]
    assert likeness(mixed, caller, 16000) > 0.5


# One leg, and odd packets.

@pytest.mark.parametrize("chunk_ms", [20, 100])
def test_packets_of_30_ms_give_exact_chunks(freeswitch: FreeSwitch, events: EventSocket, caller_speech: Samples,
                                            chunk_ms: int) -> None:
    pair = call(freeswitch, events, "park", "PCMU@30i", DATA / "caller_8k.wav")
    assert events.api(f"uuid_getvar {pair.leg} rtp_use_codec_ptime") == "30"
    with Server() as server:
        start(events, pair.leg, server.url, "mono", STREAM_BUFFER_SIZE=str(chunk_ms))
        peer = server.wait_for_peer()
        peer.wait_for_bytes(4 * 16000)
        assert {len(chunk) for chunk in peer.chunks} == {16 * chunk_ms}
        assert likeness(peer.audio(), caller_speech[:len(peer.audio())], 8000) > 0.99


@pytest.mark.parametrize("mix, channels", [("mixed", 1), ("stereo", 2)])
def test_a_call_of_one_leg_sends_without_a_gap(freeswitch: FreeSwitch, events: EventSocket, caller_speech: Samples,
                                               mix: str, channels: int) -> None:
    pair = call(freeswitch, events, "park", "L16", DATA / "caller_8k.wav")
    with Server() as server, Agent() as control:
        # A stream of what the caller says, which does not care for the other direction, as a measure.
        answer = events.api(f"uuid_audio_stream {pair.leg} c start {control.url} inbound 8000 5 0")
        assert answer == "+OK Success"
        session = control.wait_for_session()
        session.wait_for(lambda session: session.sample_count() > 0)
        start(events, pair.leg, server.url, mix)
        peer = server.wait_for_peer()
        peer.wait_for_bytes(2 * channels * 4 * 8000)
        tell(events, pair.leg, "stop")
        assert peer.closed() == 1000
        audio = peer.audio(channels)
        caller = np.ascontiguousarray(audio[:, 0]) if channels == 2 else audio
        session.wait_for(lambda session: find(session.samples(), caller) >= 0)
        assert channels == 1 or not audio[:, 1].any()
        assert likeness(caller, caller_speech[:len(caller)], 8000) > 0.99


def find(whole: Samples, part: Samples) -> int:
    """Where `part` begins in `whole`, to the last bit; -1 where it is not in it."""
    at = whole.tobytes().find(part.tobytes())
    while at > 0 and at % 2:
        at = whole.tobytes().find(part.tobytes(), at + 1)
    return at // 2 if at >= 0 else -1


# A server that dies and comes back.

def test_twenty_streams_survive_their_server(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    write_wav(tmp_path / "noise.wav", random.integers(-8000, 8000, 8000 * 120).astype(np.int16), 8000)
    legs = [call(freeswitch, events, "park", "L16", tmp_path / "noise.wav").leg for _ in range(STREAMS)]
    with Server() as server, Agent() as control:
        for leg in legs:
            start(events, leg, server.url, f"mono 8k {leg}")
            # What is lost is seen on a stream to a server that stays.
            answer = events.api(f"uuid_audio_stream {leg} c start {control.url} inbound 8000 5 0")
            assert answer == "+OK Success"
        server.wait_for_peer(STREAMS)
        control.wait_for_session(STREAMS)
        for session in control.sessions:
            session.wait_for(lambda session: session.start and session.sample_count() > 0)
        witness = {session.start["uuid"]: session for session in control.sessions}
        first = by_metadata(server.peers)
        # The witnesses heard the beginning later; from here on, all of it.
        process, load = psutil.Process(freeswitch.pid), []
        load.append(share(process, lambda: witnesses_hear(witness, 8000)))
        server.kill()
        for leg in legs:
            assert body(events, "disconnect", leg)["message"]["code"] == 1006
        at_disconnect = {leg: witness[leg].sample_count() for leg in legs}
        load.append(share(process, lambda: witnesses_hear(witness, 12000)))
        server.restart()
        returned = time.monotonic()
        server.wait_for_peer(2 * STREAMS)
        second = by_metadata(server.peers[STREAMS:])
        assert second.keys() == first.keys() == set(legs)
        streams = {entry["uuid"]: entry for entry in json.loads(events.api("uuid_audio_stream list"))
                   if entry["streamId"] != "c"}
        in_flight = []
        for leg in legs:
            peer = second[leg]
            peer.wait_for_bytes(2 * 16000)
            resumed = peer.audio()
            witness[leg].wait_for(lambda session: find(session.samples(), resumed) >= 0)
            at = find(witness[leg].samples(), resumed)
            assert at <= at_disconnect[leg] + 4000, "what was said while the server was away is lost"
            in_flight.append(at - _end_of(witness[leg].samples(), first[leg].audio()))
            assert streams[leg]["framesDropped"] == 0 and peer.messages[0] == leg
        report(capsys, [second[leg].began - returned for leg in legs], [streams[leg]["reconnects"] for leg in legs],
               in_flight, load)
        assert max(streams[leg]["reconnects"] for leg in legs) < 20, "a storm"
        assert server.peers[2 * STREAMS:] == []
        for leg in legs:
            tell(events, leg, "stop")


def witnesses_hear(witness: dict[str, AgentSession], samples: int) -> None:
    """Wait until each has heard so many samples more."""
    before = {leg: session.sample_count() for leg, session in witness.items()}
    for leg, session in witness.items():
        session.wait_for(lambda session: session.sample_count() >= before[leg] + samples)


def share(process: psutil.Process, wait: Callable[[], None]) -> float:
    """Of one core, that a process uses while we wait."""
    cpu, began = process.cpu_times(), time.monotonic()
    wait()
    used = process.cpu_times()
    return float(used.user + used.system - cpu.user - cpu.system) / (time.monotonic() - began)


def by_metadata(peers: list[Peer]) -> dict[str, Peer]:
    """The peers by their first message, when each has had half a second of audio."""
    for peer in peers:
        peer.wait_for(lambda peer: peer.texts and len(peer.chunks) >= 25)
    return {str(peer.messages[0]): peer for peer in peers}


def _end_of(whole: Samples, part: Samples) -> int:
    """Where `part`, whose beginning may be missing in `whole`, ends there."""
    tail = part[-1600:]
    at = find(whole, tail)
    assert at >= 0
    return at + len(tail)


def report(capsys: pytest.CaptureFixture[str], seconds: list[float], tries: list[int], in_flight: list[int],
           load: list[float]) -> None:
    with capsys.disabled():
        print(f"\n{STREAMS} streams resumed {min(seconds):.2f} to {max(seconds):.2f} s (median "
              f"{np.median(seconds):.2f} s) after their server's return, after {min(tries)} to {max(tries)} tries; "
              f"{min(in_flight) // 8} to {max(in_flight) // 8} ms were on their way when it died; FreeSWITCH, with "
              f"{2 * STREAMS} calls and {2 * STREAMS} streams, used {load[0]:.0%} of a core before, {load[1]:.0%} "
              "meanwhile")


def test_without_a_file_the_caller_hears_it_all_the_same(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path,
                                                         agent_speech: Samples) -> None:
    with Server() as server:
        pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
        events.api(f"uuid_record {pair.caller} start {tmp_path / 'heard.wav'}")
        start(events, pair.leg, server.url, "mono 16k", STREAM_PLAYBACK="true", temp_dir=str(tmp_path / "missing"))
        peer = server.wait_for_peer()
        said = agent_speech[:64000]
        for begin in range(0, 64000, 16000):
            peer.send(stream_audio("raw", said[begin:begin + 16000].astype("<i2").tobytes(), sampleRate=16000))
        wait_until(lambda: any("queue_completed" in told for told in bodies(events, "play", pair.leg)))
        assert "create it" in body(events, "error", pair.leg)["message"]["error"]
        assert not any("file" in told for told in map(json.loads, bodies(events, "play", pair.leg)))
        tell(events, pair.leg, "stop")
    events.api(f"uuid_record {pair.caller} stop {tmp_path / 'heard.wav'}")
    heard = read_wav(tmp_path / "heard.wav")[0]
    assert likeness(heard, np.asarray(soxr.resample(said, 16000, 8000, quality="VHQ")), 8000) > 0.97
    assert sum("create it" in text for text in bodies(events, "error", pair.leg)) == 1
