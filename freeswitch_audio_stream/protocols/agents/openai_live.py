"""The wire protocol ``openai-live``: OpenAI's Live API, in which both sides speak at any time.

Facts: the types ``openai.types.live`` of the package ``openai`` 3.57. What the model says comes at the pace of real
time, silence included, so that nothing is cut off and nothing is told of what was heard: the service knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from ...audio import Encoding, Track, decode
from ..messages import (AskPlayback, CallerStopped, CallLater, Incoming, MediaTemplate, OutMessage, PausePlayback,
                        PlayAudio, Reconnect, ReportError, Running, StreamInfo, ToolCall, UsageReported)
from ..openai_realtime.faults import describe, is_final
from ..reading import from_base64, json_object
from ..session import ProtocolSession
from .agent_protocol import AgentProtocol, AgentSession, message, object_of, refusal, text_of
from .options import NO_PARAMETERS, Option, text, tools, whole, word

JITTER_MS = 60
"""How long the first audio after silence waits: what comes later than it should by less is not noticed."""
PAUSE_MS = 300
"""How much silence is a part of what is said; more of it is not played, so that the queue runs empty behind it."""
SILENCE = 64
"""The largest sample of silence."""
QUIET_SECONDS = 0.8
"""Without a word of a speaker, whose line is then complete."""

OPTIONS: Mapping[str, Option] = {
    "model": Option("The model.", word),
    "voice": Option("The voice.", word),
    "instructions": Option("What the model is to be and do.", text),
    "greeting": Option("What it says first, word for word; empty: it decides.", text),
    "tools": Option("The functions that may be called, by the model of delegation_model.", tools),
    "delegation_model": Option("The model that thinks and calls functions.", word),
    "jitter_ms": Option("How much audio waits before playback begins.", whole(0, 500)),
}

_GREETING = "\n\nBegin the conversation at once: say exactly the following, and nothing else.\n\n"


@dataclass(frozen=True)
class LiveProtocol(AgentProtocol):
    """See above."""

    name: str = "openai-live"
    formats: Mapping[tuple[Encoding, int], str] = field(default_factory=lambda: {
        (Encoding.L16, 24000): "audio/pcm", (Encoding.L16, 16000): "audio/pcm", (Encoding.MULAW, 8000): "audio/pcmu"})
    options: Mapping[str, Option] = field(default_factory=lambda: OPTIONS)

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((b'{"type":"session.input_audio.append","audio":"', Running.PAYLOAD, b'"}'), info.encoding)

    def open(self, info: StreamInfo) -> ProtocolSession:
        """Raise SettingError where the metadata are no options."""
        return LiveSession(info, self.chosen(info), self.formats[info.encoding, info.rate])


class LiveSession(AgentSession):
    """One connection."""

    def __init__(self, info: StreamInfo, options: Mapping[str, Any], form: str,
                 lines: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(info, lines)
        self._options = options
        self._form = form
        self._queued_ms = 0
        """How much waited when the latest audio came."""
        self._silent_ms = 0
        """How much silence has come without a break."""
        self._waits = False
        """Whether playback waits for more, after silence."""
        self._words = {"caller": "", "agent": ""}
        """What was said, as far as it was not told."""
        self._handlers: Mapping[str, Callable[[dict[str, Any]], list[Incoming]]] = {
            "session.output_audio.delta": self._on_audio,
            "session.input_transcript.delta": lambda body: [
                *([] if self._words["agent"] else [CallerStopped()]), *self._hear("caller", body)],
            "session.output_transcript.delta": lambda body: self._hear("agent", body),
            "response.event": self._on_response,
            "session.usage.updated": lambda body: [UsageReported(object_of("session.usage.updated", body, "usage"))],
            "session.closed": self._on_closed,
            "error": self._on_error,
        }

    def opening(self) -> Sequence[OutMessage]:
        return [message(type="session.start", session=self._start())]

    def closing(self, reason: str) -> Sequence[OutMessage]:
        return [message(type="session.close")]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        handler = self._handlers.get(text_of("message", body, "type"))
        return handler(body) if handler else []

    def playback(self, queued_ms: int, paused: bool) -> Sequence[OutMessage]:
        self._queued_ms = queued_ms
        return ()

    def later(self, name: str) -> Sequence[Incoming]:
        if name == "play":
            self._waits = False
            return [PausePlayback(False)]
        words, self._words[name] = self._words[name], ""
        return self.said(name, words)

    def again(self) -> ProtocolSession:
        for speaker, words in self._words.items():
            self.said(speaker, words)
        return LiveSession(self.info, self._options, self._form, self.lines)

    def answer(self, call_id: str, name: str, output: str) -> Sequence[OutMessage]:
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        return [message(type="response.item.create", item=item), message(type="response.create")]

    def _start(self) -> dict[str, Any]:
        options = self._options
        session: dict[str, Any] = {
            "model": options.get("model", "gpt-live-1"),
            "audio": {"format": {"type": self._form, "rate": self.info.rate},
                      "output": {"voice": options.get("voice", "marin")}}}
        instructions = options.get("instructions", "")
        if options.get("greeting") and not self.lines:
            instructions += _GREETING + options["greeting"]
        if instructions:
            session["instructions"] = instructions.strip()
        if options.get("tools") or "delegation_model" in options:
            responses: dict[str, Any] = {"model": options.get("delegation_model", "gpt-5-mini")}
            if options.get("tools"):
                responses["tools"] = [{"type": "function", "parameters": NO_PARAMETERS, **tool}
                                      for tool in options["tools"]]
            session["delegation"] = {"type": "responses", "responses": responses}
        if self.lines:
            session["input"] = [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": said}]}
                if speaker == "caller" else
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": said}]}
                for speaker, said in self.lines]
        return session

    def _on_audio(self, body: dict[str, Any]) -> list[Incoming]:
        """Silence is not played, but between words; and after it, playback begins a little later than it could."""
        kind, encoding = "session.output_audio.delta", self.info.encoding
        audio = from_base64(kind, "delta", text_of(kind, body, "delta"))
        audio = audio[:len(audio) // encoding.sample_bytes * encoding.sample_bytes]
        is_silent = not audio or bool(np.abs(decode(audio, encoding).astype(np.int32)).max() <= SILENCE)
        self._silent_ms += 1000 * len(audio) // (encoding.sample_bytes * self.info.rate)
        self._silent_ms = self._silent_ms if is_silent else 0
        jitter_ms = self._options.get("jitter_ms", JITTER_MS)
        if is_silent and (self._queued_ms == 0 or self._queued_ms > 2 * jitter_ms or self._silent_ms > PAUSE_MS):
            return [AskPlayback()]
        told: list[Incoming] = [PlayAudio(audio, encoding, self.info.rate), AskPlayback()]
        if self._queued_ms == 0 and not self._waits and jitter_ms:
            self._waits = True
            told = [PausePlayback(True), CallLater("play", jitter_ms / 1000), *told]
        return told

    def _hear(self, speaker: str, body: dict[str, Any]) -> list[Incoming]:
        self._words[speaker] += text_of("transcript", body, "delta")
        return [CallLater(speaker, QUIET_SECONDS)]

    def _on_response(self, body: dict[str, Any]) -> list[Incoming]:
        """The model that thinks speaks of what it does in words of its own."""
        event = object_of("response.event", body, "event")
        if event.get("type") != "response.output_item.done":
            return []
        item = object_of("response.event", event, "item")
        if item.get("type") != "function_call":
            return []
        call_id, name = text_of("response.event", item, "call_id"), text_of("response.event", item, "name")
        self.calls[call_id] = name
        return [ToolCall(call_id, name, text_of("response.event", item, "arguments"))]

    def _on_closed(self, body: dict[str, Any]) -> list[Incoming]:
        reason = text_of("session.closed", body, "reason")
        if reason == "content":
            return refusal("the service has ended the session for what was said (content)")
        return [] if reason == "close_requested" else [Reconnect()]

    def _on_error(self, body: dict[str, Any]) -> list[Incoming]:
        error = object_of("error", body, "error")
        if is_final(error.get("code"), error.get("type")):
            return refusal(describe(error))
        return [ReportError("service", describe(error))]


LIVE = LiveProtocol()
