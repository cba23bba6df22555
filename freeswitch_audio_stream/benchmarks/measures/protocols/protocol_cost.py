"""``protocols``: what a stream of each wire protocol costs the switch, and the same audio in the protocol ``json``.

A protocol that carries mu-law as a rule is compared with ``json`` in mu-law, the others with ``json`` in L16; all at
8000 Hz, in messages as each protocol has them.
"""

from __future__ import annotations

import uuid
from statistics import median
from typing import Mapping, NamedTuple, Sequence

import orjson

from ....audio import Encoding, Track
from ....errors import SettingError
from ....protocols import PROTOCOLS
from ...errors import BenchError
from ...receiver.receiver import Reply
from ...report import goals
from ...report.results import Results, Table
from ...report.statistics import compare
from ...switches.processes import CpuTime, cpu_time, mean
from ...work import FRAME_MS, Work, text_frame
from ..trial import SETTLE_SECONDS, Bench, progress

GOAL, NEVER = 1.1, 1.5
_RATE = 8000
_WORK = Work("json", False, _RATE, _RATE)
_FLOW_SECONDS = 15.0
_SESSION = str(uuid.UUID(int=0x4f8e3c1b2a094d5e8f7a6b5c4d3e2f10))
_START = "uuid_audio_stream {uuid} bench start {{{settings}}}{url} inbound {codec} 8000 60 0"
_OPENED = orjson.dumps({"version": "2", "type": "opened", "seq": 1, "clientseq": 1, "id": _SESSION, "parameters": {
    "media": [{"type": "audio", "format": "PCMU", "channels": ["external"], "rate": _RATE}]}})


class Kind(NamedTuple):
    """A protocol, and what audio it carries."""

    name: str
    encoding: Encoding

    @property
    def label(self) -> str:
        """For tables."""
        return f"{self.name}, {'mu-law' if self.encoding is Encoding.MULAW else 'L16'}"

    @property
    def baseline(self) -> Kind:
        """Return what it is compared with."""
        return Kind("json", self.encoding)


def kinds(names: Sequence[str] = ()) -> list[Kind]:
    """Return every protocol at 8000 Hz, or those named; ``json`` in both encodings comes first."""
    found = [Kind("json", Encoding.L16), Kind("json", Encoding.MULAW)]
    for name, protocol in PROTOCOLS.items():
        if name == "json" or names and name not in names:
            continue
        for asked in (Encoding.L16, Encoding.MULAW):
            try:
                _, encoding = protocol.carried(Track.INBOUND, asked, _RATE)
            except SettingError:
                continue
            # AudioHook offers both, and the server of the benchmark chooses mu-law.
            found.append(Kind(name, Encoding.MULAW if protocol.permit_seconds else encoding))
            break
    return found


def measure(bench: Bench, streams: int, seconds: float, rounds: int, names: Sequence[str] = ()) -> Results:
    """All protocols in each round, and the calls alone before and after each; a frame is one of 20 ms."""
    measured: dict[Kind, list[float]] = {kind: [] for kind in kinds(names)}
    silent: set[Kind] = set()
    for number in range(rounds):
        with bench.unwoken(), bench.calls(streams, _RATE) as calls:
            idle = _observe(bench, seconds)
            for kind, costs in measured.items():
                if kind in silent:
                    continue
                busy = _busy(bench, calls, kind, seconds)
                after = _observe(bench, seconds)
                if busy is None:
                    silent.add(kind)
                else:
                    frames = streams * seconds * 1000 / FRAME_MS
                    costs.append(1e6 * (busy.total - mean(idle, after).total) / frames)
                    progress(f"round {number + 1} of {rounds}, {kind.label}: {costs[-1]:.1f} µs")
                idle = after
    return _report(bench, streams, measured, silent)


def _observe(bench: Bench, seconds: float) -> CpuTime:
    before = cpu_time(bench.switch.pid)
    bench.let_pass(seconds)
    return cpu_time(bench.switch.pid) - before


def _busy(bench: Bench, calls: Sequence[str], kind: Kind, seconds: float) -> CpuTime | None:
    """Return what the switch has used while a stream on each call sent audio; None where none does."""
    protocol = PROTOCOLS[kind.name]
    settings = f"protocol={kind.name}"
    if protocol.permit_seconds:
        settings += f",platform-stream-id={_SESSION}"
        bench.receiver.reply_to_each(Reply(text_frame(_OPENED), 0, 0, False))
    for number, call in enumerate(calls):
        bench.receiver.forget(number)
        codec = "mulaw" if kind.encoding is Encoding.MULAW else "l16"
        answer = bench.switch.command(_START.format(uuid=call, settings=settings, codec=codec,
                                                    url=bench.receiver.url(number)))
        if not answer.startswith("+OK"):
            raise BenchError(f"a stream of {kind.name} does not start: {answer}")
    frames = int(SETTLE_SECONDS * 1000 / (protocol.packet_ms or FRAME_MS))
    flows = bench.wait(lambda: bench.receiver.flowing(range(len(calls)), frames) == len(calls), _FLOW_SECONDS)
    bench.receiver.reply_never()
    bench.settle()
    used = _observe(bench, seconds)
    bench.stop(calls, _WORK)
    bench.settle()
    return used if flows else None


def _report(bench: Bench, streams: int, measured: Mapping[Kind, list[float]], silent: set[Kind]) -> Results:
    spoken = {kind: costs for kind, costs in measured.items() if kind not in silent}
    ratios = {kind: compare(costs, spoken[kind.baseline]).ratio for kind, costs in spoken.items()}
    table = Table(f"CPU per stream and frame of {FRAME_MS} ms, {streams} streams of {_RATE} Hz, {bench.switch.name}, "
                  f"medians of {len(spoken[Kind('json', Encoding.L16)])}", ("", "µs", "/ json"))
    table.rows += [(kind.label, median(costs), ratios[kind]) for kind, costs in spoken.items()]
    table.notes += [f"{kind.label}: sends no audio before its service has answered, and is not measured"
                    for kind in silent]
    results = Results("protocols", [table])
    results.tables.append(goals.table([goals.Goal("the dearest / json", max(ratios.values()), GOAL),
                                       goals.Goal("none above", max(ratios.values()), NEVER)]))
    results.rounds += [{"protocol": kind.name, "encoding": kind.encoding.value, "us": costs}
                       for kind, costs in spoken.items()]
    return results
