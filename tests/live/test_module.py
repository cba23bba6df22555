"""Loading, unloading and ending, each in a FreeSWITCH of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from freeswitch_audio_stream.live import FreeSwitch, find_prefix
from freeswitch_audio_stream.servers.agent import Agent

from .conftest import closed, message, wait_until

INSTALL = Path(__file__).parents[2] / "scripts/install"


def _instance(folder: Path, offset: int) -> FreeSwitch:
    prefix = find_prefix()
    assert prefix is not None
    return FreeSwitch(prefix, folder, rtp_offset=offset)


def test_unload_ends_streams_and_a_reload_works(tmp_path: Path) -> None:
    with _instance(tmp_path, 1) as freeswitch, Agent() as agent:
        freeswitch.use_this_package()
        events = freeswitch.start()
        freeswitch.wait_for_module(events)
        uuid = events.api("originate loopback/park/default &park()").split()[1]
        for number in range(3):
            assert events.api(f"uuid_audio_stream {uuid} s{number} start {agent.url} both 8000 5 1") == "+OK Success"
            message(agent.wait_for_session(number + 1), "start")
        assert events.api("unload mod_audio_stream") == "+OK"
        for session in agent.sessions:
            closed(session)
            assert session.close_code == 1001
            assert session.messages[-1]["event"] == "stop"
        assert "Command not found" in events.api("uuid_audio_stream list")
        assert events.api("uuid_exists " + uuid) == "true"
        events.api("pyrun audio_stream")
        freeswitch.wait_for_module(events)
        assert events.api(f"uuid_audio_stream {uuid} s1 start {agent.url} both 8000 5 1") == "+OK Success"
        message(agent.wait_for_session(4), "start")
        events.close()
        assert freeswitch.stop() == 0, "FreeSWITCH ends cleanly with a live stream"
        closed(agent.sessions[3])
        assert agent.sessions[3].close_code == 1001


@pytest.mark.slow
def test_installed_by_the_script(tmp_path: Path) -> None:
    """As a user: scripts/install into a FreeSWITCH's folders, start it, stream a call."""
    with _instance(tmp_path / "instance", 2) as freeswitch, Agent() as agent:
        folder = freeswitch.folder
        done = subprocess.run(
            [sys.executable, str(INSTALL), "--freeswitch", str(freeswitch.prefix), "--conf-dir", str(folder / "conf"),
             "--script-dir", str(folder / "scripts"), "--venv", str(tmp_path / "venv"), "--enable"],
            capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        events = freeswitch.start(python_path=False)
        freeswitch.wait_for_module(events)
        uuid = events.api("originate loopback/park/default &park()").split()[1]
        assert events.api(f"uuid_audio_stream {uuid} s1 start {agent.url} inbound 8000 5 0") == "+OK Success"
        message(agent.wait_for_session(), "start")
        assert json.loads(events.api(f"uuid_audio_stream {uuid} s1 status"))["state"] == "streaming"
        events.api("hupall")
        wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
        events.close()
        assert freeswitch.stop() == 0
