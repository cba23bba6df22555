"""Loading for the first time: FreeSWITCH shut down meanwhile, and code that scripts/install has compiled."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from freeswitch_audio_stream.testing import EventSocket, FreeSwitch, find_prefix

from .conftest import wait_until

_COMPILING = "-ERR mod_audio_stream is not loaded yet: compiling"


def _instance(folder: Path) -> FreeSwitch:
    prefix = find_prefix()
    assert prefix is not None
    instance = FreeSwitch(prefix, folder)
    instance.use_this_package()
    return instance


def _is_compiling(events: EventSocket) -> bool:
    return events.api("uuid_audio_stream list").startswith(_COMPILING)


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", "compile_core"], capture_output=True, text=True).stdout
    return [int(word) for word in found.split()]


@pytest.fixture
def no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FreeSWITCH's user has never loaded the module."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


@pytest.mark.parametrize("how", ["fsctl shutdown", "SIGTERM", "fsctl shutdown now", "SIGKILL"])
def test_it_can_be_shut_down_while_it_compiles(tmp_path: Path, no_code: Path, how: str) -> None:
    """Without a crash; and what compiles ends with it."""
    with _instance(tmp_path) as freeswitch:
        events = freeswitch.start()
        wait_until(lambda: _is_compiling(events))
        wait_until(lambda: list(no_code.glob("*/*/*/*.nbc")), 300)  # LLVM is at work
        process, children = freeswitch._process, _children(freeswitch.pid)
        assert process is not None and len(children) == 1
        if how.startswith("fsctl"):
            events.request(f"bgapi {how}")
        else:
            process.send_signal(getattr(signal, how))
        assert process.wait(60) == (-signal.SIGKILL if how == "SIGKILL" else 0)
        wait_until(lambda: not Path(f"/proc/{children[0]}").exists())


def test_it_can_be_unloaded_while_it_compiles(tmp_path: Path, no_code: Path) -> None:
    with _instance(tmp_path) as freeswitch:
        events = freeswitch.start()
        wait_until(lambda: _is_compiling(events))
        children = wait_until(lambda: _children(freeswitch.pid))
        assert events.api("unload mod_audio_stream") == "+OK", children
        assert "Command not found" in events.api("uuid_audio_stream list")
        wait_until(lambda: not _children(freeswitch.pid))
        events.api("pyrun audio_stream")
        wait_until(lambda: _is_compiling(events))
        events.close()
        assert freeswitch.stop() == 0
        assert "[ERR]" not in "\n".join(line for line in freeswitch.log.splitlines() if "mod_audio_stream" in line)


@pytest.mark.slow
def test_the_log_says_that_it_compiles_and_how_long_it_took(tmp_path: Path, no_code: Path) -> None:
    with _instance(tmp_path) as freeswitch:
        events = freeswitch.start()
        wait_until(lambda: "mod_audio_stream: compiling for this machine's processor" in freeswitch.log)
        freeswitch.wait_for_module(events)
        assert "mod_audio_stream: compiled in " in freeswitch.log
        assert list(no_code.glob("*/*/complete.json"))
        events.close()
        assert freeswitch.stop() == 0


def test_it_can_be_shut_down_while_it_loads(tmp_path: Path) -> None:
    """In the second in which it takes compiled code from the cache."""
    with _instance(tmp_path) as freeswitch:
        events = freeswitch.start()
        freeswitch.wait_for_module(events)  # the code is there now
        events.close()
        assert freeswitch.stop() == 0
        events = freeswitch.start()
        wait_until(lambda: "Command not found" not in events.api("uuid_audio_stream list"))
        events.request("bgapi fsctl shutdown")
        process = freeswitch._process
        assert process is not None and process.wait(60) == 0
