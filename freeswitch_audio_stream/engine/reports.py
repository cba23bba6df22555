"""The events of the stream API: their names, and how a stream fires them."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any, Callable

import orjson

from ..errors import ConnectError, ConnectTimeout
from .call import Call

MODULE = "mod_audio_stream"
EVENTS = ("connection_established", "connection_failed", "connection_timeout", "connection_closed",
          "stream_started", "stream_stopped", "stream_error", "media_play_start", "media_play_complete",
          "transcription_received", "heartbeat", "buffer_overrun", "dtmf")
"""Every event of the stream API; each is a CUSTOM event of subclass ``mod_audio_stream::<name>``."""
SUBCLASSES = tuple(f"{MODULE}::{name}" for name in EVENTS)

_ERROR_INTERVAL = 1.0  # s between two stream_error events of one kind


def timestamp() -> str:
    """Now, as ISO 8601 in UTC with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Reporter:
    """Fires the events of one stream."""

    def __init__(self, call: Call, stream_id: str) -> None:
        self._call = call
        self._stream_id = stream_id
        self._complaints: dict[str, tuple[float, int]] = {}
        self.errors = 0
        """Stream errors so far, reported or not."""
        self.last_error: str | None = None

    def fire(self, name: str, **fields: Any) -> None:
        """Fire ``mod_audio_stream::<name>``; fields that are None are left out."""
        body = {"streamId": self._stream_id, **{key: value for key, value in fields.items() if value is not None}}
        body.setdefault("timestamp", timestamp())
        self.emit(name, body)

    def emit(self, name: str, body: dict[str, Any]) -> None:
        """Fire ``mod_audio_stream::<name>`` with exactly this body."""
        self.emit_text(name, orjson.dumps(body).decode())

    def emit_text(self, name: str, body: str) -> None:
        """Fire ``mod_audio_stream::<name>`` with this text for a body."""
        self._call.emit(f"{MODULE}::{name}", body)

    def not_connected(self, error: ConnectError, url: str) -> None:
        """The server could not be reached."""
        self.last_error = str(error)
        self.fire("connection_timeout" if isinstance(error, ConnectTimeout) else "connection_failed",
                  error=str(error), serverUrl=url)

    def error(self, kind: str, text: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Fire stream_error, at most once per kind and second; `count` says how many stand behind it."""
        self.errors += 1
        self.last_error = text
        now = clock()
        last, held_back = self._complaints.get(kind, (-_ERROR_INTERVAL, 0))
        if now - last < _ERROR_INTERVAL:
            self._complaints[kind] = last, held_back + 1
            return
        self._complaints[kind] = now, 0
        self.fire("stream_error", kind=kind, error=text, count=held_back + 1, total=self.errors)
