"""How a stream reports: bodies, times, and no more than one error of a kind in a second."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, cast

import orjson
from hypothesis import given
from hypothesis import strategies as some

from freeswitch_audio_stream.engine.call import Call
from freeswitch_audio_stream.engine.events.reports import Reporter


class Recorder:
    """The part of a call that a reporter uses."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def emit(self, event: str, body: str) -> None:
        self.events.append((event, orjson.loads(body)))


def reporter() -> tuple[Reporter, Recorder]:
    recorder = Recorder()
    return Reporter(cast(Call, recorder), "a stream"), recorder


def test_what_is_none_is_left_out() -> None:
    reporting, recorder = reporter()
    reporting.fire("heartbeat", state="streaming", detail=None, number=0)
    (name, body), = recorder.events
    assert name == "mod_audio_stream::heartbeat"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body.pop("timestamp"))
    assert body == {"streamId": "a stream", "state": "streaming", "number": 0}


def test_a_time_that_is_given_stays() -> None:
    reporting, recorder = reporter()
    reporting.fire("heartbeat", timestamp="then")
    assert recorder.events[0][1]["timestamp"] == "then"


@given(some.lists(some.tuples(some.sampled_from("abc"), some.floats(0, 0.4))))
def test_errors_are_reported_once_per_kind_and_second(errors: list[tuple[str, float]]) -> None:
    reporting, recorder = reporter()
    now = 100.0
    reported: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for kind, pause in errors:
        now += pause
        before = len(recorder.events)
        reporting.error(kind, f"an error of kind {kind}", clock=lambda: now)
        if len(recorder.events) > before:
            reported[kind].append(now)
    for times in reported.values():
        assert all(later - earlier >= 1.0 for earlier, later in zip(times, times[1:]))
    reporting.tell_the_rest()
    occurred = Counter(kind for kind, _ in errors)
    stands_for = Counter[str]()
    for _, body in recorder.events:
        stands_for[body["kind"]] += body["count"]
    assert stands_for == occurred, "each is counted in one event"
    told = len(recorder.events)
    reporting.tell_the_rest()
    assert len(recorder.events) == told
    assert reporting.errors == len(errors)
    assert {kind for kind, times in reported.items() if times} == occurred.keys()
    told: Counter[str] = Counter()
    for name, body in recorder.events:
        assert name == "mod_audio_stream::stream_error" and body["error"].endswith(body["kind"])
        told[body["kind"]] += body["count"]
    assert all(told[kind] <= occurred[kind] for kind in told)
    if errors:
        assert reporting.last_error == f"an error of kind {errors[-1][0]}"


def test_the_count_says_how_many_stand_behind_a_report() -> None:
    reporting, recorder = reporter()
    for now in (0.0, 0.1, 0.2, 0.999, 1.0, 1.5, 2.5):
        reporting.error("a", "text", clock=lambda: now)
    assert [body["count"] for _, body in recorder.events] == [1, 4, 2]
    assert [body["total"] for _, body in recorder.events] == [1, 5, 7]
