"""Loading on the embedded switch: what its command says meanwhile, and how a shutdown or an unload ends it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from freeswitch_audio_stream import MODULE, loader
from freeswitch_audio_stream.errors import CompileError, LoadingEnded
from freeswitch_audio_stream.native import code_cache, compiler
from freeswitch_audio_stream.native.compile_process import loading_is_over
from freeswitch_audio_stream.simulator import EmbeddedSwitch
from freeswitch_audio_stream.switch import LogLevel, Switch

LIMIT = 60.0


class Compilation:
    """A process that compiles until it is told how it has gone."""

    def __init__(self, python: Path, folder: Path, key: str) -> None:
        self.key = key
        self.over = threading.Event()
        self.was_ended = False
        self.words = ""
        Compilation.running = self
        Compilation.begun.set()

    running: Compilation
    begun: threading.Event

    def wait(self) -> str:
        assert self.over.wait(LIMIT)
        return self.words

    def end(self) -> None:
        self.was_ended = True
        self.over.set()


class Bench:
    """A load on a thread of its own."""

    def __init__(self) -> None:
        self.switch = EmbeddedSwitch()
        self.outcome: list[Any] = []
        self.code_is_there = False

    def begin(self) -> None:
        self.loading = loader.Loading(Switch(self.switch.resolve))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome.append(self.loading.run())
        except Exception as error:
            self.outcome.append(error)

    def compile(self) -> Compilation:
        """Begin, and wait until it compiles."""
        self.begin()
        assert Compilation.begun.wait(LIMIT)
        return Compilation.running

    def end(self) -> Any:
        """Wait for the end of the load; the line it has logged, or its error."""
        self._thread.join(LIMIT)
        outcome, = self.outcome
        return outcome

    def log(self, level: LogLevel) -> list[str]:
        return [line.text for line in self.switch.log_lines if line.level == level]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench()
    Compilation.begun = threading.Event()
    monkeypatch.setattr(loader, "CompileProcess", Compilation)
    monkeypatch.setattr(code_cache, "choose", lambda: bench.code_is_there)
    monkeypatch.setattr(loader, "_has_code", False)
    yield bench
    bench.switch.shutdown()
    loading_is_over.clear()


def test_the_command_says_how_far_it_is_and_then_works(bench: Bench) -> None:
    process = bench.compile()
    answer = bench.switch.execute("uuid_audio_stream list")
    assert answer.startswith(f"-ERR {MODULE} is not loaded yet: compiling for this machine's processor, ")
    assert answer.endswith(" s so far)\n")
    assert process.key == code_cache.KEY
    told, = bench.log(LogLevel.NOTICE)
    assert "compiling for this machine's processor" in told, "at once"
    bench.code_is_there = True
    process.over.set()
    line = bench.end()
    _, compiled, loaded = bench.log(LogLevel.NOTICE)
    assert compiled.startswith(f"{MODULE}: compiled in ") and loaded == line
    assert line.startswith(f"{MODULE} 1.0.0 loaded: FreeSWITCH ") and "; compiled in " in line
    assert bench.switch.execute("uuid_audio_stream list") == "[]"
    assert bench.switch.unload(MODULE) == "+OK\n"


def test_a_dialplan_is_told_too(bench: Bench) -> None:
    process = bench.compile()
    call = bench.switch.call("abc")
    for application in ("uuid_audio_stream", "external_media_start"):
        assert call.application(application, "ws://127.0.0.1/")
        assert call.variables["uuid_audio_stream_result"].startswith(f"-ERR {MODULE} is not loaded yet: ")
    bench.code_is_there = True
    process.over.set()
    bench.end()
    for application in ("uuid_audio_stream", "external_media_start"):
        assert call.application(application, "nonsense")
        assert "not loaded" not in call.variables["uuid_audio_stream_result"]


def test_code_that_is_there_is_not_compiled(bench: Bench) -> None:
    bench.code_is_there = True
    bench.begin()
    assert "compiled" not in bench.end() and not Compilation.begun.is_set()


@pytest.mark.parametrize("how", ["unload", "shutdown"])
def test_its_end_ends_compiling_at_once(bench: Bench, how: str) -> None:
    process = bench.compile()
    if how == "unload":
        assert bench.switch.unload(MODULE) == "+OK\n"
    else:
        bench.switch.shutdown()
    assert process.was_ended
    assert isinstance(bench.end(), LoadingEnded)
    assert bench.log(LogLevel.ERROR) == []
    assert "not found" in bench.switch.execute("uuid_audio_stream list")


def test_the_module_can_be_loaded_after_all(bench: Bench) -> None:
    bench.compile()
    assert bench.switch.unload(MODULE) == "+OK\n"
    bench.end()
    bench.outcome.clear()
    bench.code_is_there = True
    bench.begin()
    assert str(bench.end()).startswith(f"{MODULE} 1.0.0 loaded")
    assert bench.switch.execute("uuid_audio_stream list") == "[]"


def test_what_is_in_memory_is_not_looked_for_again(bench: Bench) -> None:
    """Another version has been installed since: a running one can be unloaded and loaded all the same."""
    bench.code_is_there = True
    bench.begin()
    bench.end()
    assert bench.switch.unload(MODULE) == "+OK\n"
    bench.outcome.clear()
    bench.code_is_there = False
    bench.begin()
    assert str(bench.end()).startswith(f"{MODULE} 1.0.0 loaded")
    assert not Compilation.begun.is_set()


def test_a_shutdown_waits_for_the_end_of_loading(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """LLVM is at work in this process then, and would not survive its exit."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> bool:
        begun.set()
        assert go_on.wait(LIMIT)
        return True

    monkeypatch.setattr(code_cache, "choose", slow)
    bench.begin()
    assert begun.wait(LIMIT)
    unloading = threading.Thread(target=lambda: (bench.switch.unload(MODULE), ended.set()))
    unloading.start()
    assert loading_is_over.wait(LIMIT)
    assert not ended.wait(0.2), "it waits"
    go_on.set()
    assert ended.wait(LIMIT)
    assert isinstance(bench.end(), LoadingEnded)
    assert bench.loading.module is None, "nothing was begun any more"


