"""Whether figures are what they are meant to be."""

from __future__ import annotations

from typing import Sequence

import pytest

from freeswitch_audio_stream.benchmarks.measures.cost import peers_of
from freeswitch_audio_stream.benchmarks.report import goals
from freeswitch_audio_stream.benchmarks.report.cost_report import BARE, FLOOR, Row, Rows, report
from freeswitch_audio_stream.benchmarks.report.goals import Goal
from freeswitch_audio_stream.benchmarks.work import BINARY, BINARY_TLS, BINARY_TWO_WAY, GOAL_WORKS, JSON_RESAMPLED, Work


@pytest.mark.parametrize("goal, verdict", [
    (Goal("", 0.5, 0.5), "yes"), (Goal("", 0.6, 0.5), "no, by 20 %"), (Goal("", None, 0.5), "not measured"),
    (Goal("", float("nan"), 0.5), "not measured"), (Goal("", 1.5, 1.5, least=True), "yes"),
    (Goal("", 1.2, 1.5, least=True), "no, by 20 %"), (Goal("", -3.0, 2.0), "yes")])
def test_verdicts(goal: Goal, verdict: str) -> None:
    assert goal.verdict == verdict


def test_the_table_says_what_was_wanted() -> None:
    rows = goals.table([Goal("memory", 120.0, 150.0, " KiB"), Goal("more", None, 1.5, least=True)]).rows
    assert rows == [("memory", "120 KiB", "at most 150 KiB", "yes"), ("more", None, "at least 1.5", "not measured")]


def fill(row: Row, totals: Sequence[float]) -> None:
    row.user += [total / 2 for total in totals]
    row.system += [total / 2 for total in totals]


def rows(streams: int, factor: float = 1.0, peer: bool = True) -> Rows:
    found = Rows(streams)
    for work, cost in zip(GOAL_WORKS, (20.0, 30.0, 25.0, 42.0)):
        fill(found.of("ours", work.label), [factor * cost, 2 * factor * cost])
    fill(found.of(BARE, "8000"), [10.0, 20.0])
    fill(found.of(FLOOR, f"{BINARY.message_bytes} bytes"), [10.0, 20.0])
    if peer:
        fill(found.of("peer", BINARY.label), [50.0, 100.0])
        fill(found.of("peer", BINARY_TLS.label), [50.0, 100.0])
    return found


def test_the_goals_of_cost() -> None:
    found = {goal.what: goal.measured for goal in goals.of_cost(rows(100).work, rows(100).least(BINARY), 100)}
    assert list(found.values()) == pytest.approx([0.4, 1.0, 0.6, 0.5, (42 / 80 + 84 / 130) / 2])
    alone = goals.of_cost(rows(100, peer=False).work, rows(100).least(BINARY), 100)
    assert [goal.verdict for goal in alone].count("not measured") == 4 and alone[1].verdict == "yes"


def test_what_is_compared_with_what() -> None:
    found = rows(100)
    assert found.peers(JSON_RESAMPLED) == found.work("peer", BINARY) == [50.0, 100.0]
    assert found.least(BINARY) == [20.0, 40.0]
    assert found.least(BINARY_TWO_WAY) == found.least(BINARY_TLS) == ()
    assert found.least(JSON_RESAMPLED) == []  # such a send was not measured


def test_the_report_of_cost() -> None:
    results = report([rows(50), rows(400, 1.5)], GOAL_WORKS, "a switch")
    assert [table.title.split(",")[0] for table in results.tables] == ["CPU per stream and frame"] * 2 + ["Goals"]
    growing = [row for row in results.tables[2].rows if "at 400 streams / at 50" in str(row[0])]
    assert len(growing) == len(GOAL_WORKS) and all(row[3] == "no, by 50 %" for row in growing)
    assert {curve.panel for curve in results.curves} == {"CPU per frame (µs)"}
    assert all(curve.x == [50, 400] for curve in results.curves)


def test_what_the_peer_does_beside_it() -> None:
    works = [Work("json", True, 8000, 16000), Work("mulaw", False, 8000, 8000), Work("json", False, 8000, 16000, True)]
    assert list(peers_of(works)) == [Work("binary", False, 8000, rate, tls) for tls in (False, True)
                                     for rate in (8000, 16000)]


def test_the_other_goals() -> None:
    assert [goal.verdict for goal in goals.of_latency("", 0.2, 3.0)] == ["yes", "no, by 50 %"]
    assert goals.of_playback_latency("", 20.9).verdict == "yes"
    assert goals.of_capacity(BINARY, 600, 400).verdict == "yes"
    assert goals.of_capacity(BINARY, 600, None).verdict == goals.of_capacity(BINARY, 600, 0).verdict == "not measured"
    assert [goal.verdict for goal in goals.of_stall("", 0.1, 1.0, 4)] == ["yes", "yes"]
    assert [goal.measured for goal in goals.of_stall("", 0.1, 1.0, 0)] == [0.1]
    assert goals.of_memory("", 150.1).verdict == "no, by 0.07 %"
    assert goals.of_churn(10_000, 1.0).verdict == "yes"
