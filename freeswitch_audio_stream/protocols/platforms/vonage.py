"""Vonage's WebSockets, of the Voice API and of the Video API's Audio Connector: ``vonage``.

Linear samples in binary messages of 20 ms, both ways, at 8000, 16000 or 24000 Hz; JSON in text messages. Metadata are
the custom headers. After Vonage's guide "WebSockets"; that a notification of audio that was cleared never comes is not
verified in a source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import orjson

from ...audio import Encoding, Track
from ...errors import MessageError
from ..messages import ClearAudio, Incoming, OutMessage, Reply, SetCheckpoint, StreamInfo
from ..reading import LONGEST_NAME, json_object, shown
from ..session import ProtocolSession, WireProtocol
from .event_messages import custom_parameters, mono

RATES = (8000, 16000, 24000)


@dataclass(frozen=True)
class Vonage(WireProtocol):
    """The platform."""

    packet_ms: int | None = 20
    has_text: bool = False
    subprotocol: str | None = ""

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        return mono(self.name, track, encoding, rate, RATES)

    def open(self, info: StreamInfo) -> VonageSession:
        return VonageSession(info)


class VonageSession(ProtocolSession):
    """websocket:connected, :dtmf, :notify and :cleared; the actions clear and notify come."""

    def opening(self) -> Sequence[OutMessage]:
        return [_message("websocket:connected", **{"content-type": f"audio/l16;rate={self.info.rate}"},
                         **custom_parameters(self.info))]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [_message("websocket:dtmf", digit=digit, duration=duration_ms)]

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        return [_message("websocket:notify", payload=orjson.Fragment(name))] if status == "played" else ()

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        action = body.get("action")
        if action == "clear":
            return [ClearAudio(), Reply(_message("websocket:cleared"))]
        if action == "notify":
            return [SetCheckpoint(_payload(body.get("payload")))]
        raise MessageError("action", f"a message has the action {shown(action)}: vonage takes clear and notify")


VONAGE = Vonage("vonage")


def _message(event: str, **fields: object) -> OutMessage:
    return OutMessage(orjson.dumps({"event": event, **fields}))


def _payload(payload: object) -> str:
    """Return the payload of a notification as JSON, which is the name of the checkpoint."""
    if not isinstance(payload, dict):
        raise MessageError("notify", "notify has no object named payload")
    text = orjson.dumps(payload).decode()
    if len(text) > LONGEST_NAME:
        raise MessageError("notify", f"notify has a payload of {len(text)} characters: use {LONGEST_NAME} at most")
    return text
