"""A stream that is started while its call goes from one thing to the next: between two states it is not ready."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch

from .conftest import DATA, Pair, call

ROUNDS = 3


def _bridge(freeswitch: FreeSwitch, events: EventSocket, pair: Pair) -> None:
    other = call(freeswitch, events, "silence", "PCMU", DATA / "caller_8k.wav")
    assert events.api(f"uuid_bridge {pair.leg} {other.leg}").startswith("+OK")


def _transfer(freeswitch: FreeSwitch, events: EventSocket, pair: Pair) -> None:
    assert events.api(f"uuid_transfer {pair.leg} silence").startswith("+OK")


@pytest.mark.parametrize("move", [_bridge, _transfer], ids=["bridge", "transfer"])
def test_start_at_once(freeswitch: FreeSwitch, events: EventSocket, agent: Agent, move: object) -> None:
    answers = []
    for number in range(ROUNDS):
        pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
        assert callable(move)
        move(freeswitch, events, pair)
        answers.append(events.api(f"uuid_audio_stream {pair.leg} s start {agent.url} both 8000 5 1"))
    assert answers == ["+OK Success"] * ROUNDS
    for number in range(ROUNDS):
        session = agent.wait_for_session(number + 1)
        session.wait_for(lambda session: session.sample_count("inbound") > 4000
                         and session.sample_count("outbound") > 4000)
        assert session.messages[0]["event"] == "start" and session.faults == []
