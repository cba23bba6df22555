"""Genesys' AudioHook on a call of a real FreeSWITCH."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from freeswitch_audio_stream.audio import Encoding
from freeswitch_audio_stream.services.agent.wav import read_wav
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from tests.audiohook_server import Hook
from tests.platform_servers import Server

from .conftest import call, likeness, wait_until
from .test_encapsulations import record, speech, status_of, write_wav

SAID, ANSWER = speech(30, 1), speech(4, 2)


def test_a_conversation(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path) -> None:
    server = Server()
    try:
        pair = call(freeswitch, events, "park", "PCMU", write_wav(tmp_path / "said.wav", SAID))
        answer = events.api(f"uuid_audio_stream {pair.leg} s start {{protocol=audiohook}}{server.url} inbound 8000 0 1")
        assert answer == "+OK Success"
        wait_until(lambda: server.connections)
        hook = Hook(server.connections[0])
        wait_until(lambda: status_of(events, pair, "s")["captureQueueMs"] > 500)
        assert not len(hook.audio(Encoding.MULAW))
        hook.opened(0)
        recording = record(events, pair.caller, tmp_path / "heard.wav")
        hook.play(ANSWER, Encoding.MULAW)
        wait_until(lambda: status_of(events, pair, "s")["msPlayed"] >= 4000)
        events.api(f"uuid_record {pair.caller} stop {recording}")
        hook.play(np.tile(ANSWER, 5), Encoding.MULAW)
        wait_until(lambda: status_of(events, pair, "s")["playbackQueueMs"] > 1000)
        hook.say("event", entities=[{"type": "barge_in", "data": {}}])
        wait_until(lambda: status_of(events, pair, "s")["playbackQueueMs"] == 0, 10)
        events.api(f"uuid_send_dtmf {pair.caller} 5@200")
        wait_until(lambda: hook.said("dtmf"))
        events.api(f"uuid_kill {pair.leg}")
        wait_until(lambda: hook.said("close"))
        hook.say("closed")
        wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
        server.wait_for_close()
        inbound = hook.audio(Encoding.MULAW)
        alike = likeness(inbound, SAID[:len(inbound)], 8000)
        to_caller = likeness(read_wav(recording)[0], ANSWER, 8000)
        print(f"server hears {alike:.5f}, caller hears {to_caller:.5f}")
        assert min(alike, to_caller) > 0.99
    finally:
        server.close()
