"""wss: whom a stream trusts, and that a stream over TLS is a stream like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeswitch_audio_stream.servers.agent import Agent, play_message
from tests.transports import certificates
from tests.transports.certificates import DAY, Certificate

from .harness import PATIENCE, Platform, closed, find, heard_all, noise, stream_threads, until, wait_for_audio

SPEECH = noise(16000)
PROMPT = noise(4000, seed=2)
LOOSENED = {"expired": "allow-expired", "elsewhere": "skip-server-cert-hostname-check",
            "self-signed": "allow-selfsigned"}


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
