"""Plivo's audio streaming: ``plivo``. After Plivo's page "Stream Event Protocol"; numbers are numbers.

Linear samples at 8000 (Plivo's own default) or 16000 Hz, or G.711 mu-law at 8000 Hz, 20 ms in a message. Metadata are
the extra headers. Timestamps count milliseconds from the beginning of the stream, where Plivo has those of the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Mapping, Sequence

import orjson

from ...audio import Encoding, Track
from ...errors import MessageError
from ..messages import (CallAction, ClearAudio, ControlCall, Incoming, MediaTemplate, OutMessage, PlayAudio, Reply,
                        SetCheckpoint, StreamInfo)
from ..reading import checkpoint_name, shown
from .event_messages import EventPlatform, EventSession, Reader, as_texts, custom_parameters

_ENCODINGS = {"audio/x-mulaw": (Encoding.MULAW, (8000,)), "audio/x-l16": (Encoding.L16, (8000, 16000))}


@dataclass(frozen=True)
class Plivo(EventPlatform):
    """The platform."""

    stream_key: str = "streamId"
    numbers_are_texts: bool = False

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        template = super().media(info, track)
        *before, end = template.parts
        assert isinstance(end, bytes)
        headers = orjson.dumps({"extra_headers": extra_headers(info)})[1:]
        return MediaTemplate((*before, end[:-1] + b"," + headers), template.encoding)

    def open(self, info: StreamInfo) -> PlivoSession:
        return PlivoSession(info, self)


def extra_headers(info: StreamInfo) -> str:
    """Return the metadata as Plivo writes them: ``name=value;name=value``."""
    return ";".join(f"{name}={value}" for name, value in as_texts(custom_parameters(info)).items())


class PlivoSession(EventSession):
    """start, media, dtmf, playedStream and clearedAudio; playAudio, checkpoint, clearAudio and sendDTMF come."""

    def opening(self) -> Sequence[OutMessage]:
        info, ids = self.info, self.ids
        return [self.numbered("start", {"start": {
            "callId": ids.call, "streamId": ids.stream, "accountId": ids.account, "tracks": self.tracks,
            "mediaFormat": {"encoding": self.platform.format_name(info), "sampleRate": info.rate}},
            "extra_headers": extra_headers(info)})]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [self.numbered("dtmf", {"dtmf": {"track": "inbound", "digit": digit},
                                       "extra_headers": extra_headers(self.info)})]

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        if status != "played":
            return ()  # Plivo tells of what was played alone
        return [self.numbered("playedStream", {"name": name})]

    def _play(self, body: dict[str, Any]) -> Sequence[PlayAudio]:
        media = self.member("playAudio", body, "media")
        kind, rate = media.get("contentType"), media.get("sampleRate")
        encoding, rates = _ENCODINGS.get(kind if isinstance(kind, str) else "", (None, ()))
        if encoding is None:
            raise MessageError("playAudio", f"playAudio has the contentType {shown(kind)}: use "
                                            f"{' or '.join(_ENCODINGS)}")
        if isinstance(rate, str) and rate.isdecimal():
            rate = int(rate)
        if rate not in rates:
            raise MessageError("playAudio", f"playAudio has the sampleRate {shown(rate)} for {kind}: use "
                                            f"{' or '.join(map(str, rates))}")
        return [self.audio("playAudio", media, encoding, int(rate))]

    def _checkpoint(self, body: dict[str, Any]) -> Sequence[Incoming]:
        return [SetCheckpoint(checkpoint_name("checkpoint", body.get("name")))]

    def _clear_audio(self, body: dict[str, Any]) -> Sequence[Incoming]:
        return [ClearAudio(), Reply(self.numbered("clearedAudio", {}))]

    def _send_digits(self, body: dict[str, Any]) -> Sequence[Incoming]:
        digits = body.get("dtmf")
        if not isinstance(digits, str) or not digits:
            raise MessageError("sendDTMF", "sendDTMF has no text named dtmf: put the digits there")
        return [ControlCall(CallAction.SEND_DIGITS, digits)]

    readers: ClassVar[Mapping[str, Reader]] = {
        "playAudio": _play, "checkpoint": _checkpoint, "clearAudio": _clear_audio, "sendDTMF": _send_digits}


PLIVO = Plivo("plivo", formats={(Encoding.L16, 8000): "audio/x-l16", (Encoding.MULAW, 8000): "audio/x-mulaw",
                                (Encoding.L16, 16000): "audio/x-l16"})
