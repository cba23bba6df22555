"""``http``: the HTTP streaming API. Audio is posted; what the server says is fetched by long polling.

Selected by the schemes http and https. What a request says besides its body (method, path, host, key) is the
connection's business; here are the bodies, and what the answers to polls mean. A server that has more than the
specification (`clear`, `position`) is understood, and told what the caller has heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence
from urllib.parse import quote, urlencode

import orjson

from ..audio import Encoding, Track
from ..errors import MessageError, SettingError
from .messages import ClearAudio, Incoming, MediaTemplate, PlayAudio, Running, StreamInfo, TranscriptionReceived
from .reading import from_base64, shown
from .session import Carrier, ProtocolSession, WireProtocol

RATE = 16000
"""Hz: the only rate of the API."""

_SPEAKERS = (("[user]:", "user"), ("[ai]:", "ai"))
_FIELDS = {
    "tenantId": "voice_tenant_id", "storeId": "voice_store_id", "did": "destination_number",
    "callerNumber": "caller_id_number", "aiAgentRef": "voice_agent_ref"}
"""What a session is created with, and the channel variables that are asked where the metadata do not say it."""


@dataclass(frozen=True)
class HttpStreaming(WireProtocol):
    """Requests of JSON, with 16-bit samples of 16000 Hz, one channel, in base64."""

    carrier: Carrier = Carrier.HTTP
    has_text: bool = False
    takes_deflate: bool = False
    defaults: Mapping[str, int] = field(default_factory=lambda: {"chunk_ms": 100})
    chunk_range: tuple[int, int] = (20, 100)
    variables: tuple[str, ...] = tuple(_FIELDS.values())

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        if rate != RATE:
            raise SettingError(f"the protocol {self.name} carries {RATE} Hz, and not {rate} Hz: start the stream with "
                               f"{RATE}")
        if encoding is not Encoding.L16:
            raise SettingError(f"the protocol {self.name} carries linear samples of 16 bits, and not "
                               f"{encoding.value.lower()}: leave that word out")
        return Track.MIXED if track in (Track.BOTH, Track.STEREO) else track, encoding

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((b'{"audio":"', Running.PAYLOAD, b'"}'), Encoding.L16)

    def templates(self, info: StreamInfo) -> list[MediaTemplate]:
        """Return two: the body of a post, and the same with a number, for servers that know what to do with it."""
        numbered = MediaTemplate((b'{"audio":"', Running.PAYLOAD, b'","sequence":', Running.SEQUENCE, b"}"),
                                 Encoding.L16)
        return [self.media(info, info.track), numbered]

    def open(self, info: StreamInfo) -> HttpSession:
        return HttpSession(info)


HTTP = HttpStreaming("http")


def creation(info: StreamInfo) -> bytes:
    """Return the body that creates the session of a stream's call."""
    given = orjson.loads(info.metadata) if info.metadata else {}
    given = given if isinstance(given, dict) else {}
    values = {name: _text(given.get(name)) or info.account.get(variable, "") for name, variable in _FIELDS.items()}
    return orjson.dumps({"callId": info.uuid, **values})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def stream_path(call_id: str) -> str:
    """Return the path, behind that of the API, to which a call's audio is posted."""
    return f"/stream/{quote(call_id, safe='')}"


def end_path(call_id: str) -> str:
    """Return the path, behind that of the API, by which a session is ended."""
    return f"/session/{quote(call_id, safe='')}/end"


class HttpSession(ProtocolSession):
    """Reads the answers to polls, and knows what the next poll has to say."""

    def __init__(self, info: StreamInfo) -> None:
        super().__init__(info)
        self.position: int | None = None
        """Of the last answer that has arrived; None where the server has named none."""
        self.has_more = False
        """Whether the server has more to say at once."""
        self.was_empty = True
        """Whether the last answer said nothing."""
        self._has_asked = False

    def resume(self, position: int | None) -> None:
        """Go on where an earlier connection to the same session has ended."""
        self.position = position

    def poll(self, timeout_ms: int, heard_ms: int) -> str:
        """Return the query of the next poll. The first one is answered at once: it shows what the server knows."""
        if self.position is None:
            timeout_ms, self._has_asked = timeout_ms if self._has_asked else 0, True
            return urlencode({"timeout": timeout_ms, "received": 0})
        return urlencode({"timeout": timeout_ms, "received": self.position, "heard": heard_ms})

    def receive(self, message: bytes) -> Sequence[Incoming]:
        """Return what the body of an answer to a poll says."""
        body = _object(message)
        audio, transcript = body.get("audio") or "", body.get("transcript") or ""
        if not isinstance(audio, str):
            raise MessageError("http_answer", f"audio of an answer is {shown(audio)}, and not a text in base64")
        samples = from_base64("http_answer", "audio", audio)
        if len(samples) % 2:
            raise MessageError("http_answer", f"an answer has {len(samples)} bytes of audio: use 2 for each sample")
        said: list[Incoming] = [ClearAudio()] if body.get("clear") is True else []
        if samples:
            said.append(PlayAudio(samples, Encoding.L16, RATE))
        if transcript:
            said.append(_transcript(transcript))
        position = body.get("position")
        self.position = position if isinstance(position, int) and position >= 0 else self.position
        self.has_more, self.was_empty = body.get("hasMore") is True, not said
        return said


def _object(message: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise MessageError("http_answer", f"an answer is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise MessageError("http_answer", f"an answer is not a JSON object but {shown(body)}")
    return body


def _transcript(given: Any) -> TranscriptionReceived:
    """The whole line as it came, and, where it names one, its speaker and what was said."""
    if not isinstance(given, str):
        raise MessageError("http_answer", f"transcript of an answer is {shown(given)}, and not a text")
    payload: dict[str, Any] = {"transcript": given}
    for mark, speaker in _SPEAKERS:
        if given.lower().startswith(mark):
            payload.update(speaker=speaker, text=given[len(mark):].strip())
    return TranscriptionReceived(payload)
