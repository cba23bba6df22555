"""The programs of the documentation run as they stand, against the embedded switch; only addresses are put in."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import wave
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.services.agent.wav import write_wav
from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.engine.harness import Platform, find, noise, until
from tests.programs import has_said, running

from .event_socket import EmbeddedEventSocket
from .pages import EXAMPLES, included_examples, prepared, prepared_for_node

pytestmark = pytest.mark.slow

RATE = 8000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def port_of(lines: list[str]) -> int:
    """Where a program says that it listens."""
    until(lambda: has_said(lines, "listening on port"), 120)
    return int(next(line for line in lines if "listening on port" in line).split()[-1])


def greeting() -> Samples:
    return noise(RATE // 2, 21)


def silence(seconds: float) -> Samples:
    return np.zeros(int(RATE * seconds), np.int16)


def converse(platform: Platform, port: int, lines: list[str]) -> None:
    """A caller hears the greeting, says something, and hears it again; then presses #, which ends the stream."""
    call = platform.call()
    platform.start(call, f"ws://127.0.0.1:{port}/", rate=RATE)
    until(lambda: find(call.heard(), greeting()) >= 0)
    until(lambda: has_said(lines, "answer-1"))
    said = noise(RATE, 22)
    call.say(np.concatenate([said, silence(1)]))
    until(lambda: find(call.heard(), said) >= 0)
    assert call.dtmf("#")
    assert platform.event("stream_stopped", call)["reason"] == "server_closed"


def interrupt(platform: Platform, port: int) -> None:
    """A caller who speaks while being greeted does not hear the greeting to its end."""
    call = platform.call(speech=np.concatenate([silence(0.1), noise(RATE, 23), silence(1)]), speed=1)
    platform.start(call, f"ws://127.0.0.1:{port}/", rate=RATE)
    assert platform.event("media_play_complete", call, checkpoint="answer-1")["status"] == "cleared"
    platform.tell(call, "stop")
    platform.event("stream_stopped", call)


def test_talking_agent_in_python(platform: Platform, tmp_path: Path) -> None:
    write_wav(tmp_path / "greeting.wav", greeting(), RATE)
    command = [sys.executable, prepared("talking_agent.py", tmp_path), "greeting.wav", "0"]
    with running(command, tmp_path) as lines:
        converse(platform, port_of(lines), lines)


def test_talking_agent_in_python_is_interrupted(platform: Platform, tmp_path: Path) -> None:
    write_wav(tmp_path / "greeting.wav", noise(20 * RATE, 24), RATE)
    command = [sys.executable, prepared("talking_agent.py", tmp_path), "greeting.wav", "0"]
    with running(command, tmp_path) as lines:
        interrupt(platform, port_of(lines))


def test_talking_agent_in_node(platform: Platform, tmp_path: Path, node_modules: Path) -> None:
    write_wav(tmp_path / "greeting.wav", greeting(), RATE)
    name = prepared_for_node("talking_agent.mjs", tmp_path, node_modules)
    with running(["node", name, "greeting.wav", "0"], tmp_path) as lines:
        converse(platform, port_of(lines), lines)


def test_talking_agent_in_node_is_interrupted(platform: Platform, tmp_path: Path, node_modules: Path) -> None:
    write_wav(tmp_path / "greeting.wav", noise(20 * RATE, 24), RATE)
    name = prepared_for_node("talking_agent.mjs", tmp_path, node_modules)
    with running(["node", name, "greeting.wav", "0"], tmp_path) as lines:
        interrupt(platform, port_of(lines))


def test_echo_server(platform: Platform, tmp_path: Path) -> None:
    port, said = free_port(), noise(2 * RATE, 25)
    name = prepared("echo_server.py", tmp_path, **{'"127.0.0.1", 8080': f'"127.0.0.1", {port}'})
    with running([sys.executable, name], tmp_path) as lines:
        until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 120)
        call = platform.call()
        platform.start(call, f"ws://127.0.0.1:{port}/", rate=RATE)
        until(lambda: has_said(lines, "'start'"))
        call.say(np.concatenate([said, silence(3)]))
        until(lambda: find(call.heard(), said) >= 0)
        until(lambda: has_said(lines, "'checkpoint'"))


