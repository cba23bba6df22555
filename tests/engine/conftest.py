from __future__ import annotations

from typing import Any, Iterator

import pytest

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.testing.peers.raw_websocket import RawServer

from .harness import Platform


@pytest.fixture(scope="session")
def running_platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def platform(running_platform: Platform) -> Iterator[Platform]:
    """A switch with the module; no call and no stream of another test is on it, and none may be left."""
    yield running_platform
    running_platform.settle()


@pytest.fixture
def agent() -> Iterator[Agent]:
    """A server that listens, and says what the test has it say; no stream may break the protocol."""
    with Agent() as agent:
        yield agent
    assert [session.faults for session in agent.sessions if session.faults] == []


@pytest.fixture
def server() -> Iterator[RawServer]:
    """A server that does nothing but what the test does."""
    with RawServer() as server:
        yield server


@pytest.fixture
def ran(platform: Platform) -> Iterator[list[str]]:
    """The commands of the switch that were run; `uuid_kill` is the embedded switch's own."""
    commands: list[str] = []
    own = platform.switch.commands.of_the_switch
    before = dict(own)

    def noting(name: str) -> Any:
        def run(arguments: str) -> str:
            commands.append(f"{name} {arguments}")
            return "-ERR no such extension" if "3000" in arguments else "+OK"
        return run
    own.update({name: noting(name) for name in ("uuid_transfer", "uuid_send_dtmf", "uuid_answer")})
    yield commands
    own.clear()
    own.update(before)
