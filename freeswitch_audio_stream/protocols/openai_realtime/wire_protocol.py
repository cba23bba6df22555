"""The wire protocol ``openai-realtime``, and those of its dialects: a speech agent spoken to straight from the switch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Sequence

import orjson

from ...audio import Encoding, Track
from ...errors import SettingError
from ..messages import (CallerStopped, CallLater, ClearAudio, HangUp, Incoming, MediaTemplate, OutMessage,
                        PausePlayback, PlayAudio, Reconnect, Reply, ReportError, Running, StreamInfo, ToolCall,
                        TranscriptionReceived, UsageReported)
from ..agents import AgentProtocol
from ..session import ProtocolSession
from .dialects import DIALECTS, OPENAI, Dialect
from .events import (AudioFinished, Event, FunctionCall, HoldAudio, Interrupted, Ready, Refused, ReleaseAudio,
                     RetryResponse, Said, Send, SessionExpired, Trouble)
from .history import History
from .options import RealtimeOptions, read_options
from .session import RealtimeSession

RENEW_SECONDS = 55 * 60
"""When a new connection takes over, as soon as neither side speaks: the service ends a session after 60 minutes."""
MOST_RETRIES = 3
_QUIET_LOOKS = 0.5
"""Seconds between two looks whether neither side speaks."""
_FORMATS: Mapping[tuple[Encoding, int], str] = {(Encoding.L16, 24000): "pcm", (Encoding.MULAW, 8000): "pcmu"}


@dataclass(frozen=True)
class RealtimeProtocol(AgentProtocol):
    """See above. The metadata of ``start`` are the session's options."""

    name: str = OPENAI.name
    formats: Mapping[tuple[Encoding, int], str] = field(default_factory=lambda: _FORMATS)
    dialect: Dialect = OPENAI

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((b'{"type":"input_audio_buffer.append","audio":"', Running.PAYLOAD, b'"}'), info.encoding)

    def open(self, info: StreamInfo) -> ProtocolSession:
        """Raise SettingError where the metadata are no options."""
        return RealtimeProtocolSession(info, _options(info, self.dialect), History(), False, self.dialect)


def _options(info: StreamInfo, dialect: Dialect) -> RealtimeOptions:
    try:
        given = orjson.loads(info.metadata) if info.metadata else {}
        if not isinstance(given, dict):
            raise ValueError("write a JSON object")
        if "format" in given:
            raise ValueError("there is no option format: the encoding and rate of the stream say it")
        options = read_options({**dialect.defaults, **given}, dialect.options)
        return replace(options, format=_FORMATS[info.encoding, info.rate])
    except ValueError as error:  # orjson's are such, too
        raise SettingError(f"the metadata are no options of {dialect.name}: {error}") from error


