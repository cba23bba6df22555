"""``./scripts/bench``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Iterator

from ..errors import AudioStreamError
from ..live import find_prefix
from . import capacity, cost, latency, memory, report, stall, start
from .embedded import EmbeddedSwitchProcess
from .options import Options, parse
from .receiver import Receiver
from .results import Results
from .switches import RealSwitch, SwitchProcess
from .trial import Bench, BenchError
from .work import OURS, peer_module


@contextmanager
def _opened(switch: SwitchProcess) -> Iterator[SwitchProcess]:
    try:
        yield switch
    finally:
        switch.close()


def _prefix(options: Options) -> Path | None:
    if options.embedded:
        return None
    return options.freeswitch or find_prefix()


def _benches(options: Options, receiver: Receiver, opened: ExitStack) -> tuple[Bench, Bench | None]:
    """Ours and, where there is one, the peer's."""
    prefix = _prefix(options)
    if prefix is None:
        if options.peer_module is not None:
            raise BenchError("--peer-module needs a FreeSWITCH: name it with --freeswitch")
        return Bench(opened.enter_context(_opened(EmbeddedSwitchProcess())), OURS, receiver), None
    mine = opened.enter_context(_opened(RealSwitch(prefix, site_packages=options.site_packages)))
    if options.peer_module is None:
        return Bench(mine, OURS, receiver), None
    other = opened.enter_context(_opened(RealSwitch(prefix, options.peer_module, 1, options.site_packages)))
    return Bench(mine, OURS, receiver), Bench(other, peer_module(options.against), receiver)


def _measure(options: Options, ours: Bench, peer: Bench | None) -> Results:
    works, streams, seconds, rounds = options.works, options.streams, options.seconds, options.rounds
    if options.command == "cost":
        return cost.measure(ours, peer, works, streams, seconds, rounds)
    if options.command == "stall":
        return stall.measure(ours, works, streams[0], seconds, rounds, options.busy_threads)
    if options.command == "latency":
        return latency.measure(ours, peer, works, streams, seconds, rounds)
    if options.command == "capacity":
        return capacity.measure(ours, peer, works, streams[0], seconds)
    if options.command == "memory":
        return memory.measure(ours, peer, works, streams, seconds, options.churn)
    return start.measure(ours, peer, works, streams[0], rounds)


def main() -> int:
    """The exit status."""
    options = parse()
    environment = report.surroundings()
    os.environ.setdefault("MOD_AUDIO_STREAM_MAX_STREAMS", "4000")  # for the switches that are started
    try:
        with ExitStack() as opened:
            receiver = opened.enter_context(Receiver())
            ours, peer = _benches(options, receiver, opened)
            environment["switch"] = ours.switch.name
            print(f"measuring in {ours.switch.name}, {environment['cores']} cores, load {environment['load_before']:.1f}",
                  flush=True)
            results = _measure(options, ours, peer)
    except (AudioStreamError, OSError, TimeoutError) as error:
        print(f"The benchmark ends: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for table in results.tables:
        print("\n" + table.text())
    if options.json:
        report.write_json(options.json, results, asdict(options), environment)
    if options.plot:
        report.plot(options.plot, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
