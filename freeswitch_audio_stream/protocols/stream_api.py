"""The stream API's own protocol, as ``json`` and as ``binary``.

Both write the same JSON text messages and read the same ones; they differ in how audio travels. ``json``
sends it as base64 in numbered messages, each of one track; ``binary`` as binary messages with both tracks
interleaved. A server's message is accepted in the form of the specification, and in a second one: audio in ``media``
with a MIME type, and a checkpoint's name at the top level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Sequence

import orjson

from ..audio import ALL_RATES, Encoding, Track
from ..errors import MessageError
from .messages import (ClearAudio, Incoming, MediaTemplate, OutMessage, PlayAudio, Running, SetCheckpoint, StreamInfo,
                       TranscriptionReceived)
from .reading import check_writable, checkpoint_name, from_base64, json_object, shown, whole_samples
from .session import ProtocolSession, WireProtocol


@dataclass(frozen=True)
class StreamApi(WireProtocol):
    """``json``, or ``binary`` if `interleaves_both`."""

    audio_is_alike: bool = True

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        if self.interleaves_both:
            return MediaTemplate((), info.encoding)
        body = {"streamId": info.stream_id}
        if info.track is Track.BOTH:
            body["track"] = track.value
        message = _numbered("media", body)
        assert message.tail is not None
        parts = (message.head, Running.SEQUENCE, message.tail[:-1] + b',"audio":"', Running.PAYLOAD, b'"}')
        return MediaTemplate(parts, info.encoding)

    def open(self, info: StreamInfo) -> StreamApiSession:
        return StreamApiSession(info, says_channels=self.interleaves_both)


class StreamApiSession(ProtocolSession):
    """The JSON text messages that ``json`` and ``binary`` have in common."""

    def __init__(self, info: StreamInfo, says_channels: bool) -> None:
        super().__init__(info)
        self._says_channels = says_channels

    def opening(self) -> Sequence[OutMessage]:
        info = self.info
        body: dict[str, Any] = {"uuid": info.uuid, "streamId": info.stream_id, "track": info.track.value,
                                "codec": info.encoding.value, "rate": info.rate}
        if self._says_channels:
            body["channels"] = info.channels
        # A Fragment is copied as it is: numbers beyond 64 bits reach the server untouched.
        body["metadata"] = {} if info.metadata is None else orjson.Fragment(info.metadata)
        return [_numbered("start", {**body, **info.account})]

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [_numbered("stop", {"streamId": self.info.stream_id, "reason": reason})]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [_numbered("dtmf", {"streamId": self.info.stream_id, "digit": digit, "duration": duration_ms})]

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        return [OutMessage(orjson.dumps(
            {"event": "checkpoint", "streamId": self.info.stream_id, "name": name, "status": status}))]

    def text(self, text: str) -> Sequence[OutMessage]:
        return [OutMessage(text.encode())]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        event = body.get("event")
        read = _READERS.get(event) if isinstance(event, str) else None
        if read is None:
            raise MessageError("event", f"a message has the event {shown(event)}: use {', '.join(_READERS)}")
        stream_id = body.get("streamId")
        if stream_id is not None and stream_id != self.info.stream_id:
            raise MessageError("stream_id", f"{event} is for the stream {shown(stream_id)}: use "
                                            f"{shown(self.info.stream_id)}, or leave it out")
        return [read(self.info, body)]


JSON = StreamApi("json")
BINARY = StreamApi("binary", interleaves_both=True)


def _numbered(event: str, body: dict[str, Any]) -> OutMessage:
    """Return ``{"event":…,"sequence":`` number ``,…}``; `body` must not be empty."""
    return OutMessage(b'{"event":"%s","sequence":' % event.encode(), b"," + orjson.dumps(body)[1:])


# Readers: one for each event; a fault is reported under the event's own name.

_FORMATS = {"LINEAR16": Encoding.L16, "L16": Encoding.L16, "AUDIO/X-L16": Encoding.L16, "RAW": Encoding.L16,
            "MULAW": Encoding.MULAW, "PCMU": Encoding.MULAW, "AUDIO/X-MULAW": Encoding.MULAW}


def _play(info: StreamInfo, body: dict[str, Any]) -> PlayAudio:
    media, payload = body.get("media"), body.get("payload")
    if isinstance(payload, dict):
        return _play_audio(info, payload, audio="audioData", form="format")
    if isinstance(media, dict):
        return _play_audio(info, media, audio="payload", form="contentType")
    raise MessageError("media.play", "media.play has no object named payload")


def _play_audio(info: StreamInfo, fields: dict[str, Any], audio: str, form: str) -> PlayAudio:
    form_given, rate = fields.get(form), fields.get("sampleRate")
    encoding = _FORMATS.get(form_given.upper()) if isinstance(form_given, str) else None
    if form_given is None:
        encoding = Encoding.L16
    if encoding is None:
        raise MessageError("media.play", f"media.play has the {form} {shown(form_given)}: "
                                         "use LINEAR16 or MULAW")
    if rate is None:
        rate = info.rate
    if rate not in ALL_RATES:
        raise MessageError("media.play", f"media.play has the sampleRate {shown(rate)}: use one of "
                                         f"{', '.join(map(str, ALL_RATES))}")
    checkpoint = fields.get("checkpoint")
    name = None if checkpoint is None else checkpoint_name("media.play", checkpoint)
    return PlayAudio(_audio(fields.get(audio), audio, encoding), encoding, int(rate), name)


def _audio(text: Any, key: str, encoding: Encoding) -> bytes:
    if not isinstance(text, str):
        raise MessageError("media.play", f"media.play has no text named {key}: put the audio there in base64")
    return whole_samples("media.play", from_base64("media.play", key, text), encoding)


def _clear(info: StreamInfo, body: dict[str, Any]) -> ClearAudio:
    return ClearAudio()


def _checkpoint(info: StreamInfo, body: dict[str, Any]) -> SetCheckpoint:
    payload = body.get("payload")
    name = payload.get("name") if isinstance(payload, dict) else body.get("name")
    return SetCheckpoint(checkpoint_name("media.checkpoint", name))


def _transcription(info: StreamInfo, body: dict[str, Any]) -> TranscriptionReceived:
    payload = body.get("payload")
    if not isinstance(payload, dict):
        raise MessageError("transcription.send", "transcription.send has no object named payload")
    for given, other in (("isFinal", "is_final"), ("is_final", "isFinal")):
        if given in payload:
            payload.setdefault(other, payload[given])
    check_writable("transcription.send", "payload", payload)
    return TranscriptionReceived(payload)


_READERS: dict[str, Callable[[StreamInfo, dict[str, Any]], Incoming]] = {
    "media.play": _play,
    "media.clear": _clear,
    "media.checkpoint": _checkpoint,
    "transcription.send": _transcription,
}
