"""The command line of ``./scripts/bench``."""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence, TypeVar

from ..audio import RATES
from ..protocols import ENCAPSULATIONS, PROTOCOLS
from .work import ATTACHED, FORMATS, GOAL_WORKS, PEER_START, TRANSPORTS, Work, peer_module

WAYS = ("one", "two")
_MOST_STREAMS = 4000
_DESCRIPTION = """What a stream costs and how late its audio is, measured in a real FreeSWITCH that the benchmark starts
for itself (--freeswitch or FREESWITCH_PREFIX, else one of the usual places), or in the embedded switch where there is
none. With --peer-module, another module does the same work in another FreeSWITCH by turns."""


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
    rates: tuple[tuple[int, int], ...] = ((8000, 8000),)
    transports: tuple[str, ...] = ("ws",)
    has_peer: bool = True
    can_attach: bool = False
    """Whether it measures clients of the media server, too, if it is asked to."""


SUBCOMMANDS = (
    Subcommand("cost", "CPU per stream and 20 ms frame, the calls' own subtracted", (100,), 10.0, 3,
               (*FORMATS, *ENCAPSULATIONS), rates=((8000, 8000), (8000, 16000)), transports=TRANSPORTS,
               can_attach=True),
    Subcommand("latency", "callback to receiver, and server to the caller's frame", (100,), 20.0, 1),
    Subcommand("capacity", "streams until the p99 gap exceeds 40 ms or a frame is lost", (100,), 10.0, 1,
               ("binary",), ("one",)),
    Subcommand("stall", "media callbacks beside Python threads that compute", (50,), 10.0, 3, ("binary",), ("two",),
               has_peer=False),
    Subcommand("memory", "memory and threads per stream, and after many streams", (100,), 10.0, 1, ("binary",),
               ("two",)),
    Subcommand("start", "command to answer, and to the first byte at the server", (100,), 0.0, 3, ("json", "binary"),
               ("one",)),
)
RESAMPLER = "resampler"
_RESAMPLER_HELP = "the resampler beside soxr's best and the one that FreeSWITCH uses: CPU, delay, spectrum"

GATEWAY = "gateway"
HTTP = "http"
_HTTP_HELP = "CPU of streams over plain HTTP, beside the same audio as JSON over a WebSocket"
PROTOCOL_COST = "protocols"
_PROTOCOLS_HELP = "CPU of a stream of each wire protocol, beside the same audio in the protocol json"
CLEAR = "clear"
_CLEAR_HELP = "from a server's message that clears the queue to the last sample of it that the caller hears"
_GATEWAY_HELP = "the HTTP gateway: live sessions on one process, and its share of what a bare handler does"

RECORDER = "recorder"
_RECORDER_HELP = "the recorder: live sessions on one process, and its share of what a bare sink stores and syncs"
_SYNCS = ("always", "interval", "never")


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    command: str
    freeswitch: Path | None
    json: Path | None
    plot: Path | None
    embedded: bool = False
    site_packages: Path | None = None
    works: tuple[Work, ...] = ()
    streams: tuple[int, ...] = ()
    seconds: float = 0.0
    rounds: int = 1
    peer_module: Path | None = None
    against: str = PEER_START
    busy_threads: tuple[int, ...] = ()
    busy: int = 0
    """Processes that compute all the time beside the switches."""
    churn: int = 0
    chunk_ms: int = 100
    redis: bool = False
    scale: float = 1.0
    sync: str = "always"
    protocols: tuple[str, ...] = ()


T = TypeVar("T")


def _checked(kind: type[T], right: Callable[[T], bool], wish: str) -> Callable[[str], T]:
    """For argparse: a value, or a sentence with `wish`."""
    def parse(text: str) -> T:
        try:
            value = kind(text)  # type: ignore[call-arg]
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {wish}") from None
        if not right(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wish}")
        return value
    return parse


