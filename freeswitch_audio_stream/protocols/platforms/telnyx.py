"""Telnyx media streaming over WebSocket: ``telnyx``. After Telnyx' AsyncAPI document; numbers are texts.

G.711 mu-law at 8000 Hz (PCMU) or linear samples at 16000 Hz (L16), 20 ms in a message. Metadata are the custom
parameters; their texts ``client_state`` and lists ``tags`` are the stream's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import orjson

from ...audio import Encoding
from ...errors import MessageError
from ..messages import OutMessage, StreamInfo
from .event_messages import EventPlatform, EventSession, custom_parameters

_MALFORMED = (100003, "malformed_frame")
_INVALID_MEDIA = (100004, "invalid_media")


@dataclass(frozen=True)
class Telnyx(EventPlatform):
    """The platform."""

    sequence_key: str = "sequence_number"
    stream_key: str = "stream_id"

    def open(self, info: StreamInfo) -> TelnyxSession:
        return TelnyxSession(info, self)


class TelnyxSession(EventSession):
    """connected, start, media, dtmf, mark, error and stop; media, mark and clear, without ids, from the server."""

    def opening(self) -> Sequence[OutMessage]:
        info, parameters = self.info, custom_parameters(self.info)
        own = {name: parameters.pop(name) for name, kind in (("client_state", str), ("tags", list))
               if isinstance(parameters.get(name), kind)}
        start = {**self._call, "call_session_id": info.uuid, "from": info.identity.caller, "to": info.identity.callee,
                 **own, "custom_parameters": parameters,
                 "media_format": {"encoding": self.platform.format_name(info), "sample_rate": info.rate, "channels": 1}}
        return [OutMessage(orjson.dumps({"event": "connected", "version": "1.0.0"})),
                self.numbered("start", {"start": start})]

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [self.numbered("stop", {"stop": self._call})]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [self.numbered("dtmf", {"dtmf": {"digit": digit}})]

    def refused(self, error: MessageError) -> Sequence[OutMessage]:
        code, title = _INVALID_MEDIA if error.kind == "media" else _MALFORMED
        return [OutMessage(orjson.dumps({"event": "error", "stream_id": self.ids.stream, "payload": {
            "code": code, "title": title, "detail": str(error)}}))]

    @property
    def _call(self) -> dict[str, Any]:
        return {"user_id": self.ids.account, "call_control_id": self.ids.call}


TELNYX = Telnyx("telnyx", formats={(Encoding.MULAW, 8000): "PCMU", (Encoding.L16, 16000): "L16"})
