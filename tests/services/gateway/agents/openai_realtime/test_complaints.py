"""What users of other bridges to the Realtime API complain about, each a test."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from freeswitch_audio_stream.services.gateway.agents.openai_realtime import agent, upstream
from freeswitch_audio_stream.testing.openai_realtime import Failure, RealtimeServer, Reply, Script, Turn
from tests.engine.harness import PATIENCE, until

from .caller import Caller
from .conftest import KEY, MakeSite
from .models import answers, voice

pytestmark = pytest.mark.slow

FINAL = ["insufficient_quota", "invalid_api_key", "account_deactivated", "billing_hard_limit_reached"]


def _sent(service: RealtimeServer, kind: str) -> list[dict[str, Any]]:
    return [event for session in service.sessions for event in list(session.received) if event["type"] == kind]


def _failed(caller: Caller, site: Any) -> str:
    until(lambda: site.request("GET", "/api/voice/session/call")[1]["status"] == "failed")
    return str(site.request("GET", "/api/voice/session/call")[1]["error"])


def _fall_behind(caller: Caller) -> None:
    """The model speaks faster than the caller hears."""
    while caller.waiting_ms < 2000:
        caller.tick(plays=False)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses before further attempts are short."""
    monkeypatch.setattr(agent, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(upstream, "FIRST_PAUSE", 0.01)


def test_truncation_counts_what_was_heard_and_not_what_was_queued(
        service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    script.reply = answers(lambda number: 8.0)
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 300)
        until(lambda: service.sessions[0].active is None)
        caller.interrupt(2, plays=False)  # far more was made and delivered
        until(lambda: _sent(service, "conversation.item.truncate"))
        assert _sent(service, "conversation.item.truncate")[0]["audio_end_ms"] == caller.heard_ms


def test_an_answer_that_nobody_heard_is_deleted_since_truncating_at_0_is_refused(
        service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    script.reply = answers(lambda number: 8.0)
    with make_site() as site:
        caller = Caller(site)
        for number in range(4):
            caller.tick(b"\x00\x20" * 1600, plays=False)
        while not caller.waiting_ms:
            caller.tick(plays=False)
        caller.interrupt(2, plays=False)
        until(lambda: service.sessions[0].removed)
        assert caller.heard_ms == 0 and not _sent(service, "conversation.item.truncate")
        assert service.sessions[0].errors == []


@pytest.mark.parametrize("pause", [0.0, 0.03], ids=["after response.done", "before response.done"])
def test_speech_clears_the_playback(pause: float, service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    script.reply, script.pause_seconds = answers(lambda number: 8.0), pause
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        _fall_behind(caller)
        caller.listen(lambda: caller.heard_ms >= 300)
        if not pause:
            until(lambda: service.sessions[0].active is None)
        caller.interrupt(2)
        until(lambda: _sent(service, "conversation.item.truncate"))
        heard = caller.heard_ms
        script.pause_seconds = 0.0
        caller.listen(lambda: caller.heard_ms >= heard + 7999)
        assert service.sessions[0].errors == [] and caller.clears == 1


def test_a_response_is_cancelled_only_while_it_is_made(service: RealtimeServer, script: Script,
                                                       make_site: MakeSite) -> None:
    script.reply = answers(lambda number: 4.0)
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 300)
        until(lambda: service.sessions[0].active is None)
        caller.interrupt(2)
        caller.listen(lambda: caller.heard_ms >= 4300)
        assert _sent(service, "response.cancel") == [] and service.sessions[0].errors == []


@pytest.mark.parametrize("code", ["response_cancel_not_active", "item_truncate_invalid_item_id", "rate_limit_exceeded"])
def test_passing_errors_end_nothing(code: str, service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    script.reply = answers()
    with make_site() as site:
        caller = Caller(site)
        until(lambda: service.sessions)
        service.say_error(code, "It does not matter.")
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 999)
        assert len(service.sessions) == 1
        assert any("It does not matter" in line for line in site.log) == (code != "response_cancel_not_active")


@pytest.mark.parametrize("code", FINAL)
def test_a_final_error_is_not_tried_again(code: str, service: RealtimeServer, make_site: MakeSite) -> None:
    with make_site() as site:
        caller = Caller(site)
        until(lambda: service.sessions)
        service.say_error(code, "You shall not pass.")
        assert "You shall not pass" in _failed(caller, site)
        until(lambda: service.live == 0)
        assert len(service.sessions) == 1
        assert any("You shall not pass" in line for line in site.log)


@pytest.mark.parametrize("code", FINAL)
def test_a_response_that_fails_for_good_is_not_tried_again(code: str, service: RealtimeServer, script: Script,
                                                           make_site: MakeSite) -> None:
    script.reply = lambda turn: Failure(code, "No more of this.", "insufficient_quota")
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        for _ in range(8):
            site.post(bytes(3200))
        assert "No more of this" in _failed(caller, site) and _sent(service, "response.create") == []


@pytest.mark.parametrize("status, code", [(401, "invalid_api_key"), (403, "unsupported_country_region_territory"),
                                          (404, "model_not_found"), (429, "insufficient_quota")])
def test_a_connection_that_is_refused_for_good_is_not_tried_again(status: int, code: str, service: RealtimeServer,
                                                                  make_site: MakeSite) -> None:
    service.refusal = status, {"error": {"type": "invalid_request_error", "code": code, "message": "Go away."}}
    with make_site() as site:
        caller = Caller(site)
        error = _failed(caller, site)
        assert "Go away" in error and code in error and service.refused == 1


def test_a_service_that_is_away_is_tried_a_few_times(service: RealtimeServer, make_site: MakeSite) -> None:
    service.refusal = 503, {}
    with make_site() as site:
        caller = Caller(site)
        assert "after 6 attempts: the service answers 503" in _failed(caller, site)
        assert service.refused == upstream.MOST_ATTEMPTS


def test_a_service_that_is_back_is_used(service: RealtimeServer, script: Script, make_site: MakeSite,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "MOST_ATTEMPTS", 10_000)
    script.reply = answers()
    service.refusal = 429, {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        until(lambda: service.refused >= 2)
        service.refusal = None
        caller.listen(lambda: caller.heard_ms >= 999)
        assert caller.transcripts[0] == "[User]: what the caller said, 0", "what was said before is not lost"


@pytest.mark.parametrize("failure", [Failure("server_error"), Failure("content_filter", status="incomplete")],
                         ids=["failed", "incomplete"])
def test_a_response_that_fails_does_not_leave_the_caller_in_silence(
        failure: Failure, service: RealtimeServer, script: Script, make_site: MakeSite) -> None:
    well = answers()

    def reply(turn: Turn) -> Reply | Failure:
        return failure if turn.number < 2 else well(turn)
    script.reply = reply
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 999)
        assert len(_sent(service, "response.create")) == 2


def test_a_response_that_always_fails_ends_the_conversation(service: RealtimeServer, script: Script,
                                                            make_site: MakeSite) -> None:
    script.reply = lambda turn: Failure("server_error", "It is broken.")
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        for _ in range(8):
            site.post(bytes(3200))
        assert "has not answered 4 times: It is broken. (server_error)" in _failed(caller, site)
        assert len(_sent(service, "response.create")) == agent.MOST_RETRIES


def test_hanging_up_closes_the_connection_to_the_service(service: RealtimeServer, script: Script, make_site: MakeSite
                                                         ) -> None:
    script.reply, script.pause_seconds = answers(lambda number: 8.0), 0.05
    with make_site() as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms > 0)
        caller.end()
        until(lambda: service.closed == [1000], PATIENCE)
        assert service.live == 0


def test_no_beta_header_is_sent_and_who_wants_one_is_not_asked_again(service: RealtimeServer, make_site: MakeSite
                                                                     ) -> None:
    with make_site() as site:
        caller = Caller(site)
        until(lambda: service.sessions)
        assert service.closed == []
        service.say_error("beta_api_shape_disabled", "The beta is gone.", close=4000)
        assert "The beta is gone" in _failed(caller, site)


def test_the_key_is_in_no_log(service: RealtimeServer, script: Script, make_site: MakeSite,
                              caplog: pytest.LogCaptureFixture) -> None:
    script.reply = answers()
    with caplog.at_level(logging.DEBUG):
        with make_site() as site:
            caller = Caller(site)
            caller.speak(1)
            caller.listen(lambda: caller.heard_ms >= 999)
            service.say_error("invalid_api_key", f"Incorrect API key provided: {KEY}. Find yours elsewhere.")
            assert "provided: sk-…. Find" in _failed(caller, site)
            ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
            assert KEY not in "\n".join([*site.log, *ours, repr(site.gateway.__dict__)])


def test_a_cough_does_not_interrupt_where_speech_is_to_be_confirmed(service: RealtimeServer, script: Script,
                                                                    make_site: MakeSite) -> None:
    script.reply = answers(lambda number: 3.0)
    with make_site(confirm_speech_ms=5000, turn_detection={"type": "server_vad", "silence_duration_ms": 200}) as site:
        caller = Caller(site)
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 500)
        caller.interrupt(2)
        assert caller.clears == 1 and caller.heard_ms < 2900, "the agent pauses at once"
        caller.listen(lambda: caller.heard_ms >= 2999)
        session, = service.sessions
        assert _sent(service, "conversation.item.truncate") == _sent(service, "response.cancel") == []
        until(lambda: len(session.removed) == 1)
        assert session.removed[0].role == "user" and session.errors == []
        assert caller.end()["transcript"] == ["[User]: what the caller said, 0", f"[AI]: {_words(0)}"]
        _check_whole(bytes(caller.heard))


