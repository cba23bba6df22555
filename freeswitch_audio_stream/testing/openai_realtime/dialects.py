"""The same server in the words of other services: xAI's Voice Agent API, and Microsoft's Voice Live API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from .voice_live import check_voice_live_client, check_voice_live_server
from .validation import check_client_message, check_server_message

Event = dict[str, Any]


def _no_check(message: str | bytes) -> None:
    """The types of this service are no package that is here: tests hold `ServerSession.wire` against them."""


@dataclass(frozen=True)
class ServerDialect:
    """What a service says differently."""

    path: str = "/v1/realtime"
    key_header: str = "Authorization"
    key_before: str = "Bearer "
    check_client: Callable[[str | bytes], None] = check_client_message
    check_server: Callable[[str | bytes], None] = check_server_message
    heard: Callable[[Event], Event] = lambda event: event
    """Returns a message of a client as one in OpenAI's words."""
    said: Callable[[Event], "Event | None"] = lambda event: event
    """Returns a message in OpenAI's words as one of the service, None where it has none such."""


OPENAI = ServerDialect()

_ONLY_OPENAI = {"rate_limits.updated", "conversation.item.done"}


def _xai_heard(event: Event) -> Event:
    if event["type"] == "session.update":
        given = event["session"]
        audio = given.get("audio", {})
        event["session"] = {
            **{name: value for name, value in given.items() if name in ("instructions", "tools")},
            "audio": {"input": {**audio.get("input", {}), "turn_detection": given.get("turn_detection")},
                      "output": {**audio.get("output", {}), "voice": given.get("voice")}}}
    return event


_XAI_ONLY_OPENAI = {*_ONLY_OPENAI, "conversation.item.input_audio_transcription.delta"}
_XAI_UNSAID: dict[str, tuple[str, ...]] = {
    "response.function_call_arguments.delta": ("output_index",),
    "response.function_call_arguments.done": ("response_id", "item_id", "output_index"),
    "response.output_audio.done": ("output_index", "content_index"),
    "response.output_audio_transcript.delta": ("output_index", "content_index"),
    "response.output_audio_transcript.done": ("transcript", "output_index", "content_index"),
    "response.content_part.done": ("part",),
    "input_audio_buffer.speech_started": ("audio_start_ms",), "input_audio_buffer.speech_stopped": ("audio_end_ms",),
    "conversation.item.input_audio_transcription.completed": ("usage",)}


def _xai_said(event: Event) -> Event | None:
    kind = event["type"]
    if kind in _XAI_ONLY_OPENAI:
        return None
    if kind in ("session.created", "session.updated"):
        event = {**event, "session": {"object": "realtime.session", "voice": "eve"}}
    if "response" in event:
        event = {**event, "response": _without(event["response"], "output_modalities")}
    return _without(event, *_XAI_UNSAID.get(kind, ()))


def _without(event: Event, *names: str) -> Event:
    return {name: value for name, value in event.items() if name not in names}


XAI = ServerDialect(check_client=_no_check, check_server=_no_check, heard=_xai_heard, said=_xai_said)

_AZURE_NAMES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio.delta": "response.audio.delta", "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done"}
_AZURE_FORMATS: dict[str, Event] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000}, "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"}}


def _azure_heard(event: Event) -> Event:
    if event["type"] == "session.update":
        given = event["session"]
        event["session"] = {
            **{name: value for name, value in given.items() if name in ("instructions", "tools", "tool_choice")},
            "audio": {"input": {"format": _AZURE_FORMATS[given["input_audio_format"]],
                                "turn_detection": given["turn_detection"],
                                "transcription": given.get("input_audio_transcription")},
                      "output": {"format": _AZURE_FORMATS[given["output_audio_format"]], "voice": given["voice"]}}}
    for content in event.get("item", {}).get("content", ()):
        content["type"] = "output_text" if content["type"] == "text" else content["type"]
    return event


def _azure_said(event: Event) -> Event | None:
    kind = event["type"]
    if kind in _ONLY_OPENAI:
        return None
    event = {**event, "type": _AZURE_NAMES.get(kind, kind)}
    if kind in ("session.created", "session.updated"):
        event["session"] = {"id": "sess_1", "model": event["session"].get("model", "m")}
    if "response" in event:
        response = _without(event["response"], "output_modalities")
        event["response"] = {**response, "modalities": ["text", "audio"]}
        if (response.get("status_details") or {}).get("type") == "completed":
            del event["response"]["status_details"]
    if "item" in event:
        if event["item"]["type"] == "function_call_output":
            event["item"] = _without(event["item"], "status")
        event["item"] = {**event["item"], **({"content": [
            _azure_content(one) for one in event["item"]["content"] if one["type"] != "input_audio"]}
                                             if "content" in event["item"] else {})}
    return _without(event, "usage")


def _azure_content(content: Event) -> Event:
    names = {"output_audio": "audio", "output_text": "text"}
    return {**content, "type": names.get(content["type"], content["type"])}


AZURE = ServerDialect("/voice-live/realtime", "api-key", "", check_voice_live_client, check_voice_live_server,
                      _azure_heard, _azure_said)
