"""The program as a whole: what it prints, and how it ends when something does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import psutil
import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
WORDS = ["--embedded", "--streams", "2", "--formats", "binary", "--ways", "one"]


def begin(*words: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "freeswitch_audio_stream.benchmarks", *words], cwd=CHECKOUT,
                            text=True, stdout=stdout, stderr=subprocess.PIPE,
                            env={**os.environ, "FREESWITCH_PREFIX": "/nowhere"})


def begin_measuring() -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A measurement that would take an hour, and its processes."""
    program = begin("capacity", *WORDS, "--seconds", "3600")
    assert program.stdout is not None
    assert program.stdout.readline().startswith("measuring in the embedded switch (")
    return program, psutil.Process(program.pid).children()


@pytest.mark.slow
def test_a_run_from_the_command_line_to_its_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    program = begin("latency", *WORDS, "--seconds", "0.3", "--json", str(tmp_path / "out.json"), "--plot",
                    str(tmp_path / "out.png"))
    printed, complaints = program.communicate(timeout=120)
    assert program.returncode == 0, complaints
    assert "Latency in ms, the embedded switch" in printed and "Goals" in printed and complaints == ""
    document = orjson.loads((tmp_path / "out.json").read_bytes())
    assert document["command"] == "latency" and document["environment"]["switch"].startswith("the embedded switch")
    assert (tmp_path / "out.png").stat().st_size > 1000


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_behind() -> None:
    program, children = begin_measuring()
    assert len(children) == 2
    program.send_signal(signal.SIGINT)
    program.send_signal(signal.SIGTERM)  # impatience changes nothing
    _, complaints = program.communicate(timeout=120)
    assert program.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert complaints.splitlines() == ["The benchmark was interrupted; what it had started has ended."]
    assert not any(child.is_running() for child in children)


@pytest.mark.slow
def test_a_process_that_dies_ends_the_run_in_one_sentence() -> None:
    program, children = begin_measuring()
    next(child for child in children if "receiver_process" in " ".join(child.cmdline())).kill()
    _, complaints = program.communicate(timeout=120)
    assert program.returncode == 1
    assert complaints.startswith("The benchmark ends: the process receiver_process has ended with status -9")
    assert len(complaints.splitlines()) == 1
    assert not any(child.is_running() for child in children)


def test_without_a_freeswitch_there_is_no_peer() -> None:
    program = begin("start", "--embedded", "--peer-module", __file__)
    _, complaints = program.communicate(timeout=120)
    assert program.returncode == 1
    assert complaints == "The benchmark ends: --peer-module needs a FreeSWITCH: name it with --freeswitch\n"
