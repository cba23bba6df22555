"""The wire protocol ``elevenlabs``: an agent of ElevenLabs.

Facts: the types of the package ``@elevenlabs/types`` 0.23, and the reference of the API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

import orjson

from ...audio import ALL_RATES, Encoding, Track
from ...errors import MessageError
from ..messages import (CallerStopped, CallLater, ClearAudio, Incoming, MediaTemplate, OutMessage, PausePlayback,
                        PlayAudio, Reply, ReportError, Running, StreamInfo, ToolCall)
from ..reading import check_writable, from_base64, json_object, shown
from ..session import ProtocolSession
from .agent_protocol import AgentProtocol, AgentSession, line, message, object_of, refusal, text_of
from .options import Option, json_object as object_option, text, whole, word

FINAL_TYPES = frozenset({
    "override_error", "missing_dynamic_variable", "missing_dynamic_variable_transfer", "missing_fields", "value_error",
    "invalid_message", "safety_violation", "max_duration_exceeded"})
"""Errors that would come again, or that are the end of the conversation."""
SPEECH_SCORE = 0.5
"""From which score of the service's on it may be that the caller speaks, of 1."""

_CLIENT_EVENTS = ("conversation_initiation_metadata", "audio", "interruption", "ping", "user_transcript",
                  "agent_response", "agent_response_correction", "client_tool_call", "vad_score")

OPTIONS: Mapping[str, Option] = {
    "model": Option("The language model.", word),
    "voice": Option("The id of the voice.", word),
    "instructions": Option("What the agent is to be and do.", text),
    "greeting": Option("What it says first; empty: the caller begins.", text),
    "language": Option("What is spoken, such as en.", word),
    "user_id": Option("Who the caller is.", word),
    "dynamic_variables": Option("Values for the agent's variables.", object_option),
    "custom_llm_extra_body": Option("What the language model is given besides.", object_option),
    "confirm_speech_ms": Option("How long playback pauses when it may be that the caller speaks; 0: it does not.",
                                whole(0, 5000)),
}


@dataclass(frozen=True)
class ElevenLabsProtocol(AgentProtocol):
    """What travels is a matter of the agent's settings at the service, which it tells."""

    name: str = "elevenlabs"
    key_header: str = "xi-api-key"
    formats: Mapping[tuple[Encoding, int], str] = field(default_factory=lambda: {
        (Encoding.L16, 16000): "pcm_16000", (Encoding.L16, 8000): "pcm_8000", (Encoding.L16, 24000): "pcm_24000",
        (Encoding.L16, 48000): "pcm_48000", (Encoding.MULAW, 8000): "ulaw_8000"})
    options: Mapping[str, Option] = field(default_factory=lambda: OPTIONS)

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((b'{"user_audio_chunk":"', Running.PAYLOAD, b'"}'), info.encoding)

    def open(self, info: StreamInfo) -> ProtocolSession:
        """Raise SettingError where the metadata are no options."""
        return ElevenLabsSession(info, self.chosen(info), self.formats[info.encoding, info.rate])


