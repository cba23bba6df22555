"""The one command: which programs there are, how each is asked for help, and what is said of one that cannot run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from freeswitch_audio_stream import __main__ as command
from freeswitch_audio_stream import __version__

pytestmark = pytest.mark.slow


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "freeswitch_audio_stream", *arguments], capture_output=True, text=True,
                          timeout=120)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_every_program_is_listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in (*(program.name for program in command.PROGRAMS), "version"))


@pytest.mark.parametrize("name", [*(program.name for program in command.PROGRAMS), "version"])
def test_every_program_explains_itself_with_an_example(name: str) -> None:
    shown = run(name, "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    assert f"usage: freeswitch-audio-stream {name}" in shown.stdout
    assert f"example: freeswitch-audio-stream {name}" in shown.stdout


def test_the_version() -> None:
    for word in ("version", "--version"):
        shown = run(word)
        assert shown.returncode == 0 and shown.stdout.startswith(f"freeswitch_audio_stream {__version__}\nPython 3.")


def test_a_program_that_does_not_exist() -> None:
    shown = run("agnet")
    assert shown.returncode == 2 and shown.stdout == ""
    assert shown.stderr == ("freeswitch-audio-stream: there is no 'agnet': use one of agent, gateway, recorder, demo, "
                            "bench, soak, version, or --help\n")


def test_a_package_that_is_missing_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    program = command.PROGRAMS[0]
    monkeypatch.setitem(sys.modules, "websockets", None)
    monkeypatch.delitem(sys.modules, f"freeswitch_audio_stream{program.module}", raising=False)
    for name in [name for name in sys.modules if name.startswith("websockets.")]:
        monkeypatch.delitem(sys.modules, name)
    assert command.main([program.name]) == 1
    assert capsys.readouterr().err == (
        f"freeswitch-audio-stream {program.name} needs the package websockets: pip install "
        f"'freeswitch_audio_stream[{program.extra}]'\n")


def test_the_exit_status_is_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeswitch_audio_stream.services.agent.server.main",
                        lambda arguments: 7 if arguments == ["-x"] else 0)
    assert command.main(["agent", "-x"]) == 7
