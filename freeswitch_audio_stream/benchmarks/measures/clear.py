"""``clear``: from a server's message that clears the queue to the last sample of it that the caller hears.

A second stream of the same call sends what the caller hears, in pieces of 10 ms, to the same process: both ends of the
time are of one clock. It ends when the piece with the last audible sample has come, up to 10 ms late.
"""

from __future__ import annotations

import base64
import random
import time

import numpy as np

from ...audio import samples_to_l16
from ...services.agent.server import Agent
from ...services.agent.session import AgentSession
from ..errors import BenchError
from ..report import goals
from ..report.results import Results, Table
from .trial import Bench, progress

GOAL_MS = 60.0
_RATE = 8000
_LOUD = 12_000
_PLAYED_SECONDS, _QUIET_SAMPLES, _HEARD_SAMPLES = 10, _RATE // 4, _RATE // 5
_WAIT_SECONDS = 20.0
_START = "uuid_audio_stream {uuid} {id} start {{{settings}}}{url} {track} 8000 60 {flag}"


def measure(bench: Bench, rounds: int) -> Results:
    """One call, which is spoken to and cleared `rounds` times."""
    times: list[float] = []
    with bench.calls(1, _RATE) as calls, Agent() as server:
        for number, (name, settings, track, flag) in enumerate((
                ("speaker", "protocol=json", "inbound", 1), ("ear", "protocol=binary,chunk-ms=10", "outbound", 0)), 1):
            answer = bench.switch.command(_START.format(uuid=calls[0], id=name, settings=settings, url=server.url,
                                                        track=track, flag=flag))
            if not answer.startswith("+OK"):
                raise BenchError(f"a stream does not start: {answer}")
            server.wait_for_session(number)
        speaker, ear = server.sessions
        for number in range(rounds):
            times.append(_clear(speaker, ear))
            progress(f"round {number + 1} of {rounds}: {times[-1]:.1f} ms")
        for name in ("speaker", "ear"):
            bench.switch.command(f"uuid_audio_stream {calls[0]} {name} stop")
    return _report(bench, times)


def _clear(speaker: AgentSession, ear: AgentSession) -> float:
    """Return the milliseconds that one takes."""
    noise = np.random.default_rng(1).choice((-2 * _LOUD, 2 * _LOUD), _PLAYED_SECONDS * _RATE).astype(np.int16)
    speaker.send({"event": "media.play", "payload": {
        "audioData": base64.b64encode(samples_to_l16(noise)).decode(), "sampleRate": _RATE}})
    ear.wait_for(lambda ear: _loud_in(ear, _HEARD_SAMPLES) > _HEARD_SAMPLES // 2, _WAIT_SECONDS)
    time.sleep(random.uniform(0.0, 0.02))  # not in step with the frames
    asked = time.monotonic()
    speaker.send({"event": "media.clear"})
    ear.wait_for(lambda ear: _loud_in(ear, _QUIET_SAMPLES) == 0, _WAIT_SECONDS)
    last = int(np.flatnonzero(np.abs(ear.samples("outbound").astype(np.int32)) > _LOUD)[-1])
    heard = next(arrival.seconds for arrival in ear.arrivals("outbound") if arrival.samples > last)
    return 1000 * (heard - asked)


def _loud_in(ear: AgentSession, samples: int) -> int:
    """How many of the latest samples are those that were played."""
    return int(np.count_nonzero(np.abs(ear.samples("outbound")[-samples:].astype(np.int32)) > _LOUD))


def _report(bench: Bench, times: list[float]) -> Results:
    median, most = float(np.median(times)), max(times)
    table = Table(f"From the message to the last sample heard, one call of {_RATE} Hz, {bench.switch.name}, "
                  f"{len(times)} times", ("", "ms"), [("median", median), ("longest", most)])
    results = Results("clear", [table, goals.table([goals.Goal("longest", most, GOAL_MS, " ms")])])
    results.rounds += [{"ms": one} for one in times]
    return results
