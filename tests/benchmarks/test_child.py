"""Processes of the benchmark, and their ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from freeswitch_audio_stream.benchmarks import child
from freeswitch_audio_stream.benchmarks.child import Child
from freeswitch_audio_stream.benchmarks.errors import BenchError

ECHO = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)\n"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)\n"


def start(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> Child:
    (folder / "bench_child.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return Child("bench_child")


def test_it_answers_and_ends_with_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(tmp_path, monkeypatch, ECHO) as process:
        process.tell("hello")
        assert process.answer() == "HELLO"
        process.check()
    assert not psutil.pid_exists(process.pid)
    process.close()


def test_one_that_dies_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(tmp_path, monkeypatch, ECHO) as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(BenchError, match="the process bench_child has ended with status -9"):
            process.answer()
        with pytest.raises(BenchError, match="has ended"):
            process.tell("x")
            process.answer()
        with pytest.raises(BenchError, match="has ended"):
            process.check()


def test_one_that_does_not_want_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_END_SECONDS", 0.1)
    monkeypatch.setattr(child, "_TERMINATE_SECONDS", 0.1)
    process = start(tmp_path, monkeypatch, DEAF)
    assert process.answer() == "up"
    process.close()
    assert not psutil.pid_exists(process.pid)


def test_an_interrupt_at_the_terminal_is_not_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(tmp_path, monkeypatch, ECHO) as process:
        assert os.getpgid(process.pid) != os.getpgid(0)
        assert sys.executable == psutil.Process(process.pid).cmdline()[0]