def test_binary_server(platform: Platform, tmp_path: Path) -> None:
    said = noise(RATE, 26)
    with running([sys.executable, prepared("binary_server.py", tmp_path), "0"], tmp_path) as lines:
        port = port_of(lines)
        call = platform.call()
        platform.start(call, f"{{protocol=binary}}ws://127.0.0.1:{port}/", stream_id="clip", track="both", rate=RATE)
        platform.event("stream_started", call, "clip")
        platform.run(f"{call.uuid} clip stop")
        platform.event("stream_stopped", call, "clip")
        until(lambda: has_said(lines, "wrote clip.wav"))
        call = platform.call(speech=said)
        platform.start(call, f"{{protocol=binary}}ws://127.0.0.1:{port}/", stream_id="clip", rate=RATE)
        until(lambda: find(call.heard(), said[-RATE // 4:]) >= 0)
        call.hangup()
        until(lambda: sum("wrote clip.wav" in line for line in list(lines)) == 2)
    with wave.open(str(tmp_path / "clip.wav")) as wav:
        assert (wav.getnchannels(), wav.getframerate()) == (1, RATE)
        kept = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(np.int16)
    assert find(kept, said[-RATE // 4:]) >= 0


def test_community_server(platform: Platform, tmp_path: Path, node_modules: Path) -> None:
    said = noise(RATE, 27)
    name = prepared_for_node("community_server.mjs", tmp_path, node_modules)
    with running(["node", name, "0"], tmp_path) as lines:
        port = port_of(lines)
        call = platform.call(variables={"STREAM_PLAYBACK": "true"})
        assert platform.run(f"{call.uuid} start ws://127.0.0.1:{port}/ mono 8k hello") == "+OK Success"
        until(lambda: has_said(lines, "text: hello"))
        call.say(np.concatenate([said, silence(2)]))
        until(lambda: find(call.heard(), said) >= 0)
        assert platform.run(f"{call.uuid} stop bye") == "+OK Success"
        until(lambda: has_said(lines, "text: bye"))
        until(lambda: has_said(lines, "closed: 1000"))


def follow(platform: Platform, command: Callable[[EmbeddedCall, int, str], list[str]], folder: Path) -> list[str]:
    """Have a program start a stream over the event socket and follow it to the end, which is a hangup."""
    with EmbeddedEventSocket(platform.switch) as event_socket, Agent() as agent:
        call = platform.call()
        with running(command(call, event_socket.port, agent.url), folder) as lines:
            platform.started[call.uuid, "demo"] += 1
            until(lambda: has_said(lines, "stream_started"), 120)
            call.hangup()
            until(lambda: has_said(lines, "stream_stopped"))
    return [line.split()[0].strip() for line in lines]


def test_following_a_stream_in_python(platform: Platform, tmp_path: Path) -> None:
    def command(call: EmbeddedCall, port: int, url: str) -> list[str]:
        name = prepared("follow.py", tmp_path, **{"port=8021": f"port={port}", "ws://127.0.0.1:8080/": url})
        return [sys.executable, name, call.uuid]
    told = follow(platform, command, tmp_path)
    assert told == ["+OK", *(f"mod_audio_stream::{name}" for name in (
        "connection_established", "stream_started", "connection_closed", "stream_stopped"))]


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_following_a_stream_in_node(platform: Platform, tmp_path: Path) -> None:
    told = follow(platform, lambda call, port, url: ["node", prepared("follow.mjs", tmp_path), call.uuid, str(port),
                                                     url], tmp_path)
    assert told == ["+OK", "mod_audio_stream::stream_started", "mod_audio_stream::stream_stopped"]


def test_program_on_the_embedded_switch(tmp_path: Path) -> None:
    with Agent(speech=(greeting(), RATE)) as agent:
        done = subprocess.run([sys.executable, prepared("embedded_switch.py", tmp_path), agent.url], cwd=tmp_path,
                              capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    answer, started, heard, stopped = done.stdout.split("\n", 3)
    assert answer == "+OK Success"
    assert json.loads(started)["streamId"] == "demo"
    assert float(heard.split()[3]) >= len(greeting()) / RATE
    assert json.loads(stopped)["reason"] == "hangup"
    assert agent.sessions[0].sample_count("inbound") > 0


def test_every_example_is_on_a_page_and_is_run_here() -> None:
    files = {file.name for file in EXAMPLES.iterdir()}
    tested = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert files == included_examples()
    assert [name for name in files if f'"{name}"' not in tested] == []


def test_an_agent_whose_functions_are_answered(platform: Platform, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn

    def reply(turn: Turn) -> Reply:
        if not turn.items:
            return Reply("Good morning!", np.full(2400, 1000, np.int16))
        if turn.items[-1].role == "function_call_output":
            return Reply(f"We have {turn.items[-1].body['output']}", np.full(2400, 1000, np.int16))
        return Reply(call=("stock", '{"article":"tea"}'))
    with EmbeddedEventSocket(platform.switch) as event_socket, RealtimeServer(Script(reply), key="") as service:
        call = platform.call(app="playback", speed=2)
        name = prepared("agent_functions.py", tmp_path, **{
            "port=8021": f"port={event_socket.port}",
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1": service.url + "/realtime?model=m"})
        with running([sys.executable, name, call.uuid], tmp_path) as lines:
            platform.started[call.uuid, "agent"] += 1
            until(lambda: has_said(lines, "agent: Good morning!"), 120)
            call.say(np.concatenate([np.tile(np.array([8000, -8000], np.int16), 1600), np.zeros(8000, np.int16)]))
            until(lambda: has_said(lines, 'agent: We have {"grams": 700}'))
            call.hangup()
        assert service.sessions[0].invalid == []
