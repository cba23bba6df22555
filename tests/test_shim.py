"""The script for mod_python3, used the way mod_python3 uses scripts: imported, reloaded, then called, every
time."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Iterator

import pytest

import freeswitch_audio_stream
from freeswitch_audio_stream.errors import LoadingEnded, MissingSymbols

SCRIPTS = Path(__file__).parent.parent / "scripts"
STACK_BYTES = 240 * 1024
RECURSION_LIMIT = 800  # FreeSWITCH's 240 would be too little for pytest itself
LIMIT = 60


class Freeswitch:
    """mod_python3 with its module `freeswitch`, and the module that the script is there to load."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.loaded: list[tuple[threading.Thread, int]] = []
        """The thread and the recursion limit of every load."""
        self.load: Callable[[], str] = lambda: "mod_audio_stream is loaded"

    def consoleLog(self, level: str, text: str) -> None:
        self.log.append((level, text))

    def on_load(self) -> str:
        self.loaded.append((threading.current_thread(), sys.getrecursionlimit()))
        return self.load()

    def call(self, name: str, *arguments: Any) -> None:
        """On a thread as small as FreeSWITCH's; returns when whatever it has started is over, too."""
        failures: list[BaseException] = []
        ready = threading.Event()  # the stack size is as it was again

        def evaluate() -> None:
            ready.wait()
            try:
                script = importlib.reload(importlib.import_module("audio_stream"))
                getattr(script, name)(*arguments)
            except BaseException as error:
                failures.append(error)

        before = threading.stack_size(STACK_BYTES)
        caller = threading.Thread(target=evaluate)
        caller.start()
        threading.stack_size(before)
        ready.set()
        caller.join(LIMIT)
        for thread in threading.enumerate():
            if thread.name == "audio-stream-load":
                thread.join(LIMIT)
        assert not failures

    def api(self, arguments: str) -> str:
        """The answer to ``python audio_stream <arguments>``."""
        written: list[str] = []
        self.call("fsapi", "na", SimpleNamespace(write=written.append), None, arguments)
        return "".join(written)


