"""``recorder``: audio for the recording service, which makes WAV files of it and acknowledges every chunk.

Audio is sent as binary messages: raw samples, mono or stereo (caller left, callee right). Which session it belongs to
is said by the URL, here made of the one that the stream was given; what the service answers is read here, and what
follows from it is the connection's business (`engine.connection.recorder_link`), for it decides where audio goes on.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import orjson

from ..audio import Encoding, Track
from ..errors import MessageError, SettingError
from .messages import MediaTemplate, OutMessage, StreamInfo
from .reading import json_object, shown
from .session import ProtocolSession, WireProtocol

RATES = (8000, 16000, 44100, 48000)
"""Hz: those of the service that a stream can have."""
LEAST_BYTES, MOST_BYTES = 4096, 65536
"""Of a chunk."""
CLOSE_SESSION = b'{"type":"control","action":"close_session"}'

_PATH = "/api/ws/audio"
_USER, _USER_VARIABLE = "user_id", "recorder_user_id"
_OURS = ("sample_rate", "channels", "format", "takeover")
"""Parameters that say what we send, whatever the URL says."""
_RAW = "pcm"


@dataclass(frozen=True)
class Recorder(WireProtocol):
    """Raw samples of 16 bits, little-endian, in binary messages; one way."""

    interleaves_both: bool = True
    has_text: bool = False
    subprotocol: str | None = ""
    takes_key: bool = True
    has_binary: bool = False
    takes_deflate: bool = False
    defaults: Mapping[str, int] = field(default_factory=lambda: {"chunk_ms": 100})
    variables: tuple[str, ...] = (_USER_VARIABLE,)
    is_one_way: bool = True
    acknowledges: bool = True

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        if rate not in RATES:
            raise SettingError(f"the protocol {self.name} carries {', '.join(map(str, RATES))} Hz, and not {rate} Hz: "
                               "start the stream with one of these")
        if encoding is not Encoding.L16:
            raise SettingError(f"the protocol {self.name} carries linear samples of 16 bits, and not "
                               f"{encoding.value.lower()}: leave that word out")
        return track, encoding

    def chunk_limits(self, info: StreamInfo) -> tuple[int, int]:
        """Return the milliseconds that have 4 and 64 KiB."""
        second = 2 * info.channels * info.rate
        return -(-1000 * LEAST_BYTES // second), 1000 * MOST_BYTES // second

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((), Encoding.L16)

    def open(self, info: StreamInfo) -> RecorderSession:
        return RecorderSession(info)


RECORDER = Recorder("recorder")


class RecorderSession(ProtocolSession):
    """Says nothing but that the session is to be closed."""

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [OutMessage(CLOSE_SESSION)]


def named_session(url: str) -> str | None:
    """Return the id of the session that a URL is to continue; None where it is to begin one."""
    last = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    try:
        return str(uuid.UUID(last)) if len(last) == 36 else None
    except ValueError:
        return None


def session_url(url: str, info: StreamInfo, session: str | None) -> str:
    """Return where a stream that was given `url` begins a session, or continues `session`.

    What the audio is, the stream knows; its user is the URL's, else that of the metadata or of the channel variable.
    A session that is continued is taken over: the service ends an earlier connection of ours that it may still have.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/") or _PATH
    if named_session(url):
        path = path.rpartition("/")[0]
    query = parse_qsl(parts.query, keep_blank_values=True)
    given = [(name, value) for name, value in query if name not in _OURS]
    user = _user(info)
    if user and _USER not in dict(given):
        given.append((_USER, user))
    if session is None:
        given += [("sample_rate", str(info.rate)), ("channels", str(info.channels)),
                  ("format", _RAW if ("format", _RAW) in query else "wav")]  # not every recorder knows it
    else:
        path = f"{path}/{quote(session, safe='')}"
        given.append(("takeover", "true"))
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(given), ""))


def _user(info: StreamInfo) -> str:
    try:
        given = orjson.loads(info.metadata or "{}")
    except orjson.JSONDecodeError:
        given = {}
    named = given.get(_USER) if isinstance(given, dict) else None
    if isinstance(named, (str, int)) and not isinstance(named, bool):
        return str(named)
    return info.account.get(_USER_VARIABLE, "")


@dataclass(frozen=True)
class Answer:
    """What the service says: with the first message of a connection, of a chunk, or of the session's end."""

    text: str
    """Its message; "" where it only has an error."""
    error: str
    """What went wrong; "" where nothing did."""
    reason: str
    """Why, where the error alone does not say it."""
    session: str | None
    status: str
    """active, completed or error; "" where it says none."""
    chunks: int
    """How many the session has; 0 where it says nothing about it."""
    acknowledged: int | None
    """Bytes that the session has; None where only the chunks are counted."""
    body: Mapping[str, Any]
    """All of it."""

    @property
    def is_final(self) -> bool:
        """Whether the session has ended."""
        return self.status == "completed" or self.status == "error" and bool(self.body.get("closed_at"))

    @property
    def explanation(self) -> str:
        """What to tell a person of an error."""
        values = self.body.get("valid_values")
        valid = f": use {values if isinstance(values, str) else ', '.join(map(str, values))}" if values else ""
        return self.error + (f" ({self.reason})" if self.reason else "") + valid


def read_answer(data: bytes) -> Answer:
    """Return what the service says; raise MessageError where it is none of its messages."""
    body = json_object(data)
    text, error, session = (_text(body, name) for name in ("message", "error", "session_id"))
    status, reason = _text(body, "status"), _text(body, "reason")
    if status == "error":
        text, error, reason = "", text or error, error if text else reason
    acknowledged = body.get("acked_bytes")
    return Answer(text, error, reason, session or None, status, _count(body, "chunk_count") or 0,
                  None if acknowledged is None else _count(body, "acked_bytes"), body)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise MessageError("recorder", f"{name} of an answer is {shown(value)}, and not a text")
    return value or ""


def _count(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MessageError("recorder", f"{name} of an answer is {shown(value)}, and not a number")
    return value
