"""``scripts/soak``: see `main`."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Callable, Iterator, Sequence

from ..errors import AudioStreamError
from ..benchmarks.receiver.tls_server import make_certificate
from ..testing import find_prefix
from .faults import Faults
from .kinds import KINDS, TLS_SCHEMES
from .line import Line
from .numbered_noise import Noise
from .report import write
from .resources import Sample, resources_of
from .server import SoakServer
from .switch import SoakSwitch
from .verdict import Promise, judge

_SETTLE_SECONDS = 15.0
_TICK = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a soak and write its report; return 0 if every promise was kept, 1 if not, 2 if it could not be run."""
    options = _parser().parse_args(arguments)
    prefix = options.freeswitch or find_prefix()
    if prefix is None:
        print("soak: there is no FreeSWITCH with mod_python3 in the usual places: name its prefix with --freeswitch",
              file=sys.stderr)
        return 2
    try:
        soak = _Soak(options, prefix)
        with _signals_to(soak.end_soon):
            promises = soak.run()
    except AudioStreamError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    for promise in promises:
        word = {True: "kept", False: "BROKEN", None: "not told"}[promise.kept]
        print(f"{word:<9} {promise.text}" + (f": {promise.figures}" if promise.figures else ""))
    print(f"the report is in {options.report}")
    return 0 if all(promise.kept is not False for promise in promises) else 1


@contextmanager
def _signals_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freeswitch-audio-stream soak", description="Calls with streams in a real FreeSWITCH, two-way, of "
        "several protocols, with faults on purpose; every sample that a server or a caller hears is compared with what "
        "was said.",
        epilog="example: freeswitch-audio-stream soak --hours 2 --streams 20")
    parser.add_argument("--hours", type=float, default=1.0, help="how long; fractions are allowed (default: 1)")
    parser.add_argument("--streams", type=int, default=12, metavar="N", help="calls, each with a stream (default: 12)")
    parser.add_argument("--protocols", default=",".join(KINDS), metavar="NAME,…",
                        help=f"of the streams, by turns (default: {','.join(KINDS)})")
    parser.add_argument("--freeswitch", type=Path, metavar="PREFIX", help="an installed FreeSWITCH with mod_python3")
    parser.add_argument("--faults-every", type=float, default=20.0, metavar="SECONDS",
                        help="between two faults, on average; 0: none (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults and of the noise (default: 1)")
    parser.add_argument("--sample-every", type=float, default=10.0, metavar="SECONDS",
                        help="memory, descriptors and threads (default: 10)")
    parser.add_argument("--report", type=Path, default=Path("soak.html"), metavar="FILE", help="default: soak.html")
    return parser


class _Soak:
    def __init__(self, options: argparse.Namespace, prefix: Path) -> None:
        self._options = options
        said, answered = Noise(options.seed), Noise(options.seed + 1)
        names = options.protocols.split(",")
        unknown = [name for name in names if name not in KINDS]
        if unknown or options.streams < 1:
            raise AudioStreamError(f"there is no protocol {unknown[0]!r} here: use {', '.join(KINDS)}" if unknown
                                   else "--streams has to be 1 or more")
        self._lines = {number: Line(number, KINDS[names[number % len(names)]], said, answered)
                       for number in range(options.streams)}
        self._folder = tempfile.TemporaryDirectory(prefix="audio-stream-soak-")
        certificate = self._certificate()
        self._server = SoakServer(self._lines, certificate)
        self._switch = SoakSwitch(prefix, certificate)
        self._samples: list[Sample] = []
        self._end = math.inf
        self._is_ending = False

    def end_soon(self, number: int, frame: FrameType | None) -> None:
        """End as if the time were over: no more faults, and the report. The second time at once, without one."""
        if self._is_ending:
            raise KeyboardInterrupt
        self._is_ending = True
        self._end = min(self._end, time.monotonic() + _SETTLE_SECONDS)
        print(f"ending: the report comes in {_SETTLE_SECONDS:g} s; ask once more to do without it", flush=True)

    def _certificate(self) -> Path | None:
        """Return that of the servers with TLS, where a line has one."""
        if not any(line.kind.scheme in TLS_SCHEMES for line in self._lines.values()):
            return None
        file = Path(self._folder.name) / "certificate.pem"
        make_certificate(file)
        return file

    def run(self) -> list[Promise]:
        self._server.start()
        try:
            faults = Faults(self._options.seed, self._options.faults_every or 1e9, self._lines, self._server,
                            self._switch)
            for line in self._lines.values():
                faults.connect(line)
            self._go_on(faults)
            crashed = self._switch.has_crashed
            streaming = 0 if crashed else sum(stream["state"] == "streaming" for stream in self._switch.streams())
        finally:
            self._switch.close()
            self._server.stop()
            self._folder.cleanup()
        lines = list(self._lines.values())
        promises = judge(lines, self._samples, crashed, streaming, self._server.errors, faults.ended)
        hours = (self._end - self._begun) / 3600
        title = f"{len(lines)} calls with streams for {hours:.3g} h, seed {self._options.seed}"
        write(self._options.report, title, promises, self._samples, faults.done, lines)
        return promises

    def _go_on(self, faults: Faults) -> None:
        self._begun = next_sample = time.monotonic()
        self._end = min(self._end, self._begun + 3600 * self._options.hours)
        while (now := time.monotonic()) < self._end and not self._switch.has_crashed:
            if now < self._end - _SETTLE_SECONDS:
                faults.maybe()
            if now >= next_sample:
                next_sample += self._options.sample_every
                self._samples.append(self._sample(now - self._begun))
            time.sleep(_TICK)

    def _sample(self, seconds: float) -> Sample:
        taken = [line.take_lateness() for line in self._lines.values()]
        sides = [sorted(value for one in taken for value in one[side]) for side in (0, 1)]
        late = [1000 * values[int(0.99 * len(values))] if values else 0.0 for values in sides]
        return Sample(seconds, *resources_of(self._switch.pid), (late[0], late[1]))


if __name__ == "__main__":
    sys.exit(main())