@pytest.fixture
def freeswitch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Freeswitch]:
    fake = Freeswitch()
    module = ModuleType("freeswitch_audio_stream.loader")
    module.__dict__.update(load=fake.on_load, execute=lambda text: f"+OK {text}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(freeswitch_audio_stream, "loader", module, raising=False)
    monkeypatch.setitem(sys.modules, "freeswitch", fake)
    monkeypatch.syspath_prepend(SCRIPTS)
    limit, stack = sys.getrecursionlimit(), threading.stack_size()
    sys.setrecursionlimit(RECURSION_LIMIT)
    yield fake
    # A caller may still be on its way out of starting a thread when that thread has done its work.
    deadline = time.monotonic() + LIMIT
    while (sys.getrecursionlimit(), threading.stack_size()) != (RECURSION_LIMIT, stack):
        assert time.monotonic() < deadline, "both settings of the interpreter are put back"
    sys.setrecursionlimit(limit)
    del sys.modules["audio_stream"]


def test_loading_has_a_thread_and_room(freeswitch: Freeswitch) -> None:
    freeswitch.call("runtime", "")
    (thread, limit), = freeswitch.loaded
    assert thread.name == "audio-stream-load" and thread.daemon and limit > RECURSION_LIMIT

    def deep(levels: int) -> int:
        return levels and 1 + deep(levels - 1)

    freeswitch.load = lambda: f"was {deep(3000)} levels deep"
    assert freeswitch.api("") == "+OK was 3000 levels deep"


def test_it_can_be_run_again_at_any_time(freeswitch: Freeswitch) -> None:
    for _ in range(3):
        freeswitch.call("runtime", "")
    assert len(freeswitch.loaded) == 3  # the module itself knows that it is loaded, and says so
    assert freeswitch.log == []


def test_running_it_while_it_loads(freeswitch: Freeswitch) -> None:
    """Two loads at once: each puts the recursion limit back only when the other does not need it."""
    begun, go_on = threading.Event(), threading.Event()

    def slow_load() -> str:
        begun.set()
        assert go_on.wait(LIMIT)
        return "loaded"

    freeswitch.load = slow_load
    callers = [threading.Thread(target=freeswitch.call, args=("runtime", "")) for _ in range(2)]
    callers[0].start()
    assert begun.wait(LIMIT)
    callers[1].start()
    go_on.set()
    for caller in callers:
        caller.join(LIMIT)
    assert [limit > RECURSION_LIMIT for _, limit in freeswitch.loaded] == [True, True]


def test_a_failure_is_one_line_of_the_log(freeswitch: Freeswitch) -> None:
    def fail() -> str:
        raise MissingSymbols(["switch_one", "switch_two"])

    freeswitch.load = fail
    freeswitch.call("runtime", "")
    (level, text), = freeswitch.log
    assert level == "err" and text.count("\n") == 1
    assert text.startswith("mod_audio_stream is not loaded: FreeSWITCH does not export switch_one, ")
    assert freeswitch.api("").startswith("-ERR mod_audio_stream is not loaded: FreeSWITCH does not")


def test_the_end_of_freeswitch_is_not_logged(freeswitch: Freeswitch) -> None:
    """It may have no log any more."""
    def fail() -> str:
        raise LoadingEnded("FreeSWITCH is being shut down")

    freeswitch.load = fail
    freeswitch.call("runtime", "")
    assert freeswitch.log == []
    assert freeswitch.api("") == "-ERR FreeSWITCH is being shut down"


def test_a_defect_is_named_too(freeswitch: Freeswitch) -> None:
    def fail() -> str:
        raise ZeroDivisionError("some\ntext")

    freeswitch.load = fail
    assert freeswitch.api("") == "-ERR mod_audio_stream is not loaded: ZeroDivisionError: some text"


def test_a_package_that_is_not_there(freeswitch: Freeswitch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "freeswitch_audio_stream.threads", None)
    freeswitch.call("runtime", "")
    (level, text), = freeswitch.log
    assert level == "err" and "run scripts/install again" in text


def test_a_package_for_another_python(freeswitch: Freeswitch, monkeypatch: pytest.MonkeyPatch,
                                      tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "freeswitch_audio_stream.threads", None)
    source = (SCRIPTS / "audio_stream.py").read_text()
    other = "/opt/venv/lib/python3.1/site-packages"
    (tmp_path / "audio_stream.py").write_text(source.replace('SITE_PACKAGES = ""',
                                                             f"SITE_PACKAGES = {other!r}"))
    monkeypatch.syspath_prepend(tmp_path)
    answer = freeswitch.api("")
    assert f"{other} is for another: run scripts/install again" in answer
    assert sys.path[0] == other


def test_commands(freeswitch: Freeswitch) -> None:
    assert freeswitch.api("list") == "+OK list"
    variables: dict[str, str] = {}
    freeswitch.call("handler", SimpleNamespace(setVariable=variables.__setitem__), "id stop")
    assert variables == {"uuid_audio_stream_result": "+OK id stop"}
    assert freeswitch.loaded == []


def test_a_command_before_loading_imports_nothing(freeswitch: Freeswitch,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "freeswitch_audio_stream.loader")
    assert freeswitch.api("list") == "-ERR mod_audio_stream is not loaded: pyrun audio_stream"
    assert "freeswitch_audio_stream.loader" not in sys.modules


def test_there_is_nothing_else_in_it(freeswitch: Freeswitch) -> None:
    freeswitch.call("runtime", "")
    script = sys.modules["audio_stream"]
    public = {name for name, value in vars(script).items() if callable(value) and not name.startswith("_")}
    assert public - {"Any"} == {"runtime", "fsapi", "handler"}
