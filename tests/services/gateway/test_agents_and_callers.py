"""What an agent learns of its caller, and a caller of its agent: clearing, what was heard, failures, the end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.engine.harness import PATIENCE, until

from .harness import Scripted, Site, audio_of, use_scripted

SECOND = b"\1\0" * 16000


def test_what_the_caller_says_comes_in_order(site: Site) -> None:
    site.create(did="12", callerNumber="34", tenantId="t", storeId="s")
    assert (site.agent().conversation.did, site.agent().conversation.caller_number) == ("12", "34")
    said = b"".join(number.to_bytes(2, "little") * 1600 for number in range(1, 20))
    for begin in range(0, len(said), 3200):
        site.post(said[begin:begin + 3200])
    until(lambda: bytes(site.agent().audio) == said)


def test_clear_discards_what_waits_and_the_client_tells_what_was_heard(site: Site) -> None:
    site.create()
    site.do(("play", SECOND), ("play", SECOND), ("play", SECOND))
    assert len(audio_of(site.poll(heard=0))) == 32000
    site.do(("transcript", "AI", "what was said"), ("clear",), ("play", b"\2\0"))
    answers = [site.poll(heard=300)[1]]
    while answers[-1]["hasMore"]:
        answers.append(site.poll(heard=300)[1])
    cleared = next(number for number, answer in enumerate(answers) if answer.get("clear"))
    assert [answer["transcript"] for answer in answers if answer["transcript"]] == ["[AI]: what was said"]
    behind = b"".join(audio_of((200, answer)) for answer in answers[cleared:])
    assert behind == b"\2\0", "nothing of what was cleared comes behind the order"
    site.poll(heard=400, timeout=0)
    until(lambda: bool({(300, True), (400, True)} & set(site.agent().reports)))
    site.do(("play", SECOND))
    site.poll(heard=400)
    site.poll(heard=900, timeout=0)
    until(lambda: site.agent().reports[-1] == (900, False))
    told = [ms for ms, _ in site.agent().reports]
    assert told == sorted(told) and sum(cleared for _, cleared in site.agent().reports) == 1


def test_no_more_is_heard_than_was_delivered(site: Site) -> None:
    site.create()
    site.do(("play", SECOND))
    site.poll(heard=0)
    site.post(b"\0\0", heard=99_999)
    until(lambda: site.agent().reports == [(1000, False)])


def test_a_client_that_tells_nothing_is_estimated(site: Site) -> None:
    site.create()
    site.do(("play", SECOND))
    site.poll()
    until(lambda: bool(site.agent().reports))
    assert all(0 < ms <= 1000 and not cleared for ms, cleared in site.agent().reports)
    site.do(("clear",))
    site.poll()
    until(lambda: any(cleared for _, cleared in site.agent().reports))


@pytest.mark.parametrize("how", ["fail", "raise"])
def test_an_agent_that_cannot_go_on(site: Site, how: str) -> None:
    """What it has said before is heard; then the client learns why."""
    site.create()
    site.do(("play", b"\3\0"))
    if how == "fail":
        site.do(("fail", "no credit"))
    else:
        site.agent().fault = RuntimeError("no credit")
        site.post(b"\0\0")
    assert audio_of(site.poll()) == b"\3\0"
    for _ in range(2):
        status, body = site.poll()
        assert status == 500 and "no credit" in body["detail"]
    info = site.request("GET", "/api/voice/session/call")[1]
    assert info["status"] == "failed" and "no credit" in info["error"]
    assert site.post(b"\0\0")[0] == 500
    assert site.agent().ended.wait(PATIENCE) and any("no credit" in line for line in site.log)
    assert site.request("POST", "/api/voice/session/call/end")[0] == 200


def test_an_agent_that_cannot_begin(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(self: Scripted) -> None:
        raise ConnectionError("nobody there")
    monkeypatch.setattr(Scripted, "start", start)
    site.create()
    status, body = site.poll()
    assert status == 500 and "nobody there" in body["detail"]


def test_a_greeting_is_heard_while_the_agent_begins(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on: list[Any] = []

    async def start(self: Scripted) -> None:
        import asyncio
        go_on.append(asyncio.Event())
        self.output.play(b"\4\0")
        await go_on[0].wait()
        self.output.play(b"\5\0")
    monkeypatch.setattr(Scripted, "start", start)
    site.create()
    assert audio_of(site.poll()) == b"\4\0"
    site.post(b"\6\0")
    assert site.agent().audio == b"", "it has not begun"
    assert site.gateway._loop is not None
    site.gateway._loop.call_soon_threadsafe(go_on[0].set)
    assert audio_of(site.poll()) == b"\5\0"
    until(lambda: site.agent().audio == b"\6\0")


def test_the_end_of_a_session_releases_its_agent_and_its_polls(site: Site) -> None:
    site.create()
    answers: list[Any] = []
    poller = threading.Thread(target=lambda: answers.append(site.poll(timeout=60_000)))
    poller.start()
    until(lambda: site.gateway._store.figures["polls_waiting"] == 1)
    assert site.request("POST", "/api/voice/session/call/end")[0] == 200
    poller.join(PATIENCE)
    assert answers[0][0] == 404 and site.agent().ended.wait(PATIENCE)
    until(lambda: len(site.gateway.conversations) == 0)


def test_idle_sessions_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    use_scripted(monkeypatch)
    monkeypatch.setattr("freeswitch_audio_stream.services.gateway.server._SWEEP_SECONDS", 0.01)
    site = Site(idle_secs=10)
    now = [1000.0]
    site.gateway._store._clock = lambda: now[0]  # type: ignore[attr-defined]
    try:
        site.create("idle")
        site.create("busy")
        now[0] += 6
        site.post(b"\0\0", "busy")
        now[0] += 5
        until(lambda: site.request("GET", "/api/voice/sessions")[1]["count"] == 1)
        assert site.request("GET", "/api/voice/session/busy")[0] == 200 and Scripted.made[0].ended.wait(PATIENCE)
    finally:
        site.close()


def test_draining(site: Site) -> None:
    site.create()
    hurry = threading.Event()
    drained = threading.Thread(target=site.gateway.drain, args=(PATIENCE, hurry))
    drained.start()
    until(lambda: site.request("GET", "/ready")[0] == 503)
    status, headers, _ = site.raw("POST", "/api/voice/session/create", b'{"callId":"new"}')
    assert status == 503 and int(headers["retry-after"]) > 0
    assert site.post(b"\1\0")[0] == 200 and drained.is_alive(), "the session that lives goes on"
    site.request("POST", "/api/voice/session/call/end")
    drained.join(PATIENCE)
    assert not drained.is_alive()
