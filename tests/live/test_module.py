"""Loading, unloading and ending, each in a FreeSWITCH of its own."""

from __future__ import annotations

import grp
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest
from psutil import Process

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch, find_prefix

from .conftest import EVENTS, closed, message, wait_until

INSTALL = Path(__file__).parents[2] / "scripts/install"


def _instance(folder: Path) -> FreeSwitch:
    prefix = find_prefix()
    assert prefix is not None
    return FreeSwitch(prefix, folder)


def test_unload_ends_streams_and_a_reload_works(tmp_path: Path) -> None:
    with _instance(tmp_path) as freeswitch, Agent() as agent:
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


def test_simultaneous_starts_do_not_exceed_max_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOD_AUDIO_STREAM_MAX_STREAMS", "5")
    with _instance(tmp_path) as freeswitch, Agent() as agent:
        freeswitch.use_this_package()
        events = freeswitch.start()
        freeswitch.wait_for_module(events)
        uuid = events.api("originate loopback/park/default &park()").split()[1]
        connections = [EventSocket(freeswitch.ports.event_socket, "ClueCon") for _ in range(40)]
        for _ in range(3):
            answers = _start_together(connections, uuid, agent.url)
            assert answers.count("+OK Success") == 5, answers
            assert sum("5 streams run already: raise max-streams" in answer for answer in answers) == 35
            assert len(json.loads(events.api("uuid_audio_stream list"))) == 5
            for stream in json.loads(events.api("uuid_audio_stream list")):
                events.api(f"uuid_audio_stream {uuid} {stream['streamId']} stop")
            wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
        for connection in (*connections, events):
            connection.close()
        assert freeswitch.stop() == 0


def _start_together(connections: list[EventSocket], uuid: str, url: str) -> list[str]:
    answers: list[str] = []
    together = threading.Barrier(len(connections))

    def start(number: int) -> None:
        together.wait()
        answers.append(connections[number].api(f"uuid_audio_stream {uuid} s{number} start {url} inbound 8000 5 1"))
    threads = [threading.Thread(target=start, args=(number,)) for number in range(len(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("media_server", [False, True], ids=["", "with the media server"])
@pytest.mark.parametrize("times", [5, pytest.param(30, marks=pytest.mark.slow)])
def test_reloading_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int,
                                  media_server: bool) -> None:
    """What FreeSWITCH may still call is used again: descriptors, threads, memory and completions stay as they are."""
    # glibc's malloc gives each new thread another arena, up to eight for each processor: they fill for a dozen loads.
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    if media_server:
        pytest.importorskip("fastapi")
        monkeypatch.setenv("MOD_AUDIO_STREAM_MEDIA_SERVER_ADDRESS", "127.0.0.1")
        monkeypatch.setenv("MOD_AUDIO_STREAM_MEDIA_SERVER_PORT", "0")
    with _instance(tmp_path) as freeswitch, Agent() as agent:
        freeswitch.use_this_package()
        events = freeswitch.start()
        process = Process(freeswitch.pid)
        uuid = events.api("originate loopback/park/default &park()").split()[1]
        looked = []
        for number in range(times + 3):
            freeswitch.wait_for_module(events)
            wait_until(lambda: freeswitch.log.count("mod_audio_stream 1") == number + 1)  # loaded to the end
            assert events.api(f"uuid_audio_stream {uuid} s start {agent.url} both 8000 5 1") == "+OK Success"
            message(agent.wait_for_session(number + 1), "start")
            assert events.api("unload mod_audio_stream") == "+OK"
            closed(agent.sessions[number])
            memory = process.memory_full_info()
            looked.append((process.num_fds(), memory.uss, events.api("show complete").count("uuid_audio_stream")))
            events.api("pyrun audio_stream")
        looked = looked[3:]  # what is needed once is there
        assert max(descriptors for descriptors, _, _ in looked) <= looked[0][0], looked
        assert len({completions for _, _, completions in looked}) == 1
        # What grows is the call's own memory, which every stream takes some of. A core of its own would be 2 MB.
        assert looked[-1][1] - looked[0][1] < 250_000 * times + 500_000, looked
        freeswitch.wait_for_module(events)
        events.close()
        assert freeswitch.stop() == 0


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.slow)])  # longer ones: tests/engine
def test_standing_still_costs_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The whole FreeSWITCH is stopped, and goes on: twenty streams go on with it."""
    monkeypatch.setenv("MOD_AUDIO_STREAM_PING_SECS", "3")
    with _instance(tmp_path) as freeswitch, Agent() as agent:
        freeswitch.use_this_package()
        events = freeswitch.start()
        freeswitch.wait_for_module(events)
        events.subscribe(EVENTS)
        uuid = events.api("originate loopback/park/default &park()").split()[1]
        for number in range(20):
            assert events.api(f"uuid_audio_stream {uuid} s{number} start {agent.url} inbound 8000 5 1") == "+OK Success"
            message(agent.wait_for_session(number + 1), "start")
        os.kill(freeswitch.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(freeswitch.pid, signal.SIGCONT)
        # Each is streaming still, and has captured what was said after the stop.
        heard = [session.sample_count() for session in agent.sessions]
        wait_until(lambda: all(session.sample_count() > before + 8 * 8000
                               for session, before in zip(agent.sessions, heard)))
        streams = json.loads(events.api("uuid_audio_stream list"))
        assert [(stream["state"], stream["reconnects"]) for stream in streams] == [("streaming", 0)] * 20
        assert not [event for event in events.events if event.get("Event-Subclass", "").endswith(
            ("connection_closed", "connection_timeout", "stream_stopped"))]
        assert len(agent.sessions) == 20
        events.close()
        assert freeswitch.stop() == 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may look into, as they may not into pytest's."""
    with tempfile.TemporaryDirectory(prefix="audio-stream-live-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.slow
def test_installed_by_the_script(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user: scripts/install into a FreeSWITCH's folders, start it, stream a call.

    The media code is compiled by then: FreeSWITCH, which runs as somebody else, needs no folder of its own for it.
    """
    with _instance(open_folder / "instance") as freeswitch, Agent() as agent:
        folder, venv = freeswitch.folder, open_folder / "venv"
        done = subprocess.run(
            [sys.executable, str(INSTALL), "--freeswitch", str(freeswitch.prefix), "--conf-dir", str(folder / "conf"),
             "--script-dir", str(folder / "scripts"), "--venv", str(venv), "--enable"],
            capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(venv.glob("compiled/*/complete.json"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        events = freeswitch.start(_as_another_user(folder), python_path=False)
        freeswitch.wait_for_module(events)
        assert "compiling" not in freeswitch.log and not list(folder.glob("cache/*/*/*"))
        uuid = events.api("originate loopback/park/default &park()").split()[1]
        assert events.api(f"uuid_audio_stream {uuid} s1 start {agent.url} inbound 8000 5 0") == "+OK Success"
        message(agent.wait_for_session(), "start")
        assert json.loads(events.api(f"uuid_audio_stream {uuid} s1 status"))["state"] == "streaming"
        events.api("hupall")
        wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
        events.close()
        assert freeswitch.stop() == 0


def _as_another_user(folder: Path) -> tuple[str, ...]:
    """Options of FreeSWITCH; its folders are that user's. Only root can."""
    if os.getuid() != 0:
        return ()
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return "-u", nobody.pw_name, "-g", grp.getgrgid(nobody.pw_gid).gr_name
