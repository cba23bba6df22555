"""Every subcommand on the embedded switch, with a few streams for a moment: that it works, not what it measures."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.benchmarks.errors import BenchError
from freeswitch_audio_stream.benchmarks.measures import capacity, cost, latency, memory, stall, start
from freeswitch_audio_stream.benchmarks.measures.trial import Bench
from freeswitch_audio_stream.benchmarks.receiver.receiver import Receiver
from freeswitch_audio_stream.benchmarks.report.results import Results, Table
from freeswitch_audio_stream.benchmarks.work import (BINARY, BINARY_TLS, BINARY_TWO_WAY, GOAL_WORKS, JSON_RESAMPLED,
                                                     OURS, Work)

pytestmark = pytest.mark.slow
MULAW = Work("mulaw", False, 8000, 8000)


def goals_of(results: Results) -> Table:
    assert results.tables[-1].title == "Goals"
    return results.tables[-1]


def looks_of(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The orders how often to look, as they are given."""
    given: list[float] = []
    order = receiver.look_every
    monkeypatch.setattr(receiver, "look_every", lambda seconds: (given.append(seconds), order(seconds)))
    return given


def test_cost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looks_of(bench.receiver, monkeypatch)
    results = cost.measure(bench, None, GOAL_WORKS, (2,), 0.1, 1)
    assert looks == [0.002, 0.0], "unwoken, and only for as long as that takes"
    table = results.tables[0]
    assert [row[0] for row in table.rows] == ["bare bug 8000", *(f"ours {work.label}" for work in GOAL_WORKS),
                                              f"floor: send(2) {BINARY.message_bytes} bytes",
                                              f"floor: send(2) {JSON_RESAMPLED.message_bytes} bytes"]
    assert "2 streams, the embedded switch" in table.title
    assert len(goals_of(results).rows) == 5
    assert {curve.label for curve in results.curves} >= {f"ours {BINARY.label}", "bare bug 8000"}


@pytest.mark.parametrize("work", [BINARY, Work("json", True, 8000, 8000), Work("mulaw", False, 8000, 8000, True)],
                         ids=lambda work: work.label)
def test_latency(bench: Bench, work: Work) -> None:
    results = latency.measure(bench, None, [work, JSON_RESAMPLED], (2,), 0.8, 1)
    measured = results.rounds[0]
    assert measured["up"][0].count > 0 and measured["gaps"][0].count > 0
    assert (measured["down"] != []) == work.two_way and all(found.count > 0 for found in measured["down"])
    assert "resampled work is left out: the times do not survive it" in results.tables[0].notes
    assert len(goals_of(results).rows) == 2 + work.two_way


def test_latency_beside_neighbours_is_set_against_the_peers(bench: Bench) -> None:
    """The same switch stands for the peer's."""
    peer = Bench(bench.switch, OURS._replace(name="peer"), bench.receiver)
    results = latency.measure(bench, peer, [BINARY], (2,), 0.5, 1, busy=2)
    assert "beside 2 processes that compute all the time" in results.tables[0].notes
    assert [row[0] for row in goals_of(results).rows] == [
        f"{BINARY.label}, 2 streams: {what}, p99 / the peer's" for what in (latency.UP, latency.GAP)]


def test_capacity(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "_MOST", 3)
    monkeypatch.setattr(capacity, "GAP_MS", 1e9)
    looks = looks_of(bench.receiver, monkeypatch)
    results = capacity.measure(bench, None, [MULAW], 2, 0.2)
    assert looks == [0.002, 0.0]
    assert results.tables[0].rows[0][0] == f"ours {MULAW.label}"
    assert goals_of(results).rows[0][-1] == "not measured"


def test_stall(bench: Bench) -> None:
    results = stall.measure(bench, [BINARY_TWO_WAY], 2, 0.3, 1, (0, 1))
    kinds = {(row[0], row[1]) for row in results.tables[0].rows}
    assert {(f"{BINARY_TWO_WAY.label}: capture", threads) for threads in (0, 1)} <= kinds
    assert len(goals_of(results).rows) >= 3


def test_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_REST_SECONDS", 0.0)
    results = memory.measure(bench, None, [BINARY_TLS], (2,), 0.2, 10)
    assert results.tables[0].rows[0][:2] == (f"ours {BINARY_TLS.label}", 2)
    assert results.tables[1].rows[0][:2] == (f"ours {BINARY_TLS.label}", 10)
    assert [str(row[0]) for row in goals_of(results).rows] == [
        f"{BINARY_TLS.label}, 2 streams: resident per stream", "memory after 10 streams, grown since a tenth of them"]


def test_start(bench: Bench) -> None:
    results = start.measure(bench, None, [BINARY_TLS], 2, 1)
    assert len(results.tables[0].rows) == 4
    for round_ in results.rounds:
        assert len(round_["ms"]) == 2 and min(round_["ms"]) > 0


def test_a_stream_that_does_not_start_is_one_sentence(bench: Bench) -> None:
    with pytest.raises(BenchError, match="ours in the embedded switch .* does not start a stream: -ERR no such call"):
        bench.start(["nobody"], BINARY)
