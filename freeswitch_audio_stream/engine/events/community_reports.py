"""The community module's five events: connect, disconnect, error, json and play, with the bodies its users parse."""

from __future__ import annotations

import re
from typing import Any

from ...config import VARIABLES, Dialect
from ...errors import (ConnectError, ConnectionRefused, ConnectTimeout, HandshakeRefused, HostNotFound, MessageError,
                       TlsFileRefused, TlsRefused)
from .reports import Reporter

# Only names that are no words of any language.
_VARIABLES = {variable.attribute: variable.name for variable in VARIABLES[Dialect.COMMUNITY]
              if "_" in variable.attribute and not variable.inverted}
_SETTING = re.compile(rf"\b({'|'.join(_VARIABLES)})\b")

EVENTS = ("connect", "disconnect", "error", "json", "play")

IO_ERROR, INVALID_HEADER, PING_TIMEOUT, CONNECT_FAILED, TLS_INIT_FAILED, TLS_FAILED, TIMED_OUT, PROTOCOL = (
    1, 2, 5, 6, 7, 8, 10, 11)
"""The community module's error codes, as far as something of ours means the same."""
_CODES: tuple[tuple[type[ConnectError], int], ...] = (
    (ConnectTimeout, TIMED_OUT), (TlsFileRefused, TLS_INIT_FAILED), (TlsRefused, TLS_FAILED),
    (HandshakeRefused, CONNECT_FAILED), (HostNotFound, CONNECT_FAILED), (ConnectionRefused, CONNECT_FAILED))
"""The first that fits counts."""
_UNUSABLE = "unusable streamAudio"
_SWITCHING = 101  # HTTP status of an answer that opens a WebSocket, but wrongly


class CommunityReporter(Reporter):
    """Says what `Reporter` says in the community module's words, and nothing that it has no word for."""

    def fire(self, name: str, **fields: Any) -> None:
        if name == "connection_established":
            self.emit("connect", {"status": "connected"})
        elif name == "connection_closed":
            message = {"code": fields["code"], "reason": fields["reason"]}
            self.emit("disconnect", {"status": "disconnected", "message": message})
        elif name == "stream_error":
            more = f" ({fields['count']} of this kind since the last event)" if fields["count"] > 1 else ""
            self._tell(fields["kind"], fields["error"] + more)
        elif name == "media_play_complete":
            self.emit("play", {"event": "queue_completed", "status": fields["status"]})
        elif name == "dtmf":
            super().fire(name, **fields)

    def _tell(self, kind: str, text: str) -> None:
        if kind == _UNUSABLE:
            self._call.warn(text)
        else:
            self._error(PROTOCOL, text)

    def unusable(self, error: MessageError, data: bytes) -> None:
        """Audio that cannot be used is a text like any other, and no `error`: on that, scripts hang up."""
        if error.kind != "streamAudio":
            super().unusable(error, data)
            return
        self.error(_UNUSABLE, str(error))
        self.emit_text("json", data.decode())

    def not_connected(self, error: ConnectError, url: str) -> None:
        self.last_error = str(error)
        code = next((code for kind, code in _CODES if isinstance(error, kind)), IO_ERROR)
        if isinstance(error, HandshakeRefused) and error.status == _SWITCHING:
            code = INVALID_HEADER
        # Remedies name settings; its users know them as channel variables.
        self._error(code, _SETTING.sub(lambda match: _VARIABLES[match[1]], str(error)))

    def connection_lost(self, url: str, text: str, timed_out: bool) -> None:
        super().connection_lost(url, text, timed_out)
        self._error(PING_TIMEOUT if timed_out else IO_ERROR, f"the connection to {url} is lost: {text}")

    def _error(self, code: int, text: str) -> None:
        self.emit("error", {"status": "error", "message": {"code": code, "error": text}})
