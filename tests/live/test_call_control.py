"""What a server wants done with a call of a real FreeSWITCH, and `call-control` allows: digits, a transfer, the end."""

from __future__ import annotations

import json
from pathlib import Path

from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
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


def digit(events: EventSocket, uuid: str) -> str:
    """The digit that a leg has received."""
    event = events.wait_event(lambda event: event.get("Event-Name") == "DTMF" and event.get("Unique-ID") == uuid)
    return str(event["DTMF-Digit"])


def application(events: EventSocket, uuid: str) -> str | None:
    """What a leg is doing."""
    rows = json.loads(events.api("show channels as json")).get("rows", [])
    return next((str(row["application"]) for row in rows if row["uuid"] == uuid), None)