def test_speech_that_lasts_interrupts_where_it_is_to_be_confirmed(service: RealtimeServer, script: Script,
                                                                  make_site: MakeSite) -> None:
    script.reply, script.pause_seconds = answers(lambda number: 8.0), 0.02
    with make_site(confirm_speech_ms=1, turn_detection={"type": "server_vad", "silence_duration_ms": 200}) as site:
        caller = Caller(site)
        caller.speak(1)
        _fall_behind(caller)
        caller.listen(lambda: caller.heard_ms >= 500)
        caller.interrupt(2)
        heard = caller.heard_ms
        number = 0
        while not _sent(service, "conversation.item.truncate"):
            number += 1
            caller.speak(2 + number, 1)
        cut, = _sent(service, "conversation.item.truncate")
        assert cut["audio_end_ms"] == heard == caller.heard_ms
        script.pause_seconds = 0.0
        caller.listen(lambda: caller.heard_ms >= heard + 7999)
        session, = service.sessions
        assert set(session.errors) <= {"response_cancel_not_active"}


def _words(number: int) -> str:
    return " ".join(f"word{number}x{word}" for word in range(20))


def _check_whole(heard: bytes) -> None:
    import numpy as np
    import soxr
    expected = soxr.resample(voice(1000, 3.0), 24000, 16000, "VHQ").astype(float)
    got = np.frombuffer(heard, "<i2")[:len(expected)].astype(float)
    assert np.corrcoef(got, expected[:len(got)])[0, 1] > 0.99, "not a sample is missing or there twice"
