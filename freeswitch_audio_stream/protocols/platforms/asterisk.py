"""Asterisk's WebSocket channel (chan_websocket): ``asterisk``, whose text is plain, and ``asterisk-json``.

Linear samples in binary messages of 20 ms, both ways, in the format slin… of the stream's rate. Metadata are the
channel variables of MEDIA_START. After chan_websocket.c of Asterisk 23. The queue holds playback-secs, a minute by
default, where Asterisk's holds 20 s; MEDIA_XOFF and MEDIA_XON come at Asterisk's levels all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

import orjson

from ...audio import Encoding, Track
from ...errors import MessageError
from ..messages import (AllowAudio, AskPlayback, CallAction, ClearAudio, ControlCall, DiscardAudio, IgnoreBinary,
                        Incoming, OutMessage, PausePlayback, SetCheckpoint, StreamInfo)
from ..reading import LONGEST_NAME, json_object, shown
from ..session import ProtocolSession, WireProtocol
from .event_messages import as_texts, custom_parameters, hyphenated, mono

FORMATS = {8000: "slin", 12000: "slin12", 16000: "slin16", 24000: "slin24", 32000: "slin32", 44100: "slin44",
           48000: "slin48"}
"""Asterisk's names of linear audio, by Hz."""
PTIME_MS = 20
XON_LEVEL, XOFF_LEVEL = 800, 900
"""Frames."""
_NO_INPUT = ("START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING", "MARK_MEDIA", "PAUSE_MEDIA", "CONTINUE_MEDIA")
_DIRECTION = "SET_MEDIA_DIRECTION"
_MARK, _BUFFERED, _DRAINED = "MEDIA_MARK_PROCESSED ", "MEDIA_BUFFERING_COMPLETED ", "QUEUE_DRAINED"


@dataclass(frozen=True)
class Asterisk(WireProtocol):
    """The channel driver."""

    packet_ms: int | None = PTIME_MS
    has_text: bool = False
    subprotocol: str | None = "media"
    playback_levels_ms: tuple[int, int] = (XOFF_LEVEL * PTIME_MS, XON_LEVEL * PTIME_MS)
    is_json: bool = False

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        return mono(self.name, track, encoding, rate, tuple(FORMATS))

    def open(self, info: StreamInfo) -> AsteriskSession:
        return AsteriskSession(info, self.is_json)


