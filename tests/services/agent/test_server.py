from __future__ import annotations

import base64
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from freeswitch_audio_stream import transports
from freeswitch_audio_stream.services.agent.server import BURST_SECONDS, Agent, main
from freeswitch_audio_stream.services.agent.session import AgentSession, Message
from freeswitch_audio_stream.services.agent.wav import read_wav, write_wav
from tests.transports import certificates

from .test_session import SPEECH, media, start

LIMIT = 60
DATA = Path(__file__).parents[2] / "data"


def say(stream: ClientConnection, message: Message) -> None:
    stream.send(orjson.dumps(message).decode())


def hear(stream: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(stream.recv(LIMIT))
    return message


def samples_of(played: dict[str, Any]) -> Any:
    assert played["event"] == "media.play" and played["payload"]["format"] == "LINEAR16"
    return np.frombuffer(base64.b64decode(played["payload"]["audioData"]), "<i2")


def test_it_speaks_when_a_stream_starts() -> None:
    speech, rate = read_wav(DATA / "agent_16k.wav")
    with Agent(speech=(speech, rate)) as agent, connect(agent.url) as stream:
        say(stream, start())
        bursts = [hear(stream)]
        while "checkpoint" not in bursts[-1]["payload"]:
            bursts.append(hear(stream))
    assert len(bursts) == -(-len(speech) // int(rate * BURST_SECONDS))
    assert np.array_equal(np.concatenate([samples_of(burst) for burst in bursts]), speech)
    assert bursts[-1]["payload"]["checkpoint"] == "agent-1"
    assert {burst["payload"]["sampleRate"] for burst in bursts} == {rate}
    assert {burst["streamId"] for burst in bursts} == {"s"}


@pytest.mark.parametrize("binary", [False, True])
def test_it_echoes_the_caller_and_not_itself(binary: bool) -> None:
    with Agent(echo=True) as agent, connect(agent.url) as stream:
        say(stream, start(track="both", channels=2))
        if binary:
            stream.send(np.stack([SPEECH, -SPEECH], axis=1).tobytes())
        else:
            say(stream, media(2, -SPEECH, track="outbound"))
            say(stream, media(3, SPEECH, track="inbound"))
        assert np.array_equal(samples_of(hear(stream)), SPEECH)


def test_it_records(tmp_path: Path) -> None:
    with Agent(record=tmp_path) as agent:
        for _ in range(2):
            with connect(agent.url) as stream:
                say(stream, start(streamId="../a b", track="both"))
                say(stream, media(2, SPEECH, track="inbound"))
                say(stream, media(3, -SPEECH, track="outbound"))
            agent.sessions[-1].wait_for(lambda session: session.close_code is not None)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        ".._a_b-inbound-2.wav", ".._a_b-inbound.wav", ".._a_b-outbound-2.wav", ".._a_b-outbound.wav"]
    samples, rate = read_wav(tmp_path / ".._a_b-outbound.wav")
    assert rate == 8000 and np.array_equal(samples, -SPEECH)


def test_its_observer_is_told() -> None:
    told: list[tuple[AgentSession, Message]] = []
    with Agent(observer=lambda *event: told.append(event)) as agent:
        with connect(agent.url) as stream:
            say(stream, start())
            say(stream, media(2, SPEECH))
            stream.send("not JSON")
            say(stream, {"event": "stop", "sequence": 3})
        session = agent.wait_for_session()
        session.wait_for(lambda session: session.close_code is not None)
    assert [message["event"] for _, message in told] == ["start", "stop", "closed"]
    assert told[-1] == (session, {"event": "closed", "code": 1000, "reason": ""})
    assert len(session.faults) == 1


def test_other_threads_may_speak_too() -> None:
    with Agent() as agent, connect(agent.url + "path?q") as stream:
        session = agent.wait_for_session()
        assert session.path == "/path?q"
        thread = threading.Thread(target=lambda: [session.send({"n": number}) for number in range(100)])
        thread.start()
        assert [hear(stream)["n"] for _ in range(100)] == list(range(100))
        thread.join()
    session.send("after the end: nothing happens")


def test_a_stream_that_vanishes() -> None:
    with Agent() as agent:
        stream = connect(agent.url)
        stream.socket.shutdown(socket.SHUT_RDWR)
        agent.wait_for_session().wait_for(lambda session: session.close_code == 1006)


def test_stopping_closes_the_streams() -> None:
    agent = Agent().start()
    with connect(agent.url) as stream:
        agent.wait_for_session()
        agent.stop()
        agent.stop()
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(LIMIT)
    assert closed.value.rcvd and closed.value.rcvd.code == 1001
    assert agent.sessions[0].close_code == 1001


def test_subprotocol_and_credentials() -> None:
    with Agent(credentials=("user", "secret")) as agent:
        with pytest.raises(InvalidStatus):
            connect(agent.url, subprotocols=[Subprotocol("audio.freeswitch.org")])
        with connect(agent.url.replace("//", "//user:secret@"),
                     subprotocols=[Subprotocol("audio.freeswitch.org")]) as stream:
            assert stream.subprotocol == "audio.freeswitch.org"


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports.openssl, "LIBRARY", None)  # so that plain bytes go to the connection's socket
    certificate = certificates.make(tmp_path, "agent")
    with Agent(tls=certificates.server_context(certificate)) as agent:
        assert agent.url.startswith("wss://")
        # Not the client of the other tests: it uses the TLS session from two threads at once, and hangs at times.
        stream = transports.connect(agent.url, tls=transports.TlsOptions(ca_file=str(certificate.file)))
        stream.sock.sendall(websocket.ABNF.create_frame(orjson.dumps(start()),
                                                        websocket.ABNF.OPCODE_TEXT).format())
        agent.wait_for_session().wait_for(lambda session: session.stream_id == "s")
        stream.close()
        assert stream.join(LIMIT)


def test_a_port_that_is_taken() -> None:
    with Agent() as agent:
        other = Agent(port=agent.port)
        with pytest.raises(OSError):
            other.start()
        other.stop()


def test_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "freeswitch_audio_stream.services.agent.server", "--port", "0", "--record",
               str(tmp_path / "recordings"), "--play", str(DATA / "agent_16k.wav")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().removeprefix("listening on ").strip()
        with connect(url) as stream:
            say(stream, start())
            say(stream, media(2, SPEECH))
            assert hear(stream)["event"] == "media.play"
        assert "'event': 'start'" in process.stdout.readline()
        assert "closed" in process.stdout.readline()
        assert "heard 0.08 s inbound" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0
    assert (tmp_path / "recordings" / "s-inbound.wav").exists()


@pytest.mark.parametrize("arguments, words", [
    (["--play", "no-such-file.wav"], "no-such-file.wav"),
    (["--play", "odd.wav"], "7999 Hz: use one of 8000"),
    (["--host", "203.0.113.1"], "cannot run"),
])
def test_the_command_says_what_is_wrong(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str],
                                        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    write_wav(Path("odd.wav"), SPEECH, 7999)
    assert main(["--port", "0", *arguments]) == 1
    output = capsys.readouterr().out
    assert words in output and len(output.splitlines()) == 1
