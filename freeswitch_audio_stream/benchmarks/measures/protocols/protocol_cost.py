"""``protocols``: what a stream of each wire protocol costs the switch, and the same audio in the protocol ``json``.

A protocol that carries mu-law as a rule is compared with ``json`` in mu-law, the others with ``json`` in L16; all at
8000 Hz, in messages as each protocol has them.
"""

from __future__ import annotations

import uuid
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
_PONG_SECONDS = 2.0


def _answer(kind: str, seq: int, **parameters: object) -> Reply:
    """Return what an AudioHook server says."""
    return Reply(text_frame(orjson.dumps({"version": "2", "type": kind, "seq": seq, "clientseq": 1, "id": _SESSION,
                                          "parameters": parameters})), 0, 0, False)


_OPENED = _answer("opened", 1, media=[{"type": "audio", "format": "PCMU", "channels": ["external"], "rate": _RATE}])
_PONG = _answer("pong", 2)


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
    """Return every protocol but ``json`` at 8000 Hz, or those named."""
    found = []
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


class Costs(NamedTuple):
    """Of one protocol, round by round: µs of CPU per frame."""

    own: list[float]
    json: list[float]
    """Of the same audio in ``json``, right before."""


def measure(bench: Bench, streams: int, seconds: float, rounds: int, names: Sequence[str] = ()) -> Results:
    """In each round, each protocol beside ``json``, and the calls alone before and after both; a frame is one of 20 ms.
    """
    measured = {kind: Costs([], []) for kind in kinds(names)}
    silent: set[Kind] = set()
    for number in range(rounds):
        with bench.unwoken(), bench.calls(streams, _RATE) as calls:
            idle = _observe(bench, seconds)
            for kind, costs in measured.items():
                if kind in silent:
                    continue
                busy = [_busy(bench, calls, each, seconds) for each in (kind.baseline, kind)]
                after = _observe(bench, seconds)
                if busy[1] is None:
                    silent.add(kind)
                    idle = after
                    continue
                for used, kept in zip(busy, (costs.json, costs.own)):
                    assert used is not None
                    kept.append(1e6 * (used.total - mean(idle, after).total) / (streams * seconds * 1000 / FRAME_MS))
                progress(f"round {number + 1} of {rounds}, {kind.label}: {costs.own[-1]:.1f} µs, json "
                         f"{costs.json[-1]:.1f} µs")
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
        bench.receiver.reply_to_first(_OPENED)
    for number, call in enumerate(calls):
        bench.receiver.forget(number)
        codec = "mulaw" if kind.encoding is Encoding.MULAW else "l16"
        answer = bench.switch.command(_START.format(uuid=call, settings=settings, codec=codec,
                                                    url=bench.receiver.url(number)))
        if not answer.startswith("+OK"):
            raise BenchError(f"a stream of {kind.name} does not start: {answer}")
    if protocol.permit_seconds:
        bench.wait(lambda: bench.receiver.flowing(range(len(calls)), 2) == len(calls), _FLOW_SECONDS)
        bench.receiver.reply_at_times(_PONG, _PONG_SECONDS)
    frames = int(SETTLE_SECONDS * 1000 / (protocol.packet_ms or FRAME_MS))
    flows = bench.wait(lambda: bench.receiver.flowing(range(len(calls)), frames) == len(calls), _FLOW_SECONDS)
    bench.settle()
    used = _observe(bench, seconds)
    bench.receiver.reply_never()
    bench.stop(calls, _WORK)
    bench.settle()
    return used if flows else None


def _report(bench: Bench, streams: int, measured: Mapping[Kind, Costs], silent: set[Kind]) -> Results:
    spoken = {kind: costs for kind, costs in measured.items() if kind not in silent}
    compared = {kind: compare(*costs) for kind, costs in spoken.items()}
    rounds = max(len(costs.own) for costs in spoken.values())
    table = Table(f"CPU per stream and frame of {FRAME_MS} ms, {streams} streams of {_RATE} Hz, {bench.switch.name}, "
                  f"medians of {rounds}", ("", "µs", "json, µs", "/ json"))
    table.rows += [(kind.label, *figures) for kind, figures in compared.items()]
    table.notes += [f"{kind.label}: sends no audio before its service has answered, and is not measured"
                    for kind in silent]
    dearest = max(figures.ratio for figures in compared.values())
    results = Results("protocols", [table])
    results.tables.append(goals.table([goals.Goal("the dearest / json", dearest, GOAL),
                                       goals.Goal("none above", dearest, NEVER)]))
    results.rounds += [{"protocol": kind.name, "encoding": kind.encoding.value, "us": costs.own, "json_us": costs.json}
                       for kind, costs in spoken.items()]
    return results
