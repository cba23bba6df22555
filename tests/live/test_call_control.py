"""What a server or a speech agent wants done with a call of a real FreeSWITCH, and `call-control` allows: digits, a
transfer, the end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from tests.engine.harness import noise
from tests.platform_servers import Server

from .conftest import call, wait_until
from .test_encapsulations import speech, write_wav

PREFIX = "{protocol=jambonz,call-control='hangup,transfer,dtmf',transfer-destinations='echo@default'}"


def test_digits_transfer_and_hangup(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path) -> None:
    server = Server()
    try:
        pair = call(freeswitch, events, "park", "PCMU", write_wav(tmp_path / "said.wav", speech(20, 1)))
        answer = events.api(f"uuid_audio_stream {pair.leg} s start {PREFIX}{server.url} inbound 8000 0 1")
        assert answer == "+OK Success"
        wait_until(lambda: server.texts)

        server.send({"type": "dtmf", "data": {"digit": "7"}})
        wait_until(lambda: digit(events, pair.caller) == "7")

        server.send({"type": "transfer", "data": {"to": "silence"}})  # which is not among the destinations
        server.send({"type": "transfer", "data": {"to": "echo"}})
        wait_until(lambda: application(events, pair.leg) == "echo")
        assert json.loads(events.api(f"uuid_audio_stream {pair.leg} s status"))["state"] == "streaming"

        server.send({"type": "disconnect"})
        wait_until(lambda: events.api(f"uuid_exists {pair.leg}") == "false")
        wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
    finally:
        server.close()


def test_an_agent_s_functions(freeswitch: FreeSwitch, events: EventSocket, tmp_path: Path) -> None:
    """Each time that the caller has spoken, the model does one of them, and is told what came of it."""
    pytest.importorskip("openai")
    realtime = pytest.importorskip("freeswitch_audio_stream.testing.openai_realtime")
    events.subscribe("CHANNEL_EXECUTE")
    wanted = [("send_digits", '{"digits":"8"}'), ("transfer_call", '{"destination":"echo"}'), ("hang_up", "{}")]

    def reply(turn: Any) -> Any:
        told = sum(item.role == "function_call_output" for item in turn.items)
        is_done = turn.items[-1].role == "function_call_output" or told == len(wanted)
        return realtime.Reply("It is done") if is_done else realtime.Reply(call=wanted[told])

    said = np.concatenate([np.zeros(8000, np.int16), noise(3200, 5), np.zeros(16_000, np.int16)] * 20)
    with realtime.RealtimeServer(realtime.Script(reply), key="") as service:
        pair = call(freeswitch, events, "park", "PCMU", write_wav(tmp_path / "said.wav", said))
        prefix = "{protocol=openai-realtime,call-control='hangup,transfer,dtmf',transfer-destinations='echo@default'}"
        answer = events.api(f"uuid_audio_stream {pair.leg} s start {prefix}{service.url}/realtime?model=m inbound "
                            "mulaw 8000 5 1")
        assert answer == "+OK Success"
        assert digit(events, pair.caller) == "8"
        wait_until(lambda: events.api(f"uuid_exists {pair.leg}") == "false")
        wait_until(lambda: service.live == 0)
        session, = service.sessions
        assert session.invalid == []
    outputs = [event["item"]["output"] for event in session.received if event.get("item", {}).get("output")]
    assert len(outputs) >= 2 and all('"done":true' in output for output in outputs), outputs
    assert events.wait_event(lambda event: event.get("Event-Name") == "CHANNEL_EXECUTE"
                             and event.get("Unique-ID") == pair.leg and event.get("Application") == "echo")


def digit(events: EventSocket, uuid: str) -> str:
    """The digit that a leg has received."""
    event = events.wait_event(lambda event: event.get("Event-Name") == "DTMF" and event.get("Unique-ID") == uuid)
    return str(event["DTMF-Digit"])


def application(events: EventSocket, uuid: str) -> str | None:
    """What a leg is doing."""
    rows = json.loads(events.api("show channels as json")).get("rows", [])
    return next((str(row["application"]) for row in rows if row["uuid"] == uuid), None)
