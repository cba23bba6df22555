"""Services that speak the Realtime protocol in other words: for each, tables of what differs.

Facts: xAI's Voice Agent API, and Microsoft's Voice Live API of the version 2026-07-15.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, TypeVar

import orjson

from ..agents.options import Option
from .options import FORMATS, OPTIONS, TURN_DETECTIONS, RealtimeOptions, turn_detection

_T = TypeVar("_T")


@dataclass(frozen=True)
class Dialect:
    """What a service says differently. All defaults are OpenAI's."""

    name: str
    """The value of the setting `protocol` that selects it."""
    session: Callable[[RealtimeOptions], dict[str, Any]]
    """Returns the ``session`` of ``session.update``."""
    options: Mapping[str, Option]
    """Those that the service has."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Of options, where they differ from those of `RealtimeOptions`."""
    event_names: Mapping[str, str] = field(default_factory=dict)
    """What the service calls its messages, where it is not as OpenAI does."""
    content_types: Mapping[str, str] = field(default_factory=dict)
    """What it calls the types of what is in an item."""
    unsaid: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What it does not want in our messages, by their types."""
    key_header: str = "Authorization"
    """The header that carries the key."""

    def by_their_names(self, handlers: Mapping[str, _T]) -> dict[str, _T]:
        """Return a table by OpenAI's names of messages as one by the service's."""
        return {self.event_names.get(name, name): handler for name, handler in handlers.items()}

    def said(self, message: bytes) -> bytes:
        """Return a message for OpenAI as one for the service."""
        if not (self.content_types or self.unsaid):
            return message
        event = orjson.loads(message)
        for name in self.unsaid.get(event["type"], frozenset()):
            event.pop(name, None)
        for content in event.get("item", {}).get("content", ()):
            content["type"] = self.content_types.get(content["type"], content["type"])
        return orjson.dumps(event)


OPENAI = Dialect("openai-realtime", RealtimeOptions.session, {
    name: option for name, option in OPTIONS.items() if name != "format"})


def _xai_session(options: RealtimeOptions) -> dict[str, Any]:
    form = dict(FORMATS[options.format][2])
    speaking: dict[str, Any] = {"format": form}
    if options.speed is not None:
        speaking["speed"] = options.speed
    hearing: dict[str, Any] = {"format": form}
    if options.transcription is not None:
        hearing["transcription"] = {"language_hint" if name == "language" else name: value
                                    for name, value in options.transcription.items()}
    session: dict[str, Any] = {"voice": options.voice, "turn_detection": dict(options.turn_detection),
                               "audio": {"input": hearing, "output": speaking}}
    if options.instructions:
        session["instructions"] = options.instructions
    if options.tools:
        session["tools"] = [{"description": "", **tool} for tool in options.declared_tools]
    return session


_AZURE_FORMATS = {"pcm": "pcm16", "pcmu": "g711_ulaw", "pcma": "g711_alaw"}
_OPENAI_VOICES = frozenset({"alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"})


def _azure_session(options: RealtimeOptions) -> dict[str, Any]:
    kind = "openai" if options.voice in _OPENAI_VOICES else "azure-standard"
    session: dict[str, Any] = {
        "modalities": ["text", "audio"], "voice": {"type": kind, "name": options.voice},
        "input_audio_format": _AZURE_FORMATS[options.format], "output_audio_format": _AZURE_FORMATS[options.format],
        "turn_detection": {**options.turn_detection, "create_response": not options.confirms,
                           "interrupt_response": options.interruptible and not options.confirms}}
    if options.transcription is not None:
        session["input_audio_transcription"] = dict(options.transcription)
    if options.noise_reduction:
        session["input_audio_noise_reduction"] = {"type": options.noise_reduction}
    if options.instructions:
        session["instructions"] = options.instructions
    if options.max_output_tokens is not None:
        session["max_response_output_tokens"] = options.max_output_tokens
    if options.tools:
        session["tools"] = options.declared_tools
        session["tool_choice"] = options.tool_choice
    return session


def _options(*without: str, **kinds: tuple[str, ...]) -> dict[str, Option]:
    """Return OpenAI's options without some of them, and with these kinds of turn detection."""
    turns = replace(OPTIONS["turn_detection"], read=turn_detection(kinds))
    return {name: turns if name == "turn_detection" else option for name, option in OPENAI.options.items()
            if name not in without}


XAI = Dialect(
    "xai-realtime", _xai_session,
    _options("max_output_tokens", "noise_reduction", "interruptible", "confirm_speech_ms", "tool_choice",
             server_vad=tuple(TURN_DETECTIONS["server_vad"])),
    defaults={"voice": "eve", "transcription": {"model": "grok-transcribe"}},
    unsaid={"response.cancel": frozenset({"response_id"})})

_AZURE_VAD = ("threshold", "prefix_padding_ms", "silence_duration_ms")
AZURE = Dialect(
    "azure-voice-live", _azure_session,
    _options("speed", server_vad=_AZURE_VAD,
             azure_semantic_vad=(*_AZURE_VAD, "speech_duration_ms", "remove_filler_words", "languages")),
    defaults={"voice": "en-US-AvaNeural", "transcription": {"model": "azure-speech"}},
    event_names={
        "conversation.item.added": "conversation.item.created",
        "response.output_audio.delta": "response.audio.delta", "response.output_audio.done": "response.audio.done",
        "response.output_audio_transcript.delta": "response.audio_transcript.delta",
        "response.output_audio_transcript.done": "response.audio_transcript.done"},
    content_types={"output_text": "text"}, key_header="api-key")

DIALECTS = (OPENAI, XAI, AZURE)
