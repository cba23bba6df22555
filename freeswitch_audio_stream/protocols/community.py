"""The community module's protocol, ``community``: bare audio, and text as it is.

To the server go the metadata, verbatim and only where there is some, and then nothing but audio, unless the
application sends text or wants digits told. From the server, ``streamAudio`` is audio for the caller, and all
other text, JSON or not, is for the application.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ..audio import Track
from ..errors import MessageError
from .messages import Incoming, MediaTemplate, Messaging, OutMessage, Running, StreamAudio, StreamInfo, TextReceived
from .reading import check_writable, from_base64, shown

KINDS = ("raw", "wav", "mp3", "ogg", "pcmu", "pcma")
"""Values of ``audioDataType``."""

RAW_RATES = (8000, 16000, 24000, 32000, 48000, 64000)
"""Hz: values of ``sampleRate``, which only raw audio has and needs."""

_G711_RATE = 8000


@dataclass(frozen=True)
class Community(Messaging):
    """See `messages.WireProtocol`."""

    name: str = "community"

    def start(self, info: StreamInfo) -> OutMessage | None:
        return self.text(info, info.metadata) if info.metadata else None

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        if not info.base64:
            return MediaTemplate((), info.encoding)
        return MediaTemplate((b'{"type":"audio","data":"', Running.PAYLOAD, b'"}'), info.encoding)

    def stop(self, info: StreamInfo, reason: str) -> OutMessage | None:
        return self.text(info, reason) if reason else None

    def dtmf(self, info: StreamInfo, digit: str, duration_ms: int) -> OutMessage:
        return OutMessage(orjson.dumps({"event": "dtmf", "digit": digit, "duration": duration_ms}))

    def checkpoint(self, info: StreamInfo, name: str, status: str) -> OutMessage | None:
        return None

    def text(self, info: StreamInfo, text: str) -> OutMessage:
        return OutMessage(text.encode())

    def receive(self, info: StreamInfo, message: bytes) -> list[Incoming]:
        body = _json(message)
        if isinstance(body, dict) and body.get("type") == "streamAudio":
            return [_stream_audio(body.get("data"))]
        try:
            return [TextReceived(message.decode())]
        except UnicodeDecodeError as error:
            raise MessageError("text", f"a text message is not UTF-8: {error.reason} at byte {error.start}") from error


COMMUNITY = Community()


def _json(message: bytes) -> Any:
    """The value; None when there is none, or it nests too deeply to be read."""
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError:
        return None


def _stream_audio(data: Any) -> StreamAudio:
    if not isinstance(data, dict):
        raise MessageError("streamAudio", "streamAudio has no object named data")
    kind, text = data.get("audioDataType"), data.pop("audioData", None)
    rate: Any = data.get("sampleRate")
    if kind not in KINDS:
        raise MessageError("streamAudio", f"streamAudio has the audioDataType {shown(kind)}: use one of "
                                          f"{', '.join(KINDS)}")
    if kind == "raw" and rate not in RAW_RATES:
        raise MessageError("streamAudio", f"streamAudio has the sampleRate {shown(rate)} for raw audio: use one of "
                                          f"{', '.join(map(str, RAW_RATES))}")
    if not isinstance(text, str):
        raise MessageError("streamAudio", "streamAudio has no text named audioData: put the audio there in base64")
    check_writable("streamAudio", "data", data)
    audio = from_base64("streamAudio", "audioData", text)
    if kind == "raw":
        # The community module takes an odd byte at the end, and nobody hears that it is missing.
        return StreamAudio(audio[:len(audio) // 2 * 2], kind, int(rate), data)
    return StreamAudio(audio, kind, _G711_RATE if kind.startswith("pcm") else None, data)
