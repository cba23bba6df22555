"""What users of other bridges between calls and OpenAI's Realtime API complain of: a test each, from the switch.

Each name says what is so with us.
"""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
import orjson
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.protocols.openai_realtime import wire_protocol  # noqa: E402
from freeswitch_audio_stream.protocols.openai_realtime.faults import FINAL_CODES  # noqa: E402
from freeswitch_audio_stream.simulator import EmbeddedCall  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import Failure, RealtimeServer, Reply, Script, Turn  # noqa: E402

from ..harness import Platform, audible, find, noise, until  # noqa: E402
from .speech import SPEECH, lines, start, told_nowhere, voice  # noqa: E402

KEY = "sk-test-0123456789"
COUGH = np.concatenate([noise(800, 3), np.zeros(4000, np.int16)])
CONFIRM = {"confirm_speech_ms": 5000, "turn_detection": {"type": "server_vad", "silence_duration_ms": 200}}


@pytest.fixture
def service() -> Iterator[RealtimeServer]:
    with RealtimeServer(Script(lambda turn: _answer(turn, 1.0)), KEY) as server:
        yield server
        assert [fault for session in server.sessions for fault in session.invalid] == []


def _answer(turn: Turn, seconds: float) -> Reply:
    return Reply(f"answer {turn.number} is this", np.repeat(voice(100 + turn.number, seconds), 3))


def _start(platform: Platform, service: RealtimeServer, **options: Any) -> EmbeddedCall:
    """The log is without the service's messages, which speak of failures."""
    return start(platform, service.url + "/realtime?model=m", "openai-realtime", KEY,
                 metadata=orjson.dumps(options).decode() if options else "", **{"suppress-log": "true"})


def _sent(service: RealtimeServer, kind: str) -> list[dict[str, Any]]:
    return [event for session in service.sessions for event in list(session.received) if event["type"] == kind]


def test_truncation_counts_what_was_heard_and_not_what_was_queued(platform: Platform, service: RealtimeServer) -> None:
    """Speech clears the playback after the response is done, too: all 20 s were sent at once."""
    service.script.reply = lambda turn: _answer(turn, 20.0)
    call = _start(platform, service, greeting="Hello!")
    until(lambda: len(audible(call.heard())) > 4000 and service.sessions[0].active is None)
    call.say(SPEECH)
    until(lambda: _sent(service, "conversation.item.truncate"))
    cut = _sent(service, "conversation.item.truncate")[0]["audio_end_ms"]
    assert 500 <= cut < 20_000
    until(lambda: len(audible(call.heard())) > 8 * cut + 800)
    assert find(audible(call.heard()), voice(100, 20.0)[:8 * cut]) == 0
    assert find(audible(call.heard()), voice(100, 20.0)[:8 * cut + 8]) < 0
    assert _sent(service, "response.cancel") == [] and service.sessions[0].errors == []


@pytest.mark.slow
def test_an_answer_that_nobody_heard_is_deleted_since_truncating_at_0_is_refused(platform: Platform,
                                                                                 service: RealtimeServer) -> None:
    def reply(turn: Turn) -> Reply:
        if turn.number == 0:
            platform.tell(call, "pause_play")
        return _answer(turn, 1.0)
    service.script.reply = reply
    call = _start(platform, service)
    until(lambda: service.sessions and service.sessions[0].received)
    call.say(SPEECH)
    until(lambda: platform.status(call)["playbackQueueMs"] == 1000)
    call.say(SPEECH)
    until(lambda: _sent(service, "conversation.item.delete"))
    until(lambda: find(audible(call.heard()), voice(101, 1.0)) >= 0)
    assert _sent(service, "conversation.item.truncate") == [] and service.sessions[0].errors == []
    assert len(audible(call.heard())) == 8000


@pytest.mark.slow
def test_a_response_is_cancelled_only_while_it_is_made_and_a_refusal_ends_nothing(platform: Platform,
                                                                                  service: RealtimeServer) -> None:
    call = _start(platform, service)
    until(lambda: service.sessions and service.sessions[0].received)
    service.say_error("response_cancel_not_active", "There is no response to cancel.")
    call.say(SPEECH)
    until(lambda: len(audible(call.heard())) == 8000)
    assert not platform.events("stream_error", call)


@pytest.mark.slow
def test_a_session_is_renewed_before_it_ends_and_the_caller_hears_no_gap(
        platform: Platform, service: RealtimeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    service.script.reply = lambda turn: _answer(turn, 2.0)
    monkeypatch.setattr(wire_protocol, "RENEW_SECONDS", 0.1)
    call = _start(platform, service, greeting="Hello!")
    until(lambda: len(service.sessions) >= 2 and service.sessions[1].items.all)
    monkeypatch.undo()
    until(lambda: len(audible(call.heard())) == 16_000)
    track = call.heard()
    began = int(np.flatnonzero(track)[0])
    assert find(track[began:began + 16_000], voice(100, 2.0)) == 0, "not a sample is missing, and no silence came in"


@pytest.mark.parametrize("code", sorted(FINAL_CODES))
def test_nobody_connects_again_after_an_error_that_is_final(code: str, platform: Platform, service: RealtimeServer
                                                            ) -> None:
    call = _start(platform, service)
    until(lambda: service.sessions and service.sessions[0].received)
    service.say_error(code, "It will not pass.", close=1011)
    platform.event("stream_stopped", call)
    assert len(service.sessions) == 1


@pytest.mark.slow
def test_a_response_that_fails_does_not_leave_the_caller_in_silence(platform: Platform, service: RealtimeServer
                                                                    ) -> None:
    service.script.reply = lambda turn: _answer(turn, 1.0) if turn.number else Failure("server_error", "It is busy.")
    call = _start(platform, service, greeting="Hello!")
    until(lambda: find(audible(call.heard()), voice(101, 1.0)) >= 0)
    assert "has not answered" in platform.event("stream_error", call)["error"]


def test_hanging_up_closes_the_connection_to_the_service(platform: Platform, service: RealtimeServer) -> None:
    call = _start(platform, service)
    until(lambda: service.live == 1)
    call.hangup()
    until(lambda: service.live == 0)


@pytest.mark.slow
def test_a_cough_does_not_interrupt(platform: Platform, service: RealtimeServer) -> None:
    service.script.reply = lambda turn: _answer(turn, 3.0)
    call = _start(platform, service, greeting="Hello!", **CONFIRM)
    until(lambda: len(audible(call.heard())) > 4000)
    call.say(COUGH)
    until(lambda: service.sessions[0].removed)
    until(lambda: len(audible(call.heard())) == 24_000)
    assert find(audible(call.heard()), voice(100, 3.0)) == 0


def test_the_beta_header_is_not_sent_and_the_key_is_told_nowhere(platform: Platform, service: RealtimeServer) -> None:
    """A server that gets the header closes with 4000."""
    call = _start(platform, service, greeting="Hello!")
    until(lambda: ("agent", "answer 0 is this") in lines(platform, call))
    assert service.closed == [] and told_nowhere(platform, call, KEY)
