"""The events of the stream API: their names, and how a stream fires them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable

import orjson

from ... import MODULE
from ...errors import ConnectError, ConnectTimeout, MessageError
from ..call import Call

EVENTS = ("connection_established", "connection_failed", "connection_timeout", "connection_closed",
          "stream_started", "stream_stopped", "stream_error", "media_play_start", "media_play_complete",
          "transcription_received", "call_control", "agent_tool_call", "agent_turn",
          "agent_usage", "heartbeat", "buffer_overrun", "dtmf",
          "media_client_attached", "media_client_detached")
"""Every event of the stream API; each is a CUSTOM event of subclass ``mod_audio_stream::<name>``."""
SUBCLASSES = tuple(f"{MODULE}::{name}" for name in EVENTS)

_ERROR_INTERVAL = 1.0  # s between two stream_error events of one kind


def timestamp() -> str:
    """Return now as ISO 8601 in UTC with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class _Complaint:
    """The errors of one kind."""

    text: str = ""
    """Of the latest."""
    count: int = 0
    """How many no event has told of yet."""
    told_at: float = -_ERROR_INTERVAL


class Reporter:
    """Fires the events of one stream."""

    def __init__(self, call: Call, stream_id: str) -> None:
        self._call = call
        self._stream_id = stream_id
        self._complaints: dict[str, _Complaint] = {}
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

    def error(self, kind: str, text: str, clock: Callable[[], float] = time.monotonic, times: int = 1) -> None:
        """Fire stream_error, at most once per kind and second; `count` says how many stand behind it.

        `times`: how often it has happened since the last call.
        """
        self.errors += times
        self.last_error = text
        complaint = self._complaints.setdefault(kind, _Complaint())
        complaint.count, complaint.text = complaint.count + times, text
        now = clock()
        if now - complaint.told_at >= _ERROR_INTERVAL:
            complaint.told_at = now
            self._complain(kind, complaint)

    def unusable(self, error: MessageError, data: bytes) -> None:
        """The protocol cannot read a text message of the server: `data`."""
        self.error(error.kind, str(error))

    def tell_the_rest(self) -> None:
        """The stream is over: fire stream_error for those that no event has told of yet."""
        for kind, complaint in self._complaints.items():
            if complaint.count:
                self._complain(kind, complaint)

    def _complain(self, kind: str, complaint: _Complaint) -> None:
        count, complaint.count = complaint.count, 0
        self.fire("stream_error", kind=kind, error=complaint.text, count=count, total=self.errors)

    def connection_lost(self, url: str, text: str, timed_out: bool) -> None:
        """The connection to `url` broke, or (`timed_out`) the server does not answer; connection_closed follows."""
        self.last_error = text