class ElevenLabsSession(AgentSession):
    """One connection."""

    def __init__(self, info: StreamInfo, options: Mapping[str, Any], form: str,
                 lines: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(info, lines)
        self._options = options
        self._form = form
        self._encoding, self._rate = Encoding.L16, 16000
        """Of what the agent says."""
        self._interrupted = -1
        """Audio up to this id is not to be heard."""
        self._is_held = False
        self._handlers: Mapping[str, Callable[[dict[str, Any]], list[Incoming]]] = {
            "conversation_initiation_metadata": self._on_metadata,
            "audio": self._on_audio,
            "interruption": self._on_interruption,
            "ping": self._on_ping,
            "user_transcript": self._on_caller,
            "agent_response": self._on_agent,
            "agent_response_correction": self._on_correction,
            "client_tool_call": self._on_call,
            "vad_score": self._on_score,
            "error": self._on_error,
        }

    def opening(self) -> Sequence[OutMessage]:
        options = self._options
        body: dict[str, Any] = {"type": "conversation_initiation_client_data"}
        if override := self._override():
            body["conversation_config_override"] = override
        body.update({name: options[name] for name in ("dynamic_variables", "custom_llm_extra_body", "user_id")
                     if name in options})
        if not self.lines:
            return [message(**body)]
        said = "\n".join(f"{speaker}: {words}" for speaker, words in self.lines)
        return [message(**body), message(type="contextual_update", text=f"The conversation so far, which goes on "
                                         f"after an interruption of the connection:\n{said}")]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        handler = self._handlers.get(text_of("message", body, "type"))
        return handler(body) if handler else []

    def later(self, name: str) -> Sequence[Incoming]:
        return self._release()

    def again(self) -> ProtocolSession:
        return ElevenLabsSession(self.info, self._options, self._form, self.lines)

    def answer(self, call_id: str, name: str, output: str) -> Sequence[OutMessage]:
        return [message(type="client_tool_result", tool_call_id=call_id, result=output, is_error=False)]

    def _override(self) -> dict[str, Any]:
        options = self._options
        prompt = {ours: options[name] for name, ours in (("instructions", "prompt"), ("model", "llm"))
                  if options.get(name)}
        agent: dict[str, Any] = {"prompt": prompt} if prompt else {}
        if "greeting" in options:
            agent["first_message"] = "" if self.lines else options["greeting"]
        if "language" in options:
            agent["language"] = options["language"]
        override: dict[str, Any] = {"agent": agent} if agent else {}
        if "voice" in options:
            override["tts"] = {"voice_id": options["voice"]}
        if options.get("confirm_speech_ms"):
            override["conversation"] = {"client_events": list(_CLIENT_EVENTS)}
        return override

    def _on_metadata(self, body: dict[str, Any]) -> list[Incoming]:
        kind = "conversation_initiation_metadata"
        told = object_of(kind, body, f"{kind}_event")
        wanted = text_of(kind, told, "user_input_audio_format")
        output = text_of(kind, told, "agent_output_audio_format")
        name, _, rate = output.partition("_")
        if wanted != self._form:
            return refusal(f"the agent hears {wanted[:40]}, and the stream sends {self._form}: set the agent's input "
                           "format to that, or the codec and rate of start")
        if name not in ("pcm", "ulaw") or not rate.isdecimal() or int(rate) not in ALL_RATES:
            return refusal(f"the agent speaks {output[:40]}, which cannot be played: set its output format "
                           "to pcm_16000")
        self._encoding, self._rate = Encoding.L16 if name == "pcm" else Encoding.MULAW, int(rate)
        return []

    def _on_audio(self, body: dict[str, Any]) -> list[Incoming]:
        event = object_of("audio", body, "audio_event")
        audio = from_base64("audio", "audio_base_64", text_of("audio", event, "audio_base_64"))
        if _id(event, "audio") <= self._interrupted or not audio:
            return []
        return [PlayAudio(audio[:len(audio) // self._encoding.sample_bytes * self._encoding.sample_bytes],
                          self._encoding, self._rate)]

    def _on_interruption(self, body: dict[str, Any]) -> list[Incoming]:
        self._interrupted = _id(object_of("interruption", body, "interruption_event"), "interruption")
        return [ClearAudio(), *self._release()]

    def _on_ping(self, body: dict[str, Any]) -> list[Incoming]:
        return [Reply(message(type="pong", event_id=_id(object_of("ping", body, "ping_event"), "ping")))]

    def _on_caller(self, body: dict[str, Any]) -> list[Incoming]:
        kind = "user_transcript"
        return [*self.said("caller", text_of(kind, object_of(kind, body, "user_transcription_event"), kind)),
                CallerStopped()]

    def _on_agent(self, body: dict[str, Any]) -> list[Incoming]:
        kind = "agent_response"
        return self.said("agent", text_of(kind, object_of(kind, body, f"{kind}_event"), kind))

    def _on_correction(self, body: dict[str, Any]) -> list[Incoming]:
        """The caller has interrupted: this is what the service takes for heard."""
        kind = "agent_response_correction"
        event = object_of(kind, body, f"{kind}_event")
        before = "agent", text_of(kind, event, "original_agent_response").strip()
        heard = text_of(kind, event, "corrected_agent_response").strip()
        if before in self.lines:
            self.lines[self.lines.index(before)] = "agent", heard
        return [line("agent", heard, interrupted=True)]

    def _on_call(self, body: dict[str, Any]) -> list[Incoming]:
        kind = "client_tool_call"
        call = object_of(kind, body, kind)
        call_id, name = text_of(kind, call, "tool_call_id"), text_of(kind, call, "tool_name")
        parameters = object_of(kind, call, "parameters")
        check_writable(kind, "parameters", parameters)
        self.calls[call_id] = name
        return [ToolCall(call_id, name, orjson.dumps(parameters).decode())]

    def _on_score(self, body: dict[str, Any]) -> list[Incoming]:
        """How sure the service is that the caller speaks: of an interruption, it tells when it is one."""
        score = object_of("vad_score", body, "vad_score_event").get("vad_score")
        confirm_ms = self._options.get("confirm_speech_ms", 0)
        if self._is_held or not confirm_ms or not isinstance(score, (int, float)) or score < SPEECH_SCORE:
            return []
        self._is_held = True
        return [PausePlayback(True), CallLater("go on", confirm_ms / 1000)]

    def _release(self) -> list[Incoming]:
        held, self._is_held = self._is_held, False
        return [PausePlayback(False)] if held else []

    def _on_error(self, body: dict[str, Any]) -> list[Incoming]:
        event = object_of("error", body, "error_event")
        kind = str(event.get("error_type") or event.get("code"))[:60]
        told = f"{str(event.get('message') or event.get('reason') or 'no reason was given')[:500]} ({kind})"
        return refusal(told) if kind in FINAL_TYPES else [ReportError("service", told)]


def _id(event: Mapping[str, Any], kind: str) -> int:
    value = event.get("event_id")
    if not isinstance(value, int):
        raise MessageError(kind, f"event_id of {kind} is {shown(value)}, and not a number")
    return value


ELEVENLABS = ElevenLabsProtocol()
