"""Exotel's Voicebot and Stream applets: ``exotel``. Names as in Exotel's developer pages; sequence numbers are numbers.

Linear samples at 8000, 16000 or 24000 Hz, or G.711 mu-law at 8000 Hz, 100 ms in a message. Metadata are the custom
parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import orjson

from ...audio import Encoding
from ..messages import OutMessage, StreamInfo
from .event_messages import EventPlatform, EventSession, Ids, as_texts, call_hex, custom_parameters

_BITS = {Encoding.L16: 16, Encoding.MULAW: 8}


@dataclass(frozen=True)
class Exotel(EventPlatform):
    """Ids are hexadecimal digits."""

    packet_ms: int | None = 100
    sequence_key: str = "sequence_number"
    stream_key: str = "stream_sid"
    numbers_are_texts: bool = False

    def ids(self, info: StreamInfo) -> Ids:
        given = info.identity
        return Ids(given.account or "0" * 32, given.call or call_hex(info), given.stream or given.nonce)

    def open(self, info: StreamInfo) -> ExotelSession:
        return ExotelSession(info, self)


class ExotelSession(EventSession):
    """connected, start, media, dtmf, mark and stop; media, mark and clear from the server."""

    def opening(self) -> Sequence[OutMessage]:
        info, ids = self.info, self.ids
        start = {"stream_sid": ids.stream, "call_sid": ids.call, "account_sid": ids.account,
                 "from": info.identity.caller, "to": info.identity.callee,
                 "custom_parameters": as_texts(custom_parameters(info)),
                 "media_format": {"encoding": self.platform.format_name(info), "sample_rate": str(info.rate),
                                  "bit_rate": f"{info.rate * _BITS[info.encoding] // 1000}kbps"}}
        return [OutMessage(orjson.dumps({"event": "connected"})), self.numbered("start", {"start": start})]

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [self.numbered("stop", {"stop": {"call_sid": self.ids.call, "account_sid": self.ids.account,
                                                "reason": reason}})]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [self.numbered("dtmf", {"dtmf": {"digit": digit, "duration": str(duration_ms)}})]


EXOTEL = Exotel("exotel", formats={(Encoding.L16, 8000): "raw/slin", (Encoding.MULAW, 8000): "audio/x-mulaw",
                                   (Encoding.L16, 16000): "raw/slin", (Encoding.L16, 24000): "raw/slin"})
