"""The command line of ``./scripts/bench``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from ..audio import RATES
from .work import FORMATS, PEER_START, Work

WAYS = ("one", "two")
_DESCRIPTION = """What a stream costs and how late its audio is, measured in a real FreeSWITCH that the benchmark starts
for itself (--freeswitch or FREESWITCH_PREFIX, else one of the usual places), or in the embedded switch where there is
none."""


@dataclass(frozen=True)
class Subcommand:
    """Its name, what it tells, and the defaults that suit it."""

    name: str
    help: str
    streams: tuple[int, ...]
    seconds: float
    rounds: int
    formats: tuple[str, ...] = FORMATS
    ways: tuple[str, ...] = WAYS


SUBCOMMANDS = (
    Subcommand("cost", "CPU per stream and 20 ms frame, the calls' own subtracted", (100,), 10.0, 3),
    Subcommand("latency", "callback to receiver, and server to the caller's frame", (100,), 20.0, 1),
    Subcommand("capacity", "streams until the p99 gap exceeds 40 ms or a frame is lost", (100,), 10.0, 1,
               ("binary",), ("one",)),
    Subcommand("stall", "media callbacks beside Python threads that compute", (50,), 10.0, 3, ("binary",), ("two",)),
    Subcommand("memory", "memory and threads per stream, and after many streams", (100,), 10.0, 1, ("binary",),
               ("two",)),
    Subcommand("start", "command to answer, and to the first byte at the server", (100,), 0.0, 3, ("json",), ("one",)),
)


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    command: str
    freeswitch: Path | None
    embedded: bool
    site_packages: Path | None
    works: tuple[Work, ...]
    streams: tuple[int, ...]
    seconds: float
    rounds: int
    peer_module: Path | None
    against: str
    busy_threads: tuple[int, ...]
    churn: int
    json: Path | None
    plot: Path | None


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(","))
    if min(numbers) < 0:
        raise ValueError("negative")
    return numbers


def _words(allowed: Sequence[str]) -> "type[str]":
    def parse(text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        if not set(words) <= set(allowed):
            raise argparse.ArgumentTypeError(f"use some of {','.join(allowed)}")
        return words
    return parse  # type: ignore[return-value]


def _rates(text: str) -> tuple[tuple[int, int], ...]:
    """``8000,8000>16000``: the call's rate and the wire's."""
    pairs = []
    for part in text.split(","):
        call, _, wire = part.partition(">")
        pair = int(call), int(wire or call)
        if not set(pair) <= set(RATES) or pair[0] % 8000:
            raise argparse.ArgumentTypeError("calls have multiples of 8000 Hz, streams one of "
                                             + ", ".join(map(str, RATES)))
        pairs.append(pair)
    return tuple(pairs)


def _add(parser: argparse.ArgumentParser, command: Subcommand) -> None:
    where = parser.add_argument_group("where")
    where.add_argument("--freeswitch", type=Path, metavar="PREFIX", help="an installed FreeSWITCH with mod_python3")
    where.add_argument("--embedded", action="store_true", help="use the embedded switch even so")
    where.add_argument("--site-packages", type=Path, metavar="FOLDER",
                       help="packages for FreeSWITCH's Python (default: those of this one)")
    work = parser.add_argument_group("what")
    work.add_argument("--formats", type=_words(FORMATS), default=command.formats, help="default: %(default)s")
    work.add_argument("--ways", type=_words(WAYS), default=command.ways, help="default: %(default)s")
    work.add_argument("--rates", type=_rates, default=((8000, 8000), (8000, 16000)), metavar="HZ[>HZ],…",
                      help="of the call and of the wire (default: 8000,8000>16000)")
    work.add_argument("--streams", type=_numbers, default=command.streams, metavar="N,…", help="default: %(default)s")
    work.add_argument("--seconds", type=float, default=command.seconds, help="per measurement (default: %(default)s)")
    work.add_argument("--rounds", type=int, default=command.rounds, help="default: %(default)s")
    if command.name == "stall":
        work.add_argument("--busy-threads", type=_numbers, default=(0, 4), metavar="N,…", help="default: %(default)s")
    if command.name == "memory":
        work.add_argument("--churn", type=int, default=10_000, metavar="N",
                          help="streams to start and end (default: %(default)s; 0: none)")
    against = parser.add_argument_group("against another module, in another FreeSWITCH, by turns")
    against.add_argument("--peer-module", type=Path, metavar="FILE", help="the module's .so")
    against.add_argument("--against", default=None, metavar="COMMAND", help=f"its start command (default: {PEER_START})")
    output = parser.add_argument_group("output")
    output.add_argument("--json", type=Path, metavar="FILE")
    output.add_argument("--plot", type=Path, metavar="FILE", help="a PNG; needs matplotlib")


def parser() -> argparse.ArgumentParser:
    """The parser; every subcommand takes the same options with defaults of its own."""
    main = argparse.ArgumentParser(prog="bench", description=_DESCRIPTION)
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in SUBCOMMANDS:
        _add(commands.add_parser(command.name, help=command.help, description=command.help), command)
    return main


def parse(arguments: Sequence[str] | None = None) -> Options:
    """From a command line; ends the process with a sentence where it is wrong."""
    reader = parser()
    given = reader.parse_args(arguments)
    if given.against is not None and given.peer_module is None:
        reader.error("--against needs --peer-module: the module that the command is for")
    if min(given.streams) < 1 or given.rounds < 1:
        reader.error("--streams and --rounds are at least 1")
    works = tuple(Work(form, way == "two", call, wire)
                  for call, wire in given.rates for way in given.ways for form in given.formats)
    return Options(given.command, given.freeswitch, given.embedded, given.site_packages, works, given.streams,
                   given.seconds, given.rounds, given.peer_module, given.against or PEER_START,
                   getattr(given, "busy_threads", ()), getattr(given, "churn", 0), given.json, given.plot)
