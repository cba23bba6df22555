"""Agents are found by entry points: ours, and those of packages of others."""

from __future__ import annotations

import asyncio
import configparser
import sys
from pathlib import Path

import pytest

from freeswitch_audio_stream.errors import AgentError, AgentNotFound
from freeswitch_audio_stream.services.gateway.agents import Agent, AgentProfile, agent_class, create, installed
from freeswitch_audio_stream.services.gateway.agents.echo import Echo

from .outputs import CONVERSATION, KeptOutput

SETUP = Path(__file__).parents[4] / "setup.cfg"


def _install(folder: Path, entries: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package with these entry points where Python looks first, as pip would."""
    information = folder / "their_agents-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-agents\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[freeswitch_audio_stream.agents]\n{entries}\n")
    (folder / "their_agents.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "their_agents", raising=False)


def test_ours_are_installed() -> None:
    declared = configparser.ConfigParser()
    declared.read(SETUP)
    rows = dict(line.split(" = ") for line in
                declared["options.entry_points"]["freeswitch_audio_stream.agents"].strip().splitlines())
    assert set(rows) <= set(installed())
    assert {name: f"{agent_class(name).__module__}:{agent_class(name).__name__}" for name in rows}.keys() == rows.keys()
    assert agent_class("echo") is Echo


def test_a_package_adds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "parrot = their_agents:Parrot", """
from freeswitch_audio_stream.services.gateway.agents import Agent

class Parrot(Agent):
    async def hear(self, audio):
        self.output.play(audio + audio)
""", monkeypatch)
    output = KeptOutput()
    agent = create(CONVERSATION, AgentProfile("any", "parrot"), output)
    asyncio.run(agent.hear(b"\1\0"))
    assert isinstance(agent, Agent) and output.of("play") == [b"\1\0\1\0"]
    assert "parrot" in installed()


def test_an_agent_that_is_not_installed_is_said_with_those_that_are() -> None:
    with pytest.raises(AgentNotFound, match="there is no agent 'parrot': use one of .*echo"):
        agent_class("parrot")


@pytest.mark.parametrize("source, complaint", [
    ("raise RuntimeError('no model here')", "cannot be imported from their_agents:Parrot: RuntimeError: no model here"),
    ("class Parrot: pass", "their_agents:Parrot, which is no subclass"),
    ("Cockatoo = 1", "cannot be imported from their_agents:Parrot: AttributeError"),
])
def test_a_broken_package_is_named(source: str, complaint: str, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "parrot = their_agents:Parrot", source, monkeypatch)
    with pytest.raises(AgentError, match=complaint):
        agent_class("parrot")
