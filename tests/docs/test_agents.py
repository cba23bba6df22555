"""Agents: the tables of their options, the profiles of the pages, and the example, which answers a call."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from freeswitch_audio_stream.protocols.openai_realtime import OPTIONS
from freeswitch_audio_stream.protocols.openai_realtime.faults import FINAL_CODES

from .code import calls, texts
from .pages import blocks, pages, plain, prepared, table, words

PAGE = "howto/agents.md"


def test_options_of_profiles() -> None:
    options = pytest.importorskip("freeswitch_audio_stream.services.gateway.agents.openai_realtime.options")
    profile = options.ProfileOptions(options.RealtimeOptions())

    def shown(name: str) -> str:
        value = getattr(profile if name in options.OWN_OPTIONS else profile.session, name)
        if value in ("", None, ()):
            return "none"
        return json.dumps(value) if isinstance(value, (dict, bool)) else str(value)
    told = [tuple(plain(cell) for cell in row) for row in table("Profile option", "Default", "Meaning")]
    meant = {**{name: option.meaning for name, option in OPTIONS.items()}, **options.OWN_OPTIONS}
    assert told == [(name, shown(name), meaning) for name, meaning in meant.items()]
    told = [tuple(plain(cell) for cell in row) for row in table("Tool option", "Meaning")]
    assert told == list(options.TOOL_OPTIONS.items())


def test_errors_that_are_final() -> None:
    assert [plain(row[0]) for row in table("Final code", "Why it is")] == sorted(FINAL_CODES)
    connection = pytest.importorskip("freeswitch_audio_stream.services.gateway.agents.openai_realtime.connection")
    text = " ".join(pages()["reference/gateway.md"].split())
    statuses = sorted(connection._FINAL_STATUSES)
    assert f"the statuses {', '.join(map(str, statuses[:-1]))} and {statuses[-1]}, the close code 4000" in text


def test_actions() -> None:
    made = {}
    for call in calls("action", "services/gateway/agents/openai_realtime"):
        action, = call.args
        assert isinstance(action, ast.Dict)
        members = dict(zip([texts(key)[0] for key in action.keys if key], action.values))
        kind, = texts(members.pop("type"))
        made[kind] = list(members)
    told = {words(row[0])[0]: words(row[1]) for row in table("Action of openai-realtime", "Members")}
    assert made == told


def test_profiles_of_the_page_can_be_used() -> None:
    options = pytest.importorskip("freeswitch_audio_stream.services.gateway.agents.openai_realtime.options")
    profiles = [json.loads(block) for block in blocks("json", pages()[PAGE])]
    for profile in profiles:
        if profile.pop("agent") == "openai-realtime":
            options.read_profile(profile)
    assert len(profiles) == 3


@pytest.mark.slow
def test_an_agent_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    from tests.services.gateway.agents.openai_realtime.caller import Caller, speech
    from tests.services.gateway.harness import Site
    prepared("parrot_agent.py", tmp_path)
    setup, = (block for block in blocks("text", pages()[PAGE]) if "[metadata]" in block)
    (tmp_path / "setup.cfg").write_text(setup)
    subprocess.run([sys.executable, "-c", "from setuptools import setup; setup()", "-q", "egg_info"], cwd=tmp_path,
                   check=True, capture_output=True, timeout=120)
    monkeypatch.syspath_prepend(str(tmp_path))
    profile = blocks("json", pages()[PAGE])[-1]
    with pytest.raises(Exception, match="use pause_ms, from 100 to 5000"):
        Site(agents='{"bird": {"agent": "parrot", "colour": "green"}}')
    site = Site(agents=f'{{"bird": {profile}}}')
    try:
        caller = Caller(site, profile="bird")
        caller.speak(1, 5)
        caller.listen(lambda: caller.heard_ms >= 900)
        assert bytes(caller.heard[:5 * 3200]) == b"".join(speech(100 + number) for number in range(5))
        caller.interrupt(2)
        caller.listen(lambda: caller.heard_ms >= 1500)
        assert caller.transcripts == ["[AI]: Say something!"]
        assert caller.end()["actions"][0] == {"type": "repeated", "ms": 1300}
        assert any("interrupted after" in line for line in site.log)
    finally:
        site.close()
