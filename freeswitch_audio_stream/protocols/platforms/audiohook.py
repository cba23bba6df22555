"""Genesys' AudioHook, version 2: ``audiohook``. The stream is the client, as Genesys Cloud is.

G.711 mu-law (PCMU) or linear samples (L16) at 8000 Hz in binary messages: what the caller says is the channel
external, what the caller hears internal, and both are interleaved. No audio is sent before the server has opened the
session and chosen the media. After Genesys' public reference implementation; that the digits of a call (``dtmf``), and
what the flow is to know (``inputVariables``, ``outputVariables``), have these names is known from npm's and PyPI's
libraries for Genesys' Audio Connector alone. Of the metadata, ``language``, ``supportedLanguages`` and
``inputVariables`` are the open message's own; the rest is ``customConfig``.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable, Mapping, Sequence

import orjson

from ...audio import Encoding, Track
from ...errors import MessageError, RefusedError, SettingError
from ..messages import (AllowAudio, CallAction, CallLater, ClearAudio, ControlCall, DiscardAudio, Handshake, HangUp,
                        Incoming, KeepAudio, OutMessage, Reconnect, Reply, ReportError, StreamInfo, TextReceived,
                        TranscriptionReceived)
from ..reading import check_writable, json_object, shown
from ..session import ProtocolSession, WireProtocol
from .audiohook_signature import signed_headers
from .event_messages import call_hex, custom_parameters, hyphenated

RATE = 8000
OPEN_SECONDS, CLOSE_SECONDS = 5.0, 5.0
"""How long a server may take to answer ``open``, and ``close``."""
FIRST_PING_SECONDS, PING_SECONDS = 1.0, 5.0
_FORMATS = {"PCMU": Encoding.MULAW, "L16": Encoding.L16}
_CHANNELS = {Track.INBOUND: ["external"], Track.OUTBOUND: ["internal"], Track.STEREO: ["external", "internal"]}
_NOBODY = "00000000-0000-0000-0000-000000000000"
_DURATION = re.compile(r"PT(\d*\.?\d+)S")
_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Za-z]{2,3}")
_OWN = {"language": str, "supportedLanguages": bool, "inputVariables": dict}
_BAD_REQUEST, _TIMEOUT, _TOO_MUCH = 400, 408, 429


@dataclass(frozen=True)
class AudioHook(WireProtocol):
    """The platform."""

    subprotocol: str | None = ""
    takes_deflate: bool = False
    counts_anew: bool = True
    permit_seconds: float = OPEN_SECONDS
    farewell_seconds: float = CLOSE_SECONDS

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        track = Track.STEREO if track is Track.BOTH else track
        if track not in _CHANNELS:
            raise SettingError(f"the protocol {self.name} has no track {track.value}: use inbound, outbound or both")
        if rate != RATE:
            raise SettingError(f"the protocol {self.name} does not carry {rate} Hz: start the stream with {RATE}")
        return track, Encoding.L16 if encoding is Encoding.L16 else Encoding.MULAW

    def handshake(self, info: StreamInfo, handshake: Handshake) -> Mapping[str, str]:
        return signed_headers(handshake, {
            "Audiohook-Organization-Id": _organization(info),
            "Audiohook-Session-Id": _id(info, handshake.connection),
            "Audiohook-Correlation-Id": _conversation(info)})

    def check_text(self, text: str) -> None:
        if not _LANGUAGE.fullmatch(text):
            raise RefusedError(f"the protocol {self.name} has no text but a language, such as en-US, which the caller "
                               "speaks from now on")

    def open(self, info: StreamInfo) -> AudioHookSession:
        return AudioHookSession(info)


class _State(Enum):
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"


class AudioHookSession(ProtocolSession):
    """open, ping, paused, resumed, discarded, update, dtmf, error and close; what comes is in `_READERS`."""

    def __init__(self, info: StreamInfo, connection: int = 0, continued: Sequence[Mapping[str, Any]] = ()) -> None:
        """`continued` tells of the sessions that this one goes on with, on earlier connections of the stream."""
        super().__init__(info)
        self.id = _id(info, connection)
        self._connection = connection
        self._continued = continued
        formats = ("PCMU", "L16") if info.encoding is Encoding.L16 else ("PCMU",)
        self._offered = [{"type": "audio", "format": name, "channels": _CHANNELS[info.track], "rate": RATE}
                         for name in formats]
        self._state = _State.OPENING
        self._has_begun = self._has_media = self._renews = self._waits_for_pong = False
        self._paused_at: int | None = None
        self._pinged_at = 0
        self._round_trip: int | None = None
        self._seq = self._serverseq = 0

    # Messages to the server.

    def _message(self, kind: str, **parameters: Any) -> OutMessage:
        # The number is put in when the message leaves; this one is what it will be.
        self._seq += 1
        rest = {"serverseq": self._serverseq, "position": _duration(self.audio_ms()), "id": self.id,
                "parameters": parameters}
        return OutMessage(b'{"version":"2","type":"%s","seq":' % kind.encode(), b"," + orjson.dumps(rest)[1:])

    def opening(self) -> Sequence[OutMessage]:
        info, names = self.info, self.info.identity
        self._has_begun = True
        parameters = custom_parameters(info)
        own = {name: parameters.pop(name) for name, kind in _OWN.items() if isinstance(parameters.get(name), kind)}
        return [self._message("open", organizationId=_organization(info), conversationId=_conversation(info),
                              participant={"id": _derived(info, "participant"), "ani": names.caller,
                                           "aniName": names.caller_name, "dnis": names.callee},
                              media=self._offered, **own,
                              **({"customConfig": parameters} if parameters else {}),
                              **({"continuedSessions": self._continued} if self._continued else {}))]

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [message.message for message in self._close("end") if isinstance(message, Reply)]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        # Who only listens is a monitor, which knows of no digits.
        return [self._message("dtmf", digit=digit)] if self.info.plays and self._state is _State.OPEN else ()

    def text(self, text: str) -> Sequence[OutMessage]:
        return [self._message("update", language=text)]

    def refused(self, error: MessageError) -> Sequence[OutMessage]:
        return [self._message("error", code=_BAD_REQUEST, message=str(error))]

    def overflowed(self, queued_ms: int) -> Sequence[OutMessage]:
        return [self._message("error", code=_TOO_MUCH, message="too much audio waits to be played",
                              retryAfter=_duration(queued_ms))]

    def again(self) -> ProtocolSession | None:
        if not self._has_begun:
            return None
        ended = {"id": self.id, "serverseq": self._serverseq, "clientseq": self._seq}
        return AudioHookSession(self.info, self._connection + 1, [*self._continued, ended])

    # Messages from the server.

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        kind, parameters = body.get("type"), body.get("parameters") or {}
        read = _READERS.get(kind) if isinstance(kind, str) else None
        if not isinstance(kind, str) or read is None:
            raise MessageError("type", f"a message has the type {shown(kind)}: audiohook takes {', '.join(_READERS)}")
        if body.get("id") != self.id:
            raise MessageError("id", f"{kind} is for the session {shown(body.get('id'))}: this one is {self.id}")
        if not isinstance(parameters, dict):
            raise MessageError("parameters", f"{kind} has parameters that are no object")
        counted = self._count(kind, body.get("seq"))
        return [*counted, *_variables(message, parameters), *read(self, parameters)]

    def _count(self, kind: str, seq: Any) -> Sequence[Incoming]:
        expected = self._serverseq + 1
        self._serverseq = seq if isinstance(seq, int) and seq > 0 else expected
        if seq == expected:
            return []
        return [ReportError("seq", f"{kind} has the number {shown(seq)}: {expected} is next")]

    def _opened(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        if self._state is not _State.OPENING:
            raise MessageError("opened", f"opened came, and the session is {self._state.value}")
        media = parameters.get("media")
        if not isinstance(media, list) or len(media) > 1 or any(one not in self._offered for one in media):
            raise MessageError("opened", f"opened has media that were not offered: choose one of "
                                         f"{orjson.dumps(self._offered).decode()}, or none")
        self._state, self._has_media = _State.OPEN, bool(media)
        pings = CallLater("ping", FIRST_PING_SECONDS)
        if not media:
            return [DiscardAudio(), pings]
        encoding, discard = _FORMATS[media[0]["format"]], _milliseconds(parameters.get("discardTo"))
        if parameters.get("startPaused") is True:
            self._paused_at = self.audio_ms()
            return [DiscardAudio(encoding), Reply(self._message("paused")), pings]
        told = [Reply(self._message("discarded", start=_duration(0), discarded=_duration(discard)))] if discard else []
        return [AllowAudio(encoding, discard), *told, pings]

    def _pause(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        if self._state is not _State.OPEN:
            return []
        if self._paused_at is None:
            self._paused_at = self.audio_ms()
        return [DiscardAudio(), Reply(self._message("paused"))]

    def _resume(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        if self._state is not _State.OPEN:
            return []
        now, start = self.audio_ms(), self._paused_at
        self._paused_at = None
        start = now if start is None else start
        resumed = Reply(self._message("resumed", start=_duration(start), discarded=_duration(now - start)))
        return [resumed, *([AllowAudio()] if self._has_media else [])]

    def _pong(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        if self._waits_for_pong:
            self._round_trip = self.elapsed_ms() - self._pinged_at
        self._waits_for_pong = False
        return []

    def _event(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        entities = parameters.get("entities")
        if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
            raise MessageError("event", "event has no list of objects named entities")
        return [_entity(entity) for entity in entities]

    def _disconnect(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        reason, words = parameters.get("reason"), parameters.get("info")
        said = ControlCall(CallAction.HANG_UP, "completed") if reason == "completed" else ReportError(
            "disconnect", f"the server disconnects: {shown(reason)}{f', {shown(words)}' if words else ''}")
        return [said, *self._close("disconnect")]

    def _reconnect(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        self._renews = self._state is not _State.CLOSING
        return self._close("reconnect")

    def _closed(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        if self._state is not _State.CLOSING:
            raise MessageError("closed", f"closed came, and the session is {self._state.value}")
        return [Reconnect() if self._renews else HangUp()]

    def _error(self, parameters: dict[str, Any]) -> Sequence[Incoming]:
        return [ReportError("service", f"the server reports the error {shown(parameters.get('code'))}: "
                                       f"{shown(parameters.get('message'))}")]

    def _close(self, reason: str) -> Sequence[Incoming]:
        """Begin the end of the session, once: the server answers ``closed``, and then comes that of the connection."""
        if self._state is _State.CLOSING:
            return []
        self._state = _State.CLOSING
        return [KeepAudio(), Reply(self._message("close", reason=reason)), CallLater("closed", CLOSE_SECONDS)]

    def later(self, name: str) -> Sequence[Incoming]:
        if name == "closed":
            return [Reconnect() if self._renews else HangUp()]
        if name == "opening":
            return self._is_late("opened", OPEN_SECONDS) if self._state is _State.OPENING else []
        if self._state is _State.CLOSING:
            return []
        if self._waits_for_pong:
            return self._is_late("pong", PING_SECONDS)
        self._waits_for_pong, self._pinged_at = True, self.elapsed_ms()
        measured = {} if self._round_trip is None else {"rtt": _duration(self._round_trip)}
        return [Reply(self._message("ping", **measured)), CallLater("ping", PING_SECONDS)]

    def _is_late(self, kind: str, seconds: float) -> Sequence[Incoming]:
        text = f"{kind} has not come within {seconds:g} s"
        error = Reply(self._message("error", code=_TIMEOUT, message=text))
        return [error, ReportError("timeout", text), *self._close("error")]


_READERS: Mapping[str, Callable[[AudioHookSession, dict[str, Any]], Sequence[Incoming]]] = {
    "opened": AudioHookSession._opened, "pong": AudioHookSession._pong, "pause": AudioHookSession._pause,
    "resume": AudioHookSession._resume, "updated": lambda session, parameters: [], "event": AudioHookSession._event,
    "disconnect": AudioHookSession._disconnect, "reconnect": AudioHookSession._reconnect,
    "closed": AudioHookSession._closed, "error": AudioHookSession._error}

AUDIOHOOK = AudioHook("audiohook")


def _entity(entity: dict[str, Any]) -> Incoming:
    kind, data = entity.get("type"), entity.get("data")
    if kind == "barge_in":
        return ClearAudio()
    check_writable("event", "entity", entity)
    if kind == "transcript" and isinstance(data, dict):
        return TranscriptionReceived(data)
    return TextReceived(orjson.dumps(entity).decode())


def _variables(message: bytes, parameters: dict[str, Any]) -> Sequence[Incoming]:
    """Return what the flow of the call is to know, for the application."""
    return [TextReceived(message.decode())] if parameters.get("outputVariables") else []


def _derived(info: StreamInfo, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{info.identity.nonce} {name}"))


def _valid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _id(info: StreamInfo, connection: int) -> str:
    """Return the id of the session on a connection: the one that was set is that of the first."""
    given = _valid(info.identity.stream) if connection == 0 else None
    return given or _derived(info, f"session {connection}")


def _conversation(info: StreamInfo) -> str:
    return _valid(info.identity.call) or hyphenated(call_hex(info))


def _organization(info: StreamInfo) -> str:
    return _valid(info.identity.account) or _NOBODY


def _duration(milliseconds: int) -> str:
    return f"PT{milliseconds // 1000}.{milliseconds % 1000:03}S"


def _milliseconds(duration: Any) -> int:
    if duration is None:
        return 0
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise MessageError("opened", f"opened has the discardTo {shown(duration)}: write it like PT1.5S")
    return round(1000 * float(match[1]))
