"""A dialplan that stops a stream with its last action, and then ends: nothing of the stream is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from freeswitch_audio_stream.testing.peers.recording_server import Server

from .conftest import DATA, Pair, call, closed, wait_until

ROUNDS = 3
CHUNK_BYTES = 16000  # a second of L16 at 8 kHz
REASONS = {"stop good-bye": "requested", "graceful-shutdown good-bye": "graceful"}


def _last_actions(events: EventSocket, pair: Pair, words: str) -> None:
    """Have the leg carry out a command, and hang up at once."""
    answer = events.api(f"uuid_transfer {pair.leg} 'uuid_audio_stream:{pair.leg} {words},hangup' inline")
    assert answer.startswith("+OK"), answer


def _stopped(events: EventSocket, pair: Pair) -> Any:
    event = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::stream_stopped"
                              and event["Unique-ID"] == pair.leg)
    return json.loads(event["_body"])


@pytest.mark.parametrize("words", REASONS)
@pytest.mark.parametrize("chunk_ms", [20, 1000])
def test_the_stream_api(freeswitch: FreeSwitch, events: EventSocket, agent: Agent, words: str, chunk_ms: int) -> None:
    for number in range(1, ROUNDS + 1):
        pair = call(freeswitch, events, "park", "L16", DATA / "caller_8k.wav")
        url = f"{{chunk-ms={chunk_ms}}}{agent.url}"
        assert events.api(f"uuid_audio_stream {pair.leg} s start {url} inbound 8000 5 0") == "+OK Success"
        session = agent.wait_for_session(number)
        session.wait_for(lambda session: session.sample_count() >= 8000)
        _last_actions(events, pair, f"s {words}")
        stopped = _stopped(events, pair)
        closed(session)
        assert (stopped["reason"], stopped["detail"]) == (REASONS[words], "good-bye")
        assert session.messages[-1]["event"] == "stop" and session.messages[-1]["reason"] == "good-bye"
        assert session.sample_count() == 8 * stopped["statistics"]["msCaptured"]
        assert session.faults == []


@pytest.mark.parametrize("command", ["stop", "graceful-shutdown"])
@pytest.mark.parametrize("chunk_ms", [20, 1000])
def test_the_community_dialect(freeswitch: FreeSwitch, events: EventSocket, command: str, chunk_ms: int) -> None:
    """The text is there, behind the audio; of a chunk that is not full, what there is (or none was begun)."""
    partial = 0
    with Server() as server:
        for number in range(1, ROUNDS + 1):
            pair = call(freeswitch, events, "park", "L16", DATA / "caller_8k.wav")
            events.api(f"uuid_setvar {pair.leg} STREAM_BUFFER_SIZE {chunk_ms}")
            assert events.api(f"uuid_audio_stream {pair.leg} start {server.url} mono") == "+OK Success"
            peer = server.wait_for_peer(number)
            peer.wait_for(lambda peer: any(isinstance(message, bytes) for message in peer.messages))
            _last_actions(events, pair, f"{command} good bye")
            assert peer.closed() == 1000
            assert peer.messages[-1] == "good bye"
            partial += len(b"".join(m for m in peer.messages if isinstance(m, bytes))) % CHUNK_BYTES != 0
            wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
    assert partial > 0
