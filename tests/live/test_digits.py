"""Digits of a real call: as RFC 4733 events, as tones in PCMU, and as both, each told once."""

from __future__ import annotations

import json
from itertools import groupby, product
from pathlib import Path
from statistics import median

import pytest

from freeswitch_audio_stream.realtime.media.dtmf_inband import FREQUENCIES, KEYS
from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Server

from .conftest import DATA, Pair, call, wait_until

TONE_MS, PAUSE_MS = 150, 150
TONES = {key: pair for key, pair in zip(KEYS, product(FREQUENCIES[:4], FREQUENCIES[4:]))}


@pytest.fixture
def events(events: EventSocket) -> EventSocket:
    events.subscribe("CUSTOM mod_audio_stream::connect mod_audio_stream::dtmf")
    return events


def dialled(folder: Path, keys: str) -> Path:
    """A file that FreeSWITCH plays as the tones of these keys."""
    file = folder / "tones.ttml"
    tones = ";".join(f"%({TONE_MS},{PAUSE_MS},{low},{high})" for low, high in map(TONES.__getitem__, keys))
    file.write_text(f"v=-12;{tones}\n")
    return file


def dial(events: EventSocket, pair: Pair, tones: Path) -> None:
    """Have the caller send these tones, instead of what it says."""
    assert events.api(f"uuid_transfer {pair.caller} playback:tone_stream://path={tones},park: inline").startswith("+OK")


def listen(events: EventSocket, pair: Pair, server: Server) -> Peer:
    """A stream that listens for tones, too, and tells its server."""
    for name in ("STREAM_DTMF", "STREAM_DTMF_INBAND"):
        assert events.api(f"uuid_setvar {pair.leg} {name} true").startswith("+OK")
    assert events.api(f"uuid_audio_stream {pair.leg} start {server.url} mono") == "+OK Success"
    return server.wait_for_peer()


def digits(peer: Peer) -> str:
    """Those that the server was told."""
    return "".join(json.loads(text)["digit"] for text in peer.texts)


def switch_heard(events: EventSocket, uuid: str) -> str:
    """Those that FreeSWITCH itself has noticed, by whatever means."""
    return "".join(event["DTMF-Digit"] for event in list(events.events)
                   if event["Event-Name"] == "DTMF" and event["Unique-ID"] == uuid)


def told(events: EventSocket, uuid: str, stream_id: str) -> str:
    """Those of the events of one stream."""
    bodies = [json.loads(event["_body"]) for event in list(events.events)
              if event.get("Event-Subclass") == "mod_audio_stream::dtmf" and event["Unique-ID"] == uuid]
    return "".join(body["digit"] for body in bodies if body["streamId"] == stream_id)


def is_told_once(told: str, keys: str) -> bool:
    """Whether these are the keys, each once; but a busy machine may lose the packets in the middle of a tone or two."""
    return "".join(key for key, _ in groupby(told)) == keys and len(told) <= len(keys) + 2


def test_tones_in_pcmu(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path) -> None:
    """Every key, two detectors on the call: each stream is told each digit once."""
    tones = dialled(tmp_path, KEYS)
    with Server() as server, Agent() as other:
        pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
        peer = listen(events, pair, server)
        url = "{dtmf-inband=true}" + other.url
        answer = events.api(f"uuid_audio_stream {pair.leg} other start {url} inbound 16000 5 1")
        assert answer == "+OK Success"
        session = other.wait_for_session()
        session.wait_for(lambda session: session.start)
        peer.wait_for(lambda peer: len(peer.chunks) > 10)
        dial(events, pair, tones)
        # The last key is behind all that could double those before it.
        peer.wait_for(lambda peer: digits(peer).endswith(KEYS[-1]))
        session.wait_for(lambda session: [message for message in session.events("dtmf")
                                          if message["digit"] == KEYS[-1]])
        assert is_told_once(digits(peer), KEYS)
        assert digits(peer) == "".join(message["digit"] for message in session.events("dtmf"))
        wait_until(lambda: told(events, pair.leg, "mod_audio_stream") == told(events, pair.leg, "other")
                   == digits(peer))
        assert abs(median(json.loads(text)["duration"] for text in peer.texts) - TONE_MS) <= 10


def test_rfc_4733_and_tones_at_once(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path) -> None:
    """As from a gateway that does not take the tones out of the audio: FreeSWITCH's own detector stands for it."""
    tones = dialled(tmp_path, "159D")
    with Server() as server:
        pair = call(freeswitch, events, "park", "PCMU", DATA / "caller_8k.wav")
        peer = listen(events, pair, server)
        assert events.api(f"uuid_broadcast {pair.leg} start_dtmf:: aleg").startswith("+OK")
        peer.wait_for(lambda peer: len(peer.chunks) > 10)
        for digit in "5500#":
            before = len(digits(peer))
            assert events.api(f"uuid_send_dtmf {pair.caller} {digit}@150").startswith("+OK")
            peer.wait_for(lambda peer: len(digits(peer)) > before)
        dial(events, pair, tones)
        peer.wait_for(lambda peer: digits(peer).endswith("D"))
        assert digits(peer).startswith("5500#") and is_told_once(digits(peer)[5:], "159D")
        # So there were two reports of each tone.
        wait_until(lambda: is_told_once(switch_heard(events, pair.leg).removeprefix("5500#"), "159D"))
        wait_until(lambda: told(events, pair.leg, "mod_audio_stream") == digits(peer))