def _several(parse: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """With commas between them."""
    return lambda text: tuple(parse(part) for part in text.split(","))


def _one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    return _checked(str, lambda word: word in allowed, f"one of {', '.join(allowed)}")


def _rate_pair(text: str) -> tuple[int, int]:
    """``8000`` or ``8000>16000``: the call's rate and the wire's."""
    call, _, wire = text.partition(">")
    try:
        pair = int(call), int(wire or call)
    except ValueError:
        pair = 0, 0
    if not set(pair) <= set(RATES) or pair[0] % 8000:
        raise argparse.ArgumentTypeError(f"{text!r} is not HZ or HZ>HZ: calls have multiples of 8000 Hz, streams one "
                                         "of " + ", ".join(map(str, RATES)))
    return pair


def _output_file(text: str) -> Path:
    file = Path(text)
    if not file.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {file.absolute().parent}")
    return file


def _picture(text: str) -> Path:
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("the Python package matplotlib is missing: install it, or leave the option "
                                         "out")
    return _output_file(text)


def _shown(values: Sequence[object]) -> str:
    return ",".join(map(str, values))


def _shown_rates(pairs: Sequence[tuple[int, int]]) -> str:
    return ",".join(str(call) if call == wire else f"{call}>{wire}" for call, wire in pairs)


_positive = _checked(int, lambda number: number > 0, "a number above 0")
_count = _checked(int, lambda number: number >= 0, "a number")
_streams = _checked(int, lambda number: 0 < number <= _MOST_STREAMS, f"a number from 1 to {_MOST_STREAMS}")
_duration = _checked(float, lambda number: 0 <= number < 1e6, "a number of seconds")
_chunk_ms = _checked(int, lambda number: 20 <= number <= 100, "a number of ms from 20 to 100")
_scale = _checked(float, lambda number: 0 < number <= 4, "a number up to 4")
_file = _checked(Path, lambda file: file.is_file(), "a file")
_folder = _checked(Path, lambda folder: folder.is_dir(), "a folder")


def _add_freeswitch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--freeswitch", type=_folder, metavar="PREFIX", help="an installed FreeSWITCH with mod_python3")


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument("--json", type=_output_file, metavar="FILE", help="everything, single rounds included")
    output.add_argument("--plot", type=_picture, metavar="FILE", help="a PNG; needs matplotlib")


def _add_work(parser: argparse.ArgumentParser, command: Subcommand) -> None:
    work = parser.add_argument_group("what: every combination of")
    formats = (*FORMATS, *(ENCAPSULATIONS if command.can_attach else ()))
    transports = (*TRANSPORTS, *((ATTACHED,) if command.can_attach else ()))
    for name, allowed, default in (("formats", formats, command.formats), ("ways", WAYS, command.ways),
                                   ("transports", transports, command.transports)):
        work.add_argument(f"--{name}", type=_several(_one_of(allowed)), default=default, metavar=",".join(allowed),
                          help=f"default: {_shown(default)}")
    work.add_argument("--rates", type=_several(_rate_pair), default=command.rates, metavar="HZ[>HZ],…",
                      help=f"of the call and of the wire (default: {_shown_rates(command.rates)})")
    work.add_argument("--goals", action="store_true", help="instead of these: just what the goals are about")


def _add_gateway(parser: argparse.ArgumentParser) -> None:
    _add_output(parser)
    parser.add_argument("--streams", type=_several(_streams), default=(300,), metavar="N",
                        help="live sessions (default: 300)")
    parser.add_argument("--chunk-ms", type=_chunk_ms, default=100, metavar="MS", help="default: %(default)s")
    parser.add_argument("--seconds", type=_duration, default=20.0, help="of one measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=_positive, default=3, help="default: %(default)s")
    parser.add_argument("--redis", action="store_true", help="measure it also with its sessions in a redis-server")
    parser.set_defaults(freeswitch=None)


def _add_recorder(parser: argparse.ArgumentParser) -> None:
    _add_output(parser)
    parser.add_argument("--scale", type=_scale, default=1.0, metavar="FACTOR",
                        help="of the sessions: 100 of PCM, 30 of FLAC, 500 telephone calls (default: 1)")
    parser.add_argument("--sync", choices=_SYNCS, default="always", help="the recorder's setting (default: always)")
    parser.add_argument("--seconds", type=_duration, default=20.0, help="of one measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=_positive, default=3, help="default: %(default)s")
    parser.set_defaults(freeswitch=None)


def _add_protocols(parser: argparse.ArgumentParser) -> None:
    _add_freeswitch(parser)
    _add_output(parser)
    parser.add_argument("--embedded", action="store_true", help="use the embedded switch even so")
    parser.add_argument("--site-packages", type=_folder, metavar="FOLDER",
                        help="packages for FreeSWITCH's Python (default: those of this one)")
    parser.add_argument("--protocols", type=_several(_one_of(tuple(PROTOCOLS))), default=(), metavar="NAME,…",
                        help="default: all")
    parser.add_argument("--streams", type=_several(_streams), default=(100,), metavar="N", help="default: 100")
    parser.add_argument("--seconds", type=_duration, default=5.0, help="of one measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=_positive, default=3, help="default: %(default)s")


def _add_clear(parser: argparse.ArgumentParser) -> None:
    _add_freeswitch(parser)
    _add_output(parser)
    parser.add_argument("--embedded", action="store_true", help="use the embedded switch even so")
    parser.add_argument("--site-packages", type=_folder, metavar="FOLDER",
                        help="packages for FreeSWITCH's Python (default: those of this one)")
    parser.add_argument("--rounds", type=_positive, default=50, help="default: %(default)s")


def _add_http(parser: argparse.ArgumentParser) -> None:
    _add_freeswitch(parser)
    _add_output(parser)
    parser.add_argument("--embedded", action="store_true", help="use the embedded switch even so")
    parser.add_argument("--site-packages", type=_folder, metavar="FOLDER",
                        help="packages for FreeSWITCH's Python (default: those of this one)")
    parser.add_argument("--streams", type=_several(_streams), default=(100,), metavar="N", help="default: 100")
    parser.add_argument("--chunk-ms", type=_chunk_ms, default=100, metavar="MS", help="default: %(default)s")
    parser.add_argument("--seconds", type=_duration, default=10.0, help="of one measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=_positive, default=3, help="default: %(default)s")


def _add(parser: argparse.ArgumentParser, command: Subcommand) -> None:
    _add_freeswitch(parser)
    _add_output(parser)
    parser.add_argument("--embedded", action="store_true", help="use the embedded switch even so")
    parser.add_argument("--site-packages", type=_folder, metavar="FOLDER",
                        help="packages for FreeSWITCH's Python (default: those of this one)")
    _add_work(parser, command)
    amount = parser.add_argument_group("how much")
    amount.add_argument("--streams", type=_several(_streams), default=command.streams, metavar="N,…",
                        help=f"default: {_shown(command.streams)}")
    amount.add_argument("--seconds", type=_duration, default=command.seconds,
                        help="of one measurement (default: %(default)g)")
    amount.add_argument("--rounds", type=_positive, default=command.rounds, help="default: %(default)s")
    if command.name == "stall":
        amount.add_argument("--busy-threads", type=_several(_count), default=(0, 4), metavar="N,…", help="default: 0,4")
    if command.name == "latency":
        amount.add_argument("--busy", type=_count, default=0, metavar="N",
                            help="processes beside the switches that compute all the time (default: %(default)s)")
    if command.name == "memory":
        amount.add_argument("--churn", type=_count, default=10_000, metavar="N",
                            help="streams to start and end (default: %(default)s; 0: none)")
    if command.has_peer:
        against = parser.add_argument_group("against another module, in another FreeSWITCH, by turns")
        against.add_argument("--peer-module", type=_file, metavar="FILE", help="the module's .so")
        against.add_argument("--against", metavar="COMMAND",
                             help=f"its start command, with {{uuid}}, {{url}} and {{rate}} (default: {PEER_START})")


def parser() -> argparse.ArgumentParser:
    """The parser; most subcommands take the same options with defaults of their own."""
    main = argparse.ArgumentParser(prog="freeswitch-audio-stream bench", description=_DESCRIPTION,
                                   epilog="example: freeswitch-audio-stream bench cost --streams 100 --seconds 4")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in SUBCOMMANDS:
        _add(commands.add_parser(command.name, help=command.help, description=command.help), command)
    resampler = commands.add_parser(RESAMPLER, help=_RESAMPLER_HELP, description=_RESAMPLER_HELP)
    _add_freeswitch(resampler)
    _add_output(resampler)
    _add_recorder(commands.add_parser(RECORDER, help=_RECORDER_HELP, description=_RECORDER_HELP))
    _add_gateway(commands.add_parser(GATEWAY, help=_GATEWAY_HELP, description=_GATEWAY_HELP))
    _add_protocols(commands.add_parser(PROTOCOL_COST, help=_PROTOCOLS_HELP, description=_PROTOCOLS_HELP))
    _add_clear(commands.add_parser(CLEAR, help=_CLEAR_HELP, description=_CLEAR_HELP))
    _add_http(commands.add_parser(HTTP, help=_HTTP_HELP, description=_HTTP_HELP))
    return main


def parse(arguments: Sequence[str] | None = None) -> Options:
    """From a command line; ends the process with a sentence where it is wrong."""
    reader = parser()
    given = vars(reader.parse_args(arguments))
    if given["command"] in (RESAMPLER, GATEWAY, RECORDER, PROTOCOL_COST, CLEAR, HTTP):
        return Options(**given)
    against = given.pop("against", None)
    if against is not None and given["peer_module"] is None:
        reader.error("--against needs --peer-module: the module that the command is for")
    try:
        peer_module(against or PEER_START).start_command("uuid", "url", GOAL_WORKS[0])
    except (LookupError, ValueError):
        reader.error("--against may have {uuid}, {url} and {rate} in braces, and no others")
    wanted = given["transports"]
    works = _works(given)
    if not set(wanted) <= {work.transport for work in works} and works != GOAL_WORKS:
        reader.error(f"--transports {_shown(wanted)} leaves one with nothing to do: {ATTACHED} has the formats "
                     f"{', '.join(ENCAPSULATIONS)} at 8000 Hz, the others have {', '.join(FORMATS)}")
    return Options(works=works, against=against or PEER_START, **given)


def _works(given: dict[str, object]) -> tuple[Work, ...]:
    """Takes the options that they come from."""
    formats, ways, transports, rates, goals = (given.pop(name) for name in
                                               ("formats", "ways", "transports", "rates", "goals"))
    if goals:
        return GOAL_WORKS
    every = (Work(form, way == "two", call, wire, transport == "wss", transport == ATTACHED)
             for transport in transports for call, wire in rates  # type: ignore[attr-defined]
             for way in ways for form in formats)  # type: ignore[attr-defined]
    return tuple(work for work in every if work.possible)