class AsteriskSession(ProtocolSession):
    """Events to the server; commands from it, which are in `_COMMANDS`."""

    def __init__(self, info: StreamInfo, is_json: bool) -> None:
        super().__init__(info)
        self._is_json = is_json
        self._channel = info.identity.call or info.uuid
        self._buffers = self._is_full = self._only_hears = False

    def opening(self) -> Sequence[OutMessage]:
        info = self.info
        fields = {"connection_id": info.identity.stream or hyphenated(info.identity.nonce),
                  "channel": f"WebSocket/{info.stream_id}", "channel_id": self._channel, "format": FORMATS[info.rate],
                  "optimal_frame_size": 2 * info.rate * PTIME_MS // 1000, "ptime": PTIME_MS}
        if self._is_json:
            fields["channel_variables"] = as_texts(custom_parameters(info))
        return [self._event("MEDIA_START", fields)]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [self._event("DTMF_END", {"digit": digit, "channel_id": self._channel})]

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        if status != "played":
            return ()  # FLUSH_MEDIA takes the marks along
        event, _, mark = name.partition(" ")
        if event == _DRAINED:
            return [self._event(event, {"channel_id": self._channel} if self._is_json else {})]
        if self._is_json:
            return [self._event(event, {"channel_id": self._channel, "correlation_id": mark})]
        return [OutMessage(f"{event} {mark}".strip().encode())]

    def playback(self, queued_ms: int, paused: bool) -> Sequence[OutMessage]:
        frames = queued_ms // PTIME_MS
        return [self._event("STATUS", {
            "channel_id": self._channel, "queue_length": frames, "xon_level": XON_LEVEL, "xoff_level": XOFF_LEVEL,
            "queue_full": self._is_full, "bulk_media": self._buffers, "media_paused": paused})]

    def playback_level(self, is_high: bool) -> Sequence[OutMessage]:
        self._is_full = is_high
        return [self._event("MEDIA_XOFF" if is_high else "MEDIA_XON",
                            {"channel_id": self._channel} if self._is_json else {})]

    def refused(self, error: MessageError) -> Sequence[OutMessage]:
        return [self._event("ERROR", {"channel_id": self._channel, "error_text": str(error)})]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        command, mark = self._command(message)
        read = _COMMANDS.get(command)
        if read is None:
            raise MessageError("command", f"the command {shown(command)} is unknown: {', '.join(_COMMANDS)} are known")
        if self._only_hears and command in _NO_INPUT:
            raise MessageError("command", f"{command} not supported while media direction is 'in'")
        if len(mark) > LONGEST_NAME:
            raise MessageError("command", f"{command} has an id of {len(mark)} characters: use {LONGEST_NAME} at most")
        return read(self, mark)

    def _command(self, message: bytes) -> tuple[str, str]:
        if not self._is_json:
            command, _, mark = message.decode("utf-8", "replace").partition(" ")
            return command, mark
        body = json_object(message)
        command = _text(body.get("command"))
        return command, _text(body.get("direction" if command == _DIRECTION else "correlation_id"))

    def _event(self, event: str, fields: Mapping[str, Any]) -> OutMessage:
        if self._is_json:
            return OutMessage(orjson.dumps({"event": event, **fields}))
        return OutMessage(" ".join([event, *(f"{name}:{_plain(value)}" for name, value in fields.items())]).encode())

    def _start_buffering(self, mark: str) -> Sequence[Incoming]:
        self._buffers = True  # and that is all: we queue whatever comes, in any pieces
        return []

    def _stop_buffering(self, mark: str) -> Sequence[Incoming]:
        self._buffers = False
        return [SetCheckpoint(_BUFFERED + mark)]

    def _set_direction(self, direction: str) -> Sequence[Incoming]:
        """`direction` is that of audio for the server: in, out or both."""
        if not self._is_json:
            raise MessageError("command", f"{_DIRECTION} only supports JSON format")
        if direction not in ("in", "out", "both"):
            raise MessageError("command", f"{_DIRECTION} has the direction {shown(direction)}: use in, out or both")
        self._only_hears = direction == "in"
        return [DiscardAudio() if direction == "out" else AllowAudio(), IgnoreBinary(self._only_hears)]

    def _flush(self, mark: str) -> Sequence[Incoming]:
        self._buffers = False
        return [ClearAudio()]


_COMMANDS: Mapping[str, Callable[[AsteriskSession, str], Sequence[Incoming]]] = {
    "ANSWER": lambda session, mark: [ControlCall(CallAction.ANSWER)],
    "HANGUP": lambda session, mark: [ControlCall(CallAction.HANG_UP)],
    "START_MEDIA_BUFFERING": AsteriskSession._start_buffering,
    "STOP_MEDIA_BUFFERING": AsteriskSession._stop_buffering,
    "MARK_MEDIA": lambda session, mark: [SetCheckpoint(_MARK + mark)],
    "FLUSH_MEDIA": AsteriskSession._flush,
    "GET_STATUS": lambda session, mark: [AskPlayback()],
    "REPORT_QUEUE_DRAINED": lambda session, mark: [SetCheckpoint(_DRAINED)],
    "PAUSE_MEDIA": lambda session, mark: [PausePlayback(True)],
    _DIRECTION: AsteriskSession._set_direction,
    "CONTINUE_MEDIA": lambda session, mark: [PausePlayback(False)],
}

ASTERISK = Asterisk("asterisk")
ASTERISK_JSON = Asterisk("asterisk-json", is_json=True)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
