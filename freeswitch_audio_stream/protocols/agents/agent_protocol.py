"""What the protocols of speech agents have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

import orjson

from ...audio import Encoding, Track
from ...errors import MessageError, SettingError
from ..messages import HangUp, Incoming, OutMessage, ReportError, StreamInfo, TranscriptionReceived
from ..reading import shown
from ..session import ProtocolSession, WireProtocol
from . import options

MOST_LINES = 400
"""Of one conversation, that are kept for another session: older ones are forgotten."""


@dataclass(frozen=True)
class AgentProtocol(WireProtocol):
    """The caller's audio goes to a model, and what it says comes back. The metadata of ``start`` are its options."""

    has_text: bool = False
    has_binary: bool = False
    takes_key: bool = True
    subprotocol: str | None = ""
    formats: Mapping[tuple[Encoding, int], str] = field(default_factory=dict)
    """What may travel, with the service's name for it; the first is what the documentation advises."""
    options: Mapping[str, options.Option] = field(default_factory=dict)

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        if (encoding, rate) not in self.formats:
            known = " or ".join(f"{one.value.lower()} of {hertz} Hz" for one, hertz in self.formats)
            raise SettingError(f"the protocol {self.name} carries {known}, and not {encoding.value.lower()} of "
                               f"{rate} Hz")
        if track is not Track.INBOUND:
            raise SettingError(f"the protocol {self.name} carries what the caller says, and not the track "
                               f"{track.value}: use inbound")
        return track, encoding

    def chosen(self, info: StreamInfo) -> dict[str, Any]:
        """Return the options that the metadata are; raise SettingError where they are none."""
        try:
            given = orjson.loads(info.metadata) if info.metadata else {}
            if not isinstance(given, dict):
                raise ValueError("write a JSON object")
            return options.read(given, self.options)
        except ValueError as error:  # orjson's are such, too
            raise SettingError(f"the metadata are no options of {self.name}: {error}") from error


class AgentSession(ProtocolSession):
    """One connection to an agent, and what is known of the conversation before it."""

    def __init__(self, info: StreamInfo, lines: Sequence[tuple[str, str]] = ()) -> None:
        """`lines` are what was said before: by ``caller`` or ``agent``, and what."""
        super().__init__(info)
        self.lines = list(lines)[-MOST_LINES:]
        self.calls: dict[str, str] = {}
        """The names of functions that were called and have not been answered, by the ids of their calls."""

    def tool_result(self, call_id: str, output: str) -> Sequence[OutMessage]:
        name = self.calls.pop(call_id, None)
        return () if name is None else self.answer(call_id, name, output)

    def answer(self, call_id: str, name: str, output: str) -> Sequence[OutMessage]:
        """Return the messages that tell the agent what came of a call."""
        raise NotImplementedError

    def said(self, speaker: str, text: str, **more: Any) -> list[Incoming]:
        """Return the line of the transcript, unless it is empty, and keep it."""
        text = text.strip()
        if not text:
            return []
        self.lines.append((speaker, text))
        del self.lines[:-MOST_LINES]
        return [line(speaker, text, **more)]


def line(speaker: str, text: str, **more: Any) -> TranscriptionReceived:
    """Return a line of the transcript; the speaker is ``caller`` or ``agent``."""
    return TranscriptionReceived({"speaker": speaker, "text": text, "isFinal": True, "is_final": True, **more})


def message(**fields: Any) -> OutMessage:
    """Return a JSON message."""
    return OutMessage(orjson.dumps(fields))


def refusal(reason: str) -> list[Incoming]:
    """Return what follows from an error that will not pass."""
    return [ReportError("service", reason), HangUp()]


def text_of(kind: str, body: Mapping[str, Any], key: str) -> str:
    """Return a member that is a text; raise MessageError."""
    value = body.get(key)
    if not isinstance(value, str):
        raise MessageError(kind, f"{key} of {kind} is {shown(value)}, and not a text")
    return value


def object_of(kind: str, body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a member that is an object; raise MessageError."""
    value = body.get(key)
    if not isinstance(value, dict):
        raise MessageError(kind, f"{key} of {kind} is {shown(value)}, and not an object")
    return value


def objects_of(kind: str, body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a member that is a list of objects; raise MessageError."""
    value = body.get(key)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise MessageError(kind, f"{key} of {kind} is {shown(value)}, and not a list of objects")
    return value
