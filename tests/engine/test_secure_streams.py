"""wss: whom a stream trusts, and that a stream over TLS is a stream like any other."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.testing.peers.listener import Listener, accept_websocket, read_all
from freeswitch_audio_stream.transports import openssl
from tests.transports import certificates
from tests.transports.certificates import DAY, Certificate

from .harness import PATIENCE, Platform, closed, find, heard_all, noise, stream_threads, until, wait_for_audio

pytestmark = pytest.mark.slow

SPEECH = noise(16000)
PROMPT = noise(4000, seed=2)
LOOSENED = {"expired": "allow-expired", "elsewhere": "skip-server-cert-hostname-check",
            "self-signed": "allow-selfsigned"}


@pytest.fixture(autouse=True, params=["in the loop", "by a relay"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who encrypts: the I/O loop, or a thread beside it where OpenSSL cannot be reached."""
    if request.param == "by a relay":
        monkeypatch.setattr(openssl, "LIBRARY", None)
    else:
        assert openssl.LIBRARY is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Certificate:
    return certificates.make(folder, "authority", ca=True, hosts=())


@pytest.fixture(scope="module")
def servers(folder: Path, authority: Certificate) -> dict[str, Certificate]:
    """Certificates by what is wrong with them."""
    return {
        "good": certificates.make(folder, "good", issuer=authority),
        "expired": certificates.make(folder, "expired", issuer=authority, begins=-2 * DAY, ends=-DAY),
        "elsewhere": certificates.make(folder, "elsewhere", issuer=authority, hosts=("elsewhere.example",)),
        "self-signed": certificates.make(folder, "self-signed")}


def secure_agent(certificate: Certificate) -> Agent:
    return Agent(tls=certificates.server_context(certificate))


@pytest.mark.parametrize("prefix", ["", "protocol=binary,"])
def test_a_stream_over_tls(platform: Platform, authority: Certificate, servers: dict[str, Certificate],
                           prefix: str) -> None:
    """Audio both ways, digits, and an end in order; then no thread is left."""
    threads = stream_threads()
    with secure_agent(servers["good"]) as agent:
        call = platform.call(app="playback")
        session = platform.connect(agent, call, f"{{{prefix}tls-ca-file={authority.file}}}", track="both")
        assert agent.url.startswith("wss://")
        call.say(SPEECH)
        session.send(play_message("s", PROMPT, 8000))
        heard_all(session)
        assert find(call.heard(), PROMPT) >= 0
        wait_for_audio(session, SPEECH, "inbound")
        wait_for_audio(session, PROMPT, "outbound")
        assert call.dtmf("7")
        session.wait_for(lambda session: session.events("dtmf"), PATIENCE)
        platform.tell(call, "stop")
        closed(session)
        assert session.close_code == 1000 and session.messages[-1]["event"] == "stop"
        assert session.faults == []
    until(lambda: stream_threads() <= threads)


def test_nobody_is_trusted_without_reason(platform: Platform, servers: dict[str, Certificate]) -> None:
    with secure_agent(servers["good"]) as agent:
        call = platform.call()
        platform.start(call, agent.url)
        assert "tls_ca_file" in platform.event("connection_failed", call)["error"].replace("-", "_")
        assert platform.event("stream_stopped", call)["reason"] == "error"


@pytest.mark.parametrize("fault", LOOSENED)
def test_each_setting_allows_what_it_names(platform: Platform, authority: Certificate,
                                           servers: dict[str, Certificate], fault: str) -> None:
    with secure_agent(servers[fault]) as agent:
        for name in LOOSENED.values():
            call = platform.call()
            prefix = f"{{{name}=true,tls-ca-file={authority.file}}}"
            if name == LOOSENED[fault]:
                platform.connect(agent, call, prefix)
            else:
                platform.start(call, prefix + agent.url)
                error = platform.event("connection_failed", call)["error"].replace("_", "-")
                assert LOOSENED[fault] in error, "the remedy is not named"


def test_a_hangup_over_tls(platform: Platform, authority: Certificate,
                           servers: dict[str, Certificate]) -> None:
    with secure_agent(servers["good"]) as agent:
        call = platform.call(speech=SPEECH)
        session = platform.connect(agent, call, f"{{tls-ca-file={authority.file}}}")
        session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
        call.hangup()
        closed(session)
        assert session.messages[-1]["reason"] == "hangup"
        assert find(SPEECH, session.samples()) >= 0


