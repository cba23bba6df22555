"""Twilio Media Streams: ``twilio``. After Twilio's page "Media Streams - WebSocket Messages"; numbers are texts.

G.711 mu-law at 8000 Hz, 20 ms in a message. Metadata are the custom parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import orjson

from ...audio import Encoding
from ..messages import OutMessage, StreamInfo
from .event_messages import EventPlatform, EventSession, Ids, as_texts, call_hex, custom_parameters


@dataclass(frozen=True)
class Twilio(EventPlatform):
    """Ids as Twilio's: two letters that say of what, and 32 hexadecimal digits."""

    def ids(self, info: StreamInfo) -> Ids:
        given = info.identity
        return Ids(given.account or "AC" + "0" * 32, given.call or "CA" + call_hex(info),
                   given.stream or "MZ" + given.nonce)

    def open(self, info: StreamInfo) -> TwilioSession:
        return TwilioSession(info, self)


class TwilioSession(EventSession):
    """connected, start, media, dtmf, mark and stop; media, mark and clear from the server."""

    def opening(self) -> Sequence[OutMessage]:
        info, ids = self.info, self.ids
        connected = orjson.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        return [OutMessage(connected), self.numbered("start", {"start": {
            "accountSid": ids.account, "streamSid": ids.stream, "callSid": ids.call, "tracks": self.tracks,
            "mediaFormat": {"encoding": self.platform.format_name(info), "sampleRate": info.rate, "channels": 1},
            "customParameters": as_texts(custom_parameters(info))}})]

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [self.numbered("stop", {"stop": {"accountSid": self.ids.account, "callSid": self.ids.call}})]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [self.numbered("dtmf", {"dtmf": {"track": "inbound_track", "digit": digit}})]


TWILIO = Twilio("twilio", formats={(Encoding.MULAW, 8000): "audio/x-mulaw"})
