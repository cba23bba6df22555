"""Bodies of answers: messages of the WebSocket, and what HTTP tells of a session."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from pydantic import BaseModel

from ....errors import AudioStreamError
from ..settings import CHANNELS, FORMATS, RATES
from ..storage.catalogue import SessionRow
from ..storage.interface import Recording


class Invalid(AudioStreamError):
    """A request that cannot be carried out; answered with `body` and, over HTTP, `status`."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body["error"])
        self.status = status
        self.body = body


class Failed(BaseModel):
    """Every refusal has an error; some have more."""

    error: str


class SessionInfo(BaseModel):
    """A session."""

    session_id: str
    user_id: str | None
    status: str
    file_path: str
    duration_seconds: float
    total_chunks: int
    chunk_count: int
    acked_bytes: int
    audio_bytes: int
    sample_rate: int
    channels: int
    format: str
    created_at: str
    updated_at: str
    closed_at: str | None
    connections: int
    degraded: str | None
    error: str | None


def session_info(row: SessionRow, place: str, connections: int = 0) -> dict[str, Any]:
    """Return what is told of a session; `place` is where its WAV file is, or will be."""
    recording = Recording(row.id, row.rate, row.channels)
    return {"session_id": row.id, "user_id": row.user or None, "status": row.status.value,
            "file_path": row.place or place, "duration_seconds": round(recording.seconds(row.audio_bytes), 6),
            "total_chunks": row.chunks, "chunk_count": row.chunks, "acked_bytes": row.received,
            "audio_bytes": row.audio_bytes, "sample_rate": row.rate, "channels": row.channels, "format": row.format,
            "created_at": _time(row.created), "updated_at": _time(row.updated),
            "closed_at": _time(row.closed) if row.closed is not None else None, "connections": connections,
            "degraded": row.degraded or None, "error": row.error or None}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message(text: str, id: str, chunks: int, status: str, **more: Any) -> dict[str, Any]:
    """Return a message of the WebSocket: the specification's four keys, and more."""
    return {"message": text, "session_id": id, "chunk_count": chunks, "status": status, **more}


def not_found(id: str) -> Invalid:
    return Invalid(404, {"error": "Session not found", "session_id": id})


def check_rate(text: str | None, default: int) -> int:
    return _number(text, default, "Invalid sample rate", RATES)


def check_channels(text: str | None, default: int) -> int:
    return _number(text, default, "Invalid channels", CHANNELS)


def check_format(text: str | None, default: str) -> str:
    if text is None or text in FORMATS:
        return default if text is None else text
    raise Invalid(422, {"error": "Invalid format", "valid_values": list(FORMATS)})


def check_user(text: str | None) -> str:
    if text and (len(text) > 256 or not text.isprintable()):
        raise Invalid(422, {"error": "Invalid user_id", "valid_values": "up to 256 printable characters"})
    return text or ""


def _number(text: str | None, default: int, error: str, valid: tuple[int, ...]) -> int:
    if text is None:
        return default
    if text in map(str, valid):
        return int(text)
    raise Invalid(422, {"error": error, "valid_values": list(valid)})