def test_unloading_over_tls(authority: Certificate, servers: dict[str, Certificate]) -> None:
    threads = stream_threads()
    platform = Platform()
    with secure_agent(servers["good"]) as agent:
        calls = [platform.call(speech=SPEECH) for _ in range(3)]
        sessions = [platform.connect(agent, call, f"{{tls-ca-file={authority.file}}}") for call in calls]
        assert platform.switch.unload("mod_audio_stream") == "+OK\n"
        assert stream_threads() <= threads, "unloading leaves threads"
        for session in sessions:
            closed(session)
            assert session.close_code == 1001
    platform.close()


# What happens to a session.

def trusting(authority: Certificate) -> str:
    return f"{{tls-ca-file={authority.file}}}"


def test_a_flood_of_messages(platform: Platform, authority: Certificate, servers: dict[str, Certificate]) -> None:
    """More than the inbox holds, in records that end anywhere: each message is obeyed once, in order."""
    with secure_agent(servers["good"]) as agent:
        call = platform.call()
        session = platform.connect(agent, call, trusting(authority))
        for number in range(3000):
            session.send({"event": "transcription.send", "payload": {"number": number, "words": "x" * 500}})
        heard_all(session)
        told = [event["payload"]["number"] for event in platform.events("transcription_received", call)]
        assert told == list(range(3000))


def test_a_server_that_reads_nothing_holds_up_nobody(platform: Platform, authority: Certificate,
                                                     servers: dict[str, Certificate]) -> None:
    over = threading.Event()

    def accept_and_wait(connection: socket.socket) -> None:
        accept_websocket(connection)
        over.wait(PATIENCE)

    context = certificates.server_context(servers["good"])
    with Listener(accept_and_wait, context=context) as deaf, secure_agent(servers["good"]) as agent:
        try:
            stalled = [platform.call(speech=SPEECH, speed=50) for _ in range(4)]
            for call in stalled:
                platform.start(call, f"{trusting(authority)}wss://{deaf.place}/", rate=48000)
            until(lambda: all(platform.status(call)["captureQueueMs"] > 1000 for call in stalled))
            call = platform.call()
            session = platform.connect(agent, call, trusting(authority))
            call.say(SPEECH)
            wait_for_audio(session, SPEECH)
            for call in stalled:
                platform.tell(call, "stop")
                assert platform.event("stream_stopped", call)["reason"] == "requested"
        finally:
            over.set()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_vanishes(platform: Platform, authority: Certificate, servers: dict[str, Certificate],
                                version: ssl.TLSVersion) -> None:
    """The TCP connection ends, and TLS has not said goodbye."""
    def accept_and_go(connection: socket.socket) -> None:
        accept_websocket(connection)
        connection.recv(1)
        socket.socket(fileno=connection.detach()).close()

    context = certificates.server_context(servers["good"])
    context.maximum_version = version
    with Listener(accept_and_go, context=context) as peer:
        call = platform.call(speech=SPEECH)
        platform.start(call, f"{{reconnect=false,tls-ca-file={authority.file}}}wss://{peer.place}/")
        assert platform.event("connection_closed", call)["code"] == 1006
        assert platform.event("stream_stopped", call)["reason"] == "error"


def test_a_server_that_sends_what_is_no_record(platform: Platform, authority: Certificate,
                                               servers: dict[str, Certificate]) -> None:
    def accept_and_babble(connection: socket.socket) -> None:
        accept_websocket(connection)
        bare = socket.socket(fileno=connection.detach())
        bare.sendall(b"\x17\x03\x03\x00\x20" + b"garbage" * 100)
        read_all(bare)
        bare.close()

    with Listener(accept_and_babble, context=certificates.server_context(servers["good"])) as peer:
        call = platform.call(speech=SPEECH)
        platform.start(call, f"{{reconnect=false,tls-ca-file={authority.file}}}wss://{peer.place}/")
        assert platform.event("connection_closed", call)["code"] == 1006
        assert platform.event("stream_stopped", call)["reason"] == "error"
