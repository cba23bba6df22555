"""``freeswitch-audio-stream``: the one command, and the programs that it starts.

    freeswitch-audio-stream agent --port 8080 --echo
    python -m freeswitch_audio_stream version

A program is imported when it is asked for: none pays for what another needs, and one whose packages are not installed
says so without harm to the others.
"""

from __future__ import annotations

import importlib
import platform
import sys
from dataclasses import dataclass
from typing import Sequence

from . import __version__

NAME = "freeswitch-audio-stream"


@dataclass(frozen=True)
class Program:
    """What a first argument starts."""

    name: str
    summary: str
    module: str
    """Has ``main(arguments) -> exit status``, and answers ``--help``; relative to this package."""
    extra: str
    """Of setup.cfg: what it needs beyond the package itself."""


PROGRAMS = (
    Program("agent", "a WebSocket server to try streams with: it prints, records, plays and echoes",
            ".services.agent.server", "servers"),
    Program("gateway", "a voice gateway: a phone call over plain HTTP, answered by an agent",
            ".services.gateway.server", "gateway"),
    Program("recorder", "records audio that is sent over WebSocket, and never loses what it has acknowledged",
            ".services.recorder.program", "recorder"),
    Program("demo", "a caller and an agent talk through the whole module, on an embedded switch or a FreeSWITCH",
            ".demo.__main__", "servers"),
    Program("bench", "what a stream costs, how late its audio is, and how many fit on this machine",
            ".benchmarks.__main__", "servers"),
    Program("soak", "calls with streams for hours, with faults on purpose, and every sample of either side checked",
            ".soak.__main__", "servers"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program that the first argument names; return its exit status: 2 where there is none of that name."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    first = given[0] if given else "--help"
    if first in ("--help", "-h", "help"):
        print(_usage())
        return 0
    if first in ("version", "--version"):
        print(_version(given[1:]))
        return 0
    program = next((program for program in PROGRAMS if program.name == first), None)
    if program is None:
        print(f"{NAME}: there is no {first!r}: use one of {', '.join(_names())}, or --help", file=sys.stderr)
        return 2
    return _start(program, given[1:])


def _start(program: Program, arguments: Sequence[str]) -> int:
    try:
        module = importlib.import_module(program.module, __package__)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == __package__:
            raise
        print(f"{NAME} {program.name} needs the package {missing}: pip install "
              f"'freeswitch_audio_stream[{program.extra}]'", file=sys.stderr)
        return 1
    status: int = module.main(arguments)
    return status


def _names() -> list[str]:
    return [*(program.name for program in PROGRAMS), "version"]


def _usage() -> str:
    lines = [f"usage: {NAME} COMMAND [OPTIONS]", "", "commands:"]
    lines += [f"  {program.name:<10} {program.summary}" for program in PROGRAMS]
    lines += [f"  {'version':<10} the versions of this package and of what it stands on; please put them into a report",
              "", f"'{NAME} COMMAND --help' says more, with an example. The module itself runs inside FreeSWITCH:",
              "scripts/install puts it there."]
    return "\n".join(lines)


def _version(arguments: Sequence[str]) -> str:
    if arguments:
        return f"usage: {NAME} version\n\nPrint the version of this package, of Python and of the machine.\n\n" \
               f"example: {NAME} version"
    return f"freeswitch_audio_stream {__version__}\nPython {platform.python_version()} on {platform.platform()}"


if __name__ == "__main__":
    sys.exit(main())
