"""The community module's protocol, ``community``: bare audio, and text passed on unchanged.

The server first receives the metadata, verbatim, if there are any; then audio, and text and digits where the
application asks for them. From the server, ``streamAudio`` is audio for the caller, and all other text, JSON or not,
is for the application.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import orjson

from ..audio import Track
from ..errors import MessageError
from .messages import Incoming, MediaTemplate, OutMessage, Running, StreamAudio, StreamInfo, TextReceived
from .reading import check_writable, from_base64, shown
from .session import ProtocolSession, WireProtocol

KINDS = ("raw", "wav", "mp3", "ogg", "pcmu", "pcma")
"""Valid values of ``audioDataType``."""

RAW_RATES = (8000, 16000, 24000, 32000, 48000, 64000)
"""Hz: valid values of ``sampleRate``, which raw audio needs and other kinds ignore."""

_G711_RATE = 8000


@dataclass(frozen=True)
class Community(WireProtocol):
    """``community``: audio in binary messages, or in base64 in JSON text messages."""

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        if not info.base64:
            return MediaTemplate((), info.encoding)
        return MediaTemplate((b'{"type":"audio","data":"', Running.PAYLOAD, b'"}'), info.encoding)

    def open(self, info: StreamInfo) -> CommunitySession:
        return CommunitySession(info)


class CommunitySession(ProtocolSession):
    """Metadata, reason and text, sent verbatim; digits as JSON; ``streamAudio`` and text from the server."""

    def opening(self) -> Sequence[OutMessage]:
        return self.text(self.info.metadata) if self.info.metadata else ()

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return self.text(reason) if reason else ()

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [OutMessage(orjson.dumps({"event": "dtmf", "digit": digit, "duration": duration_ms}))]

    def text(self, text: str) -> Sequence[OutMessage]:
        return [OutMessage(text.encode())]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = _json(message)
        if isinstance(body, dict) and body.get("type") == "streamAudio":
            return [_stream_audio(body.get("data"))]
        try:
            return [TextReceived(message.decode())]
        except UnicodeDecodeError as error:
            raise MessageError("text", f"a text message is not UTF-8: {error.reason} at byte {error.start}") from error


COMMUNITY = Community("community")


def _json(message: bytes) -> Any:
    """Return the JSON value; None when `message` is not JSON or nests too deeply to be parsed."""
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
        # The community module accepts an odd byte at the end: half a sample, so it is dropped.
        return StreamAudio(audio[:len(audio) // 2 * 2], kind, int(rate), data)
    return StreamAudio(audio, kind, _G711_RATE if kind.startswith("pcm") else None, data)
