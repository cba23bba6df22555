"""The main job in a real FreeSWITCH: every kind of leg and codec, both directions."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.services.agent.wav import read_wav, write_wav
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch

from .conftest import DATA, Pair, best_match, call, closed, likeness, message, wait_until

Samples = NDArray[np.int16]
# Opus is lossy, and a conference mixes, gates and clocks anew: there the words must be right, not the samples.
LEGS = [("park", "L16", 0.99), ("park", "PCMU", 0.99), ("park", "PCMA", 0.99), ("park", "OPUS", 0.8),
        ("silence", "PCMU", 0.99), ("bridge", "PCMU", 0.97), ("conference", "PCMU", 0.8)]


def _start(events: EventSocket, leg: str, agent: Agent, words: str) -> None:
    answer = events.api(f"uuid_audio_stream {leg} s1 start {agent.url} {words}")
    assert answer == "+OK Success", answer


def _stop(events: EventSocket, pair: Pair) -> None:
    assert events.api(f"uuid_audio_stream {pair.leg} s1 stop").startswith("+OK")
    events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::stream_stopped"
                      and event["Unique-ID"] == pair.leg)


def _heard(events: EventSocket, pair: Pair, file: Path) -> Samples:
    events.api(f"uuid_record {pair.caller} stop {file}")
    events.api(f"uuid_kill {pair.caller}")
    wait_until(lambda: events.api(f"uuid_exists {pair.caller}") == "false")
    return read_wav(file)[0]


@pytest.mark.parametrize("extension, codec, least", LEGS)
def test_both_directions(freeswitch: FreeSwitch, events: EventSocket, agent: Agent, tmp_path: Path,
                         caller_speech: Samples, agent_speech: Samples, extension: str, codec: str,
                         least: float) -> None:
    pair = call(freeswitch, events, extension, codec, DATA / "caller_8k.wav")
    file = tmp_path / "heard.wav"
    events.api(f"uuid_record {pair.caller} start {file}")
    _start(events, pair.leg, agent, "inbound 8000 5 1")
    session = agent.wait_for_session()
    message(session, "checkpoint")
    _stop(events, pair)
    assert session.faults == []
    inbound = session.samples("inbound")
    assert len(inbound) > 8000 * 4
    assert likeness(inbound, caller_speech[:len(inbound)], 8000) > least
    heard, rate = _heard(events, pair, file), 48000 if codec == "OPUS" else 8000
    said = soxr.resample(agent_speech, 16000, rate, quality="VHQ")
    assert likeness(heard, said, rate) > min(least, 0.97)


def test_all_of_a_long_speech_arrives(freeswitch: FreeSwitch, events: EventSocket, agent: Agent,
                                      caller_speech: Samples) -> None:
    pair = call(freeswitch, events, "park", "L16", DATA / "caller_8k.wav")
    _start(events, pair.leg, agent, "inbound 8000 5 0")
    session = agent.wait_for_session()
    # The caller hangs up at the end of the speech.
    closed(session)
    inbound = session.samples("inbound")
    _, shift = best_match(inbound, caller_speech)
    missed = -shift  # what was said before the stream was started
    assert 0 <= missed < 8000, "the stream was started within the first second"
    common = inbound[:len(caller_speech) - missed]
    assert len(common) >= len(caller_speech) - missed - 800
    assert likeness(inbound, caller_speech[missed:], 8000) > 0.999
    assert session.faults == [], "contiguous sequence numbers"
    assert session.messages[-1]["reason"] == "hangup"


def test_clear_silences_within_60_ms(freeswitch: FreeSwitch, events: EventSocket, agent_speech: Samples) -> None:
    """`both` shows the server what the caller hears: count how much still comes after the clear."""
    speech = np.concatenate([agent_speech] * 3)
    with Agent() as agent:
        pair = call(freeswitch, events, "park", "L16", DATA / "caller_8k.wav")
        _start(events, pair.leg, agent, "both 8000 5 1")
        session = agent.wait_for_session()
        message(session, "start")
        session.send(play_message("s1", np.where(speech == 0, 1, speech), 16000, "never"))
        session.wait_for(lambda s: s.sample_count("outbound") >= 2 * 8000)
        sent_at = session.sample_count("outbound")
        session.send({"event": "media.clear", "streamId": "s1"})
        answer = message(session, "checkpoint")
        assert answer["status"] == "cleared"
        session.wait_for(lambda s: s.sample_count("outbound") >= sent_at + 8000)
        after = session.samples("outbound")[sent_at:]
        loud = np.flatnonzero(np.abs(after) > 8)
        # 60 ms, and the 40 ms at most by which the outbound track is behind what is written.
        assert len(loud) == 0 or loud[-1] < 8 * (60 + 40)
        _stop(events, pair)


def test_digits_reach_the_server(freeswitch: FreeSwitch, events: EventSocket, agent: Agent) -> None:
    pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
    _start(events, pair.leg, agent, "inbound 8000 5 1")
    session = agent.wait_for_session()
    message(session, "start")
    events.api(f"uuid_send_dtmf {pair.caller} 5@200")
    digit = message(session, "dtmf")
    assert digit["digit"] == "5" and 80 <= digit["duration"] <= 300
    _stop(events, pair)


def test_events_carry_channel_data(freeswitch: FreeSwitch, events: EventSocket, agent: Agent) -> None:
    pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
    _start(events, pair.leg, agent, 'both 16000 5 1 {"a": 1}')
    message(agent.wait_for_session(), "checkpoint")
    events.api(f"uuid_kill {pair.leg}")
    stopped = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::stream_stopped"
                                and event["Unique-ID"] == pair.leg)
    assert json.loads(stopped["_body"])["reason"] == "hangup"
    assert stopped["variable_sip_call_id"]
    names = [event["Event-Subclass"].rpartition("::")[2] for event in events.events
             if event.get("Unique-ID") == pair.leg and event["Event-Name"] == "CUSTOM"]
    assert names[:3] == ["connection_established", "stream_started", "media_play_start"]
    assert names.count("stream_stopped") == 1


def test_dialplan_application(freeswitch: FreeSwitch, events: EventSocket, agent: Agent) -> None:
    pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
    arguments = f"{pair.leg} s1 start {agent.url} inbound 8000 5 0"
    events.api(f"uuid_transfer {pair.leg} 'uuid_audio_stream:{arguments},park' inline")
    message(agent.wait_for_session(), "start")
    result = wait_until(lambda: events.api(f"uuid_getvar {pair.leg} uuid_audio_stream_result"))
    assert result == "+OK Success"


def test_start_answers_at_once_without_a_server(freeswitch: FreeSwitch, events: EventSocket) -> None:
    pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
    answer = events.api(f"uuid_audio_stream {pair.leg} s1 start ws://127.0.0.1:9/x inbound 8000 5 0")
    assert answer == "+OK Success"
    failed = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::connection_failed")
    assert "127.0.0.1:9" in json.loads(failed["_body"])["error"]


def test_calls_end_at_any_moment(freeswitch: FreeSwitch, events: EventSocket, agent: Agent) -> None:
    """200 streams on calls that are hung up while they are being started, connecting, streaming or stopping."""
    chance = np.random.default_rng(1)
    for _ in range(200):
        answer = events.api("originate loopback/park/default &park()")
        uuid = answer.split()[1]
        events.api(f"uuid_audio_stream {uuid} s1 start {agent.url} both 16000 5 1")
        time.sleep(chance.uniform(0, 0.02))  # the random instant itself, not a wait for anything
        if chance.random() < 0.3:
            events.api(f"uuid_audio_stream {uuid} s1 stop")
        events.api(f"uuid_kill {uuid}")
    wait_until(lambda: events.api("show channels count").startswith("0 total"))
    wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
    assert not freeswitch.has_crashed()


def test_a_sender_slower_than_real_time_is_one_talk_spurt(freeswitch: FreeSwitch, events: EventSocket, agent: Agent,
                                                          tmp_path: Path, caller_speech: Samples,
                                                          agent_speech: Samples) -> None:
    file = tmp_path / "said.wav"
    write_wav(file, np.tile(caller_speech, 10), 8000)
    pair = call(freeswitch, events, "park", "PCMU", file)
    _start(events, pair.leg, agent, "inbound 16000 5 1")
    session = agent.wait_for_session()
    message(session, "checkpoint")
    wait_until(lambda: _told(events, pair)[-1:] == [("media_play_complete", "played")])  # of what the agent says first
    before = _told(events, pair)
    speech = np.tile(agent_speech, 10)
    stalls, last = 0, time.monotonic()
    for number in range(850):
        session.send(speech[320 * number:320 * (number + 1)].astype("<i2").tobytes())
        time.sleep(0.0212)
        stalls += time.monotonic() - last > 0.15  # those of a busy machine are pauses
        last = time.monotonic()
    wait_until(lambda: _told(events, pair)[len(before):][-1:] == [("media_play_complete", "played")])
    _stop(events, pair)
    told = _told(events, pair)[len(before):]
    print(f"{len(told) // 2} pairs, {stalls} stalls of the sender")
    assert told == [("media_play_start", "binary"), ("media_play_complete", "played")] * (len(told) // 2)
    assert 1 <= len(told) // 2 <= 1 + stalls


def _told(events: EventSocket, pair: Pair) -> list[tuple[str, str]]:
    """Begins and ends of talk spurts so far."""
    found = []
    for event in list(events.events):
        name = event.get("Event-Subclass", "").removeprefix("mod_audio_stream::")
        if name in ("media_play_start", "media_play_complete") and event["Unique-ID"] == pair.leg:
            body = json.loads(event["_body"])
            if "checkpoint" not in body:
                found.append((name, body.get("format") or body.get("status")))
    return found
