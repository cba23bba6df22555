"""The program: from the command line to the tables, with all processes that a run needs."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Iterator, Sequence

from ..errors import AudioStreamError
from ..testing import find_prefix
from .errors import BenchError
from .measures import capacity, clear, cost, gateway, latency, memory, recorder, stall, start
from .measures.protocols import http_cost, protocol_cost
from .measures.trial import Bench, progress
from .neighbours import busy_neighbours
from .options import CLEAR, GATEWAY, HTTP, PROTOCOL_COST, RECORDER, RESAMPLER, Options, parse
from .receiver.media_clients import MeasuredMediaServer
from .receiver.receiver import Receiver
from .receiver.tls_server import make_certificate
from .report import files as report
from .report.results import Results
from .switches.embedded import EmbeddedSwitchProcess
from .switches.freeswitch import RealSwitch
from .switches.switch_process import SwitchProcess
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


def _receiver(options: Options, opened: ExitStack) -> Receiver:
    if not any(work.tls for work in options.works):
        return opened.enter_context(Receiver())
    certificate = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="audio-stream-bench-"))) / "server.pem"
    make_certificate(certificate)
    return opened.enter_context(Receiver(certificate))


def _media_server(options: Options) -> MeasuredMediaServer | None:
    """That of the switch which is started next, if there are clients to attach."""
    if not any(work.attached for work in options.works):
        return None
    server = MeasuredMediaServer(options.site_packages if _prefix(options) else None)
    os.environ.update(server.environment)
    return server


def _benches(options: Options, media_server: MeasuredMediaServer | None, receiver: Receiver, opened: ExitStack
             ) -> tuple[Bench, Bench | None]:
    """Ours and, where there is one, the peer's."""
    prefix = _prefix(options)
    mine = opened.enter_context(_opened(EmbeddedSwitchProcess() if prefix is None else
                                        RealSwitch(prefix, site_packages=options.site_packages)))
    if media_server is not None:
        media_server.wait()
    if prefix is None or options.peer_module is None:
        return Bench(mine, OURS, receiver, media_server=media_server), None
    module = peer_module(options.against)
    trusted = receiver.certificate
    variables = {name: value.format(ca=trusted) for name, value in module.variables.items()} if trusted else {}
    other = opened.enter_context(_opened(RealSwitch(prefix, options.peer_module, options.site_packages, variables)))
    return Bench(mine, OURS, receiver, other, media_server), Bench(other, module, receiver, mine)


def _measure(options: Options, ours: Bench, peer: Bench | None) -> Results:
    works, streams, seconds, rounds = options.works, options.streams, options.seconds, options.rounds
    if options.command == "cost":
        return cost.measure(ours, peer, works, streams, seconds, rounds)
    if options.command == "stall":
        return stall.measure(ours, works, streams[0], seconds, rounds, options.busy_threads)
    if options.command == "latency":
        with busy_neighbours(options.busy):
            return latency.measure(ours, peer, works, streams, seconds, rounds, options.busy)
    if options.command == "capacity":
        return capacity.measure(ours, peer, works, streams[0], seconds)
    if options.command == "memory":
        return memory.measure(ours, peer, works, streams, seconds, options.churn)
    return start.measure(ours, peer, works, streams[0], rounds)


def _results(options: Options, environment: dict[str, object]) -> Results:
    if options.command == RESAMPLER:
        from .measures import resampler  # it compiles what nothing else needs
        return resampler.measure(_prefix(options))
    if options.command == GATEWAY:
        return gateway.measure(options.streams[0], options.chunk_ms, options.seconds, options.rounds,
                               with_redis=options.redis)
    if options.command == RECORDER:
        return recorder.measure(options.scale, options.seconds, options.rounds, options.sync)
    if options.peer_module is not None and _prefix(options) is None:
        raise BenchError("--peer-module needs a FreeSWITCH: name it with --freeswitch")
    os.environ.setdefault("MOD_AUDIO_STREAM_MAX_STREAMS", "4000")  # for the switches that are started
    media_server = _media_server(options)
    with ExitStack() as opened:
        ours, peer = _benches(options, media_server, _receiver(options, opened), opened)
        environment["switch"] = ours.switch.name
        progress(f"measuring in {ours.switch.name}, {environment['cores']} cores, load "
                 f"{environment['load_before']:.1f}")
        if options.command == HTTP:
            return http_cost.measure(ours, options.streams[0], options.chunk_ms, options.seconds, options.rounds)
        if options.command == PROTOCOL_COST:
            return protocol_cost.measure(ours, options.streams[0], options.seconds, options.rounds, options.protocols)
        if options.command == CLEAR:
            return clear.measure(ours, options.rounds)
        return _measure(options, ours, peer)


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status. KeyboardInterrupt comes through when all processes have ended."""
    options = parse(arguments)
    environment = report.surroundings()
    try:
        results = _results(options, environment)
        for table in results.tables:
            print("\n" + table.text())
        if options.json:
            report.write_json(options.json, results, asdict(options), environment)
        if options.plot:
            report.plot(options.plot, results)
    except (AudioStreamError, OSError) as error:
        print(f"The benchmark ends: {error}", file=sys.stderr)
        return 1
    return 0
