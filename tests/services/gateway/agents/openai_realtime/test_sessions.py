"""One session takes over from another: before the service ends it, after a lost connection, in another process."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import soxr

from freeswitch_audio_stream.services.gateway.agents import AgentProfile, Conversation, Line, create
from freeswitch_audio_stream.services.gateway.agents.openai_realtime import upstream
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Script
from tests.engine.harness import until
from tests.services.gateway.agents.outputs import KeptOutput

from .caller import Caller
from .conftest import MakeSite
from .models import answers, voice

pytestmark = pytest.mark.slow


def _texts(service: RealtimeServer, number: int = -1) -> list[tuple[str, str]]:
    return [(item.role, item.text) for item in list(service.sessions[number].items.all)]


def _words(number: int) -> str:
    return " ".join(f"word{number}x{word}" for word in range(20))


def _check_whole(heard: bytes, said: list[tuple[int, float]]) -> None:
    expected = np.concatenate([soxr.resample(voice(1000 + number, seconds), 24000, 16000, "VHQ")
                               for number, seconds in said]).astype(float)
    got = np.frombuffer(heard, "<i2").astype(float)
    assert abs(len(got) - len(expected)) <= 16 and np.corrcoef(got, expected[:len(got)])[0, 1] > 0.99


def test_a_session_is_renewed_before_its_end_and_the_caller_hears_no_gap(
        service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    script.reply = answers(lambda number: 3.0)
    with make_site(renew_after_secs=1) as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 500)
        until(lambda: len(service.sessions) >= 2 and _texts(service, 1))  # while the caller still hears the answer
        caller.listen(lambda: caller.heard_ms >= 2999)
        caller.speak(2)
        caller.listen(lambda: caller.heard_ms >= 5999)
        _check_whole(bytes(caller.heard), [(0, 3.0), (1, 3.0)])
        assert ("user", "what the caller said, 0") in _texts(service) and ("assistant", _words(0)) in _texts(service)
        until(lambda: service.live == 1 and set(service.closed) == {1000})
        summary = caller.end()
    assert summary["transcript"] == ["[User]: what the caller said, 0", f"[AI]: {_words(0)}",
                                     "[User]: what the caller said, 1", f"[AI]: {_words(1)}"]
    assert [code for session in service.sessions for code in session.errors] == []


def test_an_answer_of_the_session_before_is_cut_in_the_one_after(
        service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    """It has no audio there: what was heard of it takes its place."""
    script.reply = answers(lambda number: 8.0 if number == 0 else 1.0)
    with make_site(renew_after_secs=1) as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 2000)
        until(lambda: len(service.sessions) >= 2 and _texts(service, 1))
        caller.interrupt(2)
        heard = caller.heard_ms
        caller.listen(lambda: caller.heard_ms >= heard + 999)
        said = dict(_texts(service))["assistant"] if len(_texts(service)) < 3 else _texts(service)[1][1]
        assert said and said != _words(0) and _words(0).startswith(said)
        assert [code for session in service.sessions for code in session.errors] == []


def test_a_session_in_which_somebody_always_speaks_is_renewed_in_time(
        service: RealtimeServer, script: Script, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "LONGEST_SESSION_SECS", 60)
    script.reply, script.pause_seconds = answers(lambda number: 3.0), 30.0
    with make_site(renew_after_secs=1) as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: bool(service.sessions[0].active))
        until(lambda: len(service.sessions) == 2)
        script.pause_seconds = 0.0
        caller.listen(lambda: caller.heard_ms >= 3000)
        assert [event["type"] for event in service.sessions[1].received].count("response.create") == 1


def test_a_successor_that_waits_does_not_outlive_the_session_before(
        service: RealtimeServer, script: Script, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions cost money: none is left open that nobody uses."""
    monkeypatch.setattr(upstream, "FIRST_PAUSE", 0.01)
    script.reply, script.pause_seconds = answers(lambda number: 3.0), 30.0
    with make_site(renew_after_secs=1) as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: bool(service.sessions[0].active))
        until(lambda: len(service.sessions) == 2)  # it waits until the answer has been made
        service.drop(0)
        until(lambda: len(service.sessions) == 3 and service.live == 1)


def test_a_session_that_cannot_be_renewed_is_used_to_its_end(
        service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    script.reply = answers()
    with make_site(renew_after_secs=1) as site:
        caller = Caller(site)
        until(lambda: service.sessions)
        service.refusal = 401, {"error": {"code": "invalid_api_key", "message": "The key is void."}}
        until(lambda: any("cannot be renewed, and is used to its end" in line for line in site.log))
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 999)
        assert len(service.sessions) == service.live == 1
        service.drop()
        until(lambda: site.request("GET", "/api/voice/session/call")[1]["status"] == "failed")


def test_a_lost_connection_is_made_again_and_the_conversation_goes_on(
        service: RealtimeServer, script: Script, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "FIRST_PAUSE", 0.01)
    script.reply = answers()
    with make_site(greeting="Good morning!", instructions="Be kind.") as site:
        caller = Caller(site)
        caller.listen(lambda: caller.heard_ms >= 999)
        service.drop()
        until(lambda: len(service.sessions) == 2)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 1998)
        assert _texts(service) == [("assistant", _words(0)), ("user", "what the caller said, 0"),
                                   ("assistant", _words(1))], "it is greeted once, and remembers it"
        assert any("the connection to the service was lost" in line for line in site.log)
        greeting, = [event for session in service.sessions for event in session.received
                     if event["type"] == "response.create"]
        assert greeting["response"]["instructions"].startswith("Be kind.")
        assert greeting["response"]["instructions"].endswith("Good morning!")


def test_what_the_caller_says_while_there_is_no_connection_is_answered(
        service: RealtimeServer, script: Script, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(upstream, "MOST_ATTEMPTS", 10_000)
    script.reply = answers()
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1, 3)
        until(lambda: len(service.sessions[0].audio) > 0)
        service.refusal = 503, {}
        service.drop()
        caller.speak(2, 3)
        until(lambda: service.refused > 0)
        service.refusal = None
        caller.listen(lambda: caller.heard_ms >= 999)
        session = service.sessions[-1]
        assert len(session.audio) >= 48 * 600, "also what the first session had heard and not answered"
        assert [role for role, _ in _texts(service)] == ["user", "assistant"]


def test_an_expired_session_is_followed_by_another(service: RealtimeServer, script: Script, make_site: MakeSite,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "FIRST_PAUSE", 0.01)
    script.reply = answers()
    with make_site() as site:
        caller = Caller(site)
        until(lambda: service.sessions)
        service.say_error("session_expired", "Your session hit the maximum duration of 60 minutes.", close=1001)
        until(lambda: len(service.sessions) == 2)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 999)


def test_another_process_goes_on_with_the_conversation(service: RealtimeServer) -> None:
    conversation = Conversation("call", "", "", "", "", [Line("User", "Is it open?"), Line("AI", "Until five.")])

    async def call() -> None:
        profile = AgentProfile("care", "openai-realtime", {"base_url": service.url, "greeting": "Hello!"})
        output = KeptOutput()
        agent = create(conversation, profile, output)
        await agent.start()
        while not (service.sessions and len(service.sessions[0].items.all) == 2):
            await asyncio.sleep(0.01)
        await agent.end()
        assert output.given == []
    asyncio.run(asyncio.wait_for(call(), 30))
    assert _texts(service) == [("user", "Is it open?"), ("assistant", "Until five.")]
    assert not any(event["type"] == "response.create" for event in service.sessions[0].received), "nobody greets again"