class RealtimeProtocolSession(ProtocolSession):
    """One connection; `again` gives the session of the next one, which knows what was said."""

    def __init__(self, info: StreamInfo, options: RealtimeOptions, history: History, answer: bool,
                 dialect: Dialect) -> None:
        """With `answer` the model is to speak first."""
        super().__init__(info)
        self._dialect = dialect
        self._session = RealtimeSession(options, history, dialect)
        self._answer = answer
        self._finished: set[str] = set()
        """Items of which no more audio comes."""
        self._heard: dict[str, int] = {}
        """Milliseconds of items of which the caller has heard all that has come, and more may."""
        self._pending: list[Incoming] = []
        """What is to be told with what the service says next."""
        self._timers: Mapping[str, Callable[[], list[Event]]] = {
            "confirm": self._session.confirm, "retry": self._session.retry}
        self._handlers: Mapping[type, Callable[[Any], list[Incoming]]] = {
            Send: lambda event: [Reply(self._out(event))],
            Ready: lambda event: [CallLater("renew", RENEW_SECONDS)],
            PlayAudio: self._play, AudioFinished: self._finish, ClearAudio: self._clear,
            HoldAudio: lambda event: [PausePlayback(True), CallLater("confirm", event.milliseconds / 1000)],
            ReleaseAudio: lambda event: [PausePlayback(False)],
            Said: lambda event: [_line("caller" if event.is_caller else "agent", event.text)],
            Interrupted: lambda event: [_line("agent", event.text, interrupted=True, heardMs=event.milliseconds)],
            FunctionCall: lambda event: [ToolCall(event.call_id, event.name, event.arguments)],
            RetryResponse: _retry, SessionExpired: lambda event: [Reconnect()],
            CallerStopped: lambda event: [event], UsageReported: lambda event: [event],
            Refused: lambda event: [ReportError("service", event.reason), HangUp()],
            Trouble: lambda event: [ReportError("service", event.text)],
        }

    def opening(self) -> Sequence[OutMessage]:
        sends = [*self._session.opening(), *self._session.take_over(self._answer)]
        return [self._out(send) for send in sends]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        events = self._session.receive(message)
        pending, self._pending = self._pending, []
        return [*pending, *self._incoming(events)]

    def later(self, name: str) -> Sequence[Incoming]:
        if name == "renew":
            return [Reconnect() if self._session.is_quiet else CallLater("renew", _QUIET_LOOKS)]
        return self._incoming(self._timers[name]())

    def heard(self, item: str, milliseconds: int, complete: bool) -> Sequence[OutMessage]:
        if complete and item not in self._finished:
            self._heard[item] = milliseconds
            return ()
        incoming = self._incoming(self._session.heard(item, milliseconds, complete))
        self._pending += [one for one in incoming if not isinstance(one, Reply)]
        return [one.message for one in incoming if isinstance(one, Reply)]

    def tool_result(self, call_id: str, output: str) -> Sequence[OutMessage]:
        incoming = self._incoming(self._session.answer(call_id, output))
        return [one.message for one in incoming if isinstance(one, Reply)]

    def again(self) -> ProtocolSession:
        events = self._session.lost()
        answer = self._session.owes_answer and not self._session.needs_audio
        session = RealtimeProtocolSession(self.info, self._session.options, self._session.history, answer,
                                          self._dialect)
        session._pending = [*self._pending, *self._incoming(events)]
        return session

    def _out(self, send: Send) -> OutMessage:
        return OutMessage(self._dialect.said(send.message))

    def _incoming(self, events: Sequence[Event]) -> list[Incoming]:
        return [incoming for event in events for incoming in self._handlers[type(event)](event)]

    def _play(self, event: PlayAudio) -> list[Incoming]:
        if event.item is not None:
            self._heard.pop(event.item, None)
        return [event]

    def _finish(self, event: AudioFinished) -> list[Incoming]:
        self._finished.add(event.item)
        if event.item not in self._heard:
            return []
        return self._incoming(self._session.heard(event.item, self._heard.pop(event.item), True))

    def _clear(self, event: ClearAudio) -> list[Incoming]:
        """The stream tells later how much was heard of what is cleared; what was heard already is in no queue."""
        heard, self._heard = self._heard, {}
        cut = [self._session.heard(item, milliseconds, False) for item, milliseconds in heard.items()]
        return [event, PausePlayback(False), *self._incoming([event for events in cut for event in events])]


def _retry(event: RetryResponse) -> list[Incoming]:
    error = ReportError("service", f"the service has not answered: {event.reason}")
    if event.attempt > MOST_RETRIES:
        return [error, HangUp()]
    return [error, CallLater("retry", 2.0 ** (event.attempt - 1))]


def _line(speaker: str, text: str, **more: Any) -> TranscriptionReceived:
    return TranscriptionReceived({"speaker": speaker, "text": text, "isFinal": True, "is_final": True, **more})


REALTIME = tuple(RealtimeProtocol(name=dialect.name, key_header=dialect.key_header, dialect=dialect,
                                  options=dialect.options)
                 for dialect in DIALECTS)
