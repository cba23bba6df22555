"""What is slow of one kind does not hold up another kind."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any, Iterator

import orjson
import pytest

from freeswitch_audio_stream.errors import CapacityRefused
from freeswitch_audio_stream.http_api import calls
from freeswitch_audio_stream.web.worker_lanes import WorkerLane
from tests.engine.harness import PATIENCE, until

from ..http_api.harness import TOKEN, Answer, Site
from ..http_api.test_calls import body, post

pytestmark = pytest.mark.slow


@pytest.fixture
def faults() -> list[BaseException]:
    return []


@pytest.fixture
def lane(faults: list[BaseException]) -> Iterator[WorkerLane]:
    lane = WorkerLane("test", 2, faults.append)
    yield lane
    assert lane.stop(time.monotonic() + PATIENCE)


def test_threads_come_as_they_are_needed_and_no_more(lane: WorkerLane) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        begun.release()
        assert go_on.wait(PATIENCE)
    assert lane._threads == []
    for _ in range(5):
        lane.submit(wait)
    assert begun.acquire(timeout=PATIENCE) and begun.acquire(timeout=PATIENCE)
    assert len(lane._threads) == 2 and not begun.acquire(blocking=False)
    go_on.set()
    for _ in range(3):
        assert begun.acquire(timeout=PATIENCE)
    until(lambda: lane._unfinished == 0)
    lane.submit(wait)
    assert begun.acquire(timeout=PATIENCE) and len(lane._threads) == 2


def test_results_and_errors(lane: WorkerLane, faults: list[BaseException]) -> None:
    async def main() -> None:
        assert await lane.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await lane.run(divmod, 7, 0)
    asyncio.run(main())
    lane.submit(lambda: divmod(7, 0))
    until(lambda: len(faults) == 1)
    assert isinstance(faults[0], ZeroDivisionError)


def test_the_end(faults: list[BaseException]) -> None:
    lane, done = WorkerLane("test", 1, faults.append), []
    for number in range(3):
        lane.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert lane.stop(time.monotonic() + PATIENCE) and done == [0, 1, 2], "what was queued is done"
    lane.submit(lambda: done.append(3))

    async def main() -> None:
        with pytest.raises(CapacityRefused, match="shut down"):
            await lane.run(divmod, 7, 2)
    asyncio.run(main())
    assert done == [0, 1, 2] and faults == []


# The server

@pytest.fixture(scope="module")
def dialling_site() -> Iterator[Site]:
    site = Site(dial_string="sofia/gateway/trunk/{destination}")
    yield site
    site.close()


class Stuck:
    """Commands of the switch that do not answer until they are let go on."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.begun: list[str] = []
        self._originate = site.switch.commands.of_the_switch["originate"]
        monkeypatch.setitem(site.switch.commands.of_the_switch, "originate", self._wait)

    def _wait(self, arguments: str) -> str:
        self.begun.append(arguments)
        assert self.go_on.wait(PATIENCE)
        return self._originate(arguments)


@pytest.fixture
def trunk(dialling_site: Site) -> Iterator[Site]:
    yield dialling_site
    dialling_site.settle()


def in_the_background(count: int, request: Any) -> tuple[list[threading.Thread], list[Answer]]:
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(request())) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_slow_calls_do_not_hold_up_attaching(trunk: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_SOON_SECONDS", PATIENCE)
    stuck = Stuck(trunk, monkeypatch)
    threads, answers = in_the_background(30, lambda: post(trunk, body()))
    try:
        until(lambda: len(stuck.begun) == 30)
        trunk.connect(trunk.call())
        assert answers == [], "they are all waited for still"
    finally:
        stuck.go_on.set()
        for thread in threads:
            thread.join()
    assert [answer.status for answer in answers] == [201] * 30


def test_slow_joins_do_not_hold_up_attaching_leaving_and_calls(trunk: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    trunk.conferences.update(room=2, hall=2)  # one alone does not take so many clients
    resource = "/v1.0/conferences/{}/media_stream"
    there = trunk.connect(resource.format("room"))
    leg = trunk.dialled[0][0]["origination_uuid"]
    stuck = Stuck(trunk, monkeypatch)
    rooms = itertools.cycle(("room", "hall"))
    threads, answers = in_the_background(
        12, lambda: trunk.request(f"{resource.format(next(rooms))}?encapsulation=sln&token={TOKEN}"))
    try:
        until(lambda: len(stuck.begun) >= 4)
        trunk.connect(trunk.call())
        there.socket.shutdown()
        until(lambda: trunk.switch.sessions.find(leg) is None)
        assert answers == []
    finally:
        stuck.go_on.set()
        for thread in threads:
            thread.join()
    trunk.clients += sum(answer.status == 101 for answer in answers)
    until(lambda: trunk.told()["media_client_detached"] == trunk.clients - 1)


def test_all_destinations_ring_or_none(trunk: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_RINGING", 3)
    go_on = threading.Event()

    def ring(call: object) -> str:
        assert go_on.wait(PATIENCE)
        return "+OK"
    trunk.phone = ring  # type: ignore[assignment]
    several = [{"type": "tel", "target": number} for number in ("100", "200")]
    try:
        assert post(trunk, body(destinations=several)).status == 201
        answer = post(trunk, body(destinations=several))
        assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
        assert "2 calls are ringing, and 3 may: there is no room for 2 more" in answer.detail
        assert len(trunk.dialled) == 2, "none of the second request's rings"
        assert post(trunk, body()).status == 201
        assert len(trunk.dialled) == 3
    finally:
        go_on.set()
    until(lambda: not trunk.server._originator._dialling)
    trunk.phone = lambda call: "+OK"


def test_a_call_for_which_there_is_no_thread(trunk: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    real = calls.start_thread

    def start(name: str, *arguments: Any, **more: Any) -> threading.Thread:
        if name == "audio-stream-dial":
            begun.append(name)
            if len(begun) == 2:
                raise RuntimeError("can't start new thread")
        return real(name, *arguments, **more)
    monkeypatch.setattr(calls, "start_thread", start)
    answer = post(trunk, body(destinations=[{"type": "tel", "target": number} for number in ("100", "200", "300")]))
    assert answer.status == 201
    made = orjson.loads(answer.body)["calls"]
    assert [bool(call["id"]) for call in made] == [True, False, True] and "new thread" in made[1]["error"]
    until(lambda: not trunk.server._originator._dialling)