def test_nothing_is_compiled_or_loaded_after_the_end() -> None:
    loading_is_over.set()
    try:
        with pytest.raises(LoadingEnded):
            compiler.native("int64(int64)")(lambda number: number)
        with pytest.raises(LoadingEnded):
            compiler.c_callback("int64(int64)")(lambda number: number)
    finally:
        loading_is_over.clear()


def test_a_failure_says_why_and_leaves_nothing(bench: Bench) -> None:
    process = bench.compile()
    process.words = "OSError: No space left on device"
    process.over.set()
    error = bench.end()
    assert isinstance(error, CompileError)
    assert "OSError: No space left on device; when that is mended, fs_cli -x 'pyrun audio_stream'" in str(error)
    assert "not found" in bench.switch.execute("uuid_audio_stream list")


def test_a_killed_process_is_a_failure(bench: Bench) -> None:
    bench.compile().over.set()
    assert "the process was killed, as the system does when memory runs out" in str(bench.end())


def test_where_no_process_can_be_started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr(loader, "CompileProcess", refuse)
    bench.begin()
    assert "cannot be started (not here): run scripts/install again" in str(bench.end())


@pytest.mark.parametrize("missing", ["folder", "python"])
def test_where_this_process_has_to_compile(bench: Bench, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    if missing == "folder":
        monkeypatch.setattr(code_cache, "own", lambda: None)
    else:
        monkeypatch.setattr(loader, "interpreter", lambda: None)
    bench.begin()
    assert str(bench.end()).startswith(f"{MODULE} 1.0.0 loaded")
    told, = bench.log(LogLevel.WARNING)
    assert "FreeSWITCH itself has to compile" in told and "scripts/install" in told


def test_a_switch_that_is_shutting_down_is_left_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Switch(bench.switch.resolve)
    monkeypatch.setattr(loader, "Switch", lambda: switch)
    bench.switch.shutdown()
    with pytest.raises(LoadingEnded):
        loader.load()
    assert "not found" in bench.switch.execute("uuid_audio_stream list")


def test_loading_twice_and_commands_of_the_script(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Switch(bench.switch.resolve)
    monkeypatch.setattr(loader, "Switch", lambda: switch)
    monkeypatch.setattr(loader, "_loading", None)
    assert loader.execute("list") == f"-ERR {MODULE} is not loaded"
    bench.code_is_there = True
    assert "loaded: " in loader.load()
    assert loader.execute("list") == "[]"
    assert loader.load() == f"{MODULE} is loaded already"
    assert bench.switch.unload(MODULE) == "+OK\n"
    assert loader.execute("list") == f"-ERR {MODULE} is not loaded"
    assert "loaded: " in loader.load()
