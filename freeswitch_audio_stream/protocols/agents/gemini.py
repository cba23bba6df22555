"""The wire protocol ``gemini-live``: Google's Gemini Live API.

Facts: the types of the package ``google-genai`` 3.6, and the reference of the API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

import orjson

from ...audio import ALL_RATES, Encoding, Track
from ...errors import MessageError
from ..messages import (CallerStopped, CallLater, ClearAudio, Incoming, MediaTemplate, OutMessage, PlayAudio,
                        Reconnect, Reply, Running, StreamInfo, ToolCall, UsageReported)
from ..reading import check_writable, from_base64, json_object, shown
from ..session import ProtocolSession
from .agent_protocol import AgentProtocol, AgentSession, message, object_of, objects_of, text_of
from .options import NO_PARAMETERS, Option, json_object as object_option, text, tools, word

LEAST_SECONDS = 1.0
"""Of the time that is left, when a busy session is left at the latest."""

_GREETING = "Begin the conversation now: say exactly the following to the caller, and nothing else.\n\n"
_QUIET_LOOKS = 0.5
_AUDIO = re.compile(r"audio/pcm(?:;\s*rate=([0-9]{4,6}))?")

OPTIONS: Mapping[str, Option] = {
    "model": Option("The model, such as models/gemini-live-2.5-flash.", word),
    "voice": Option("The voice.", word),
    "instructions": Option("What the model is to be and do.", text),
    "greeting": Option("What it says first, word for word; empty: the caller begins.", text),
    "tools": Option("The functions that it may call.", tools),
    "language": Option("What is spoken, such as en-US.", word),
    "setup": Option("Whatever else the service's setup has: what is here counts.", object_option),
}


@dataclass(frozen=True)
class GeminiProtocol(AgentProtocol):
    """Its JSON travels in binary messages."""

    name: str = "gemini-live"
    key_header: str = "x-goog-api-key"
    text_is_binary: bool = True
    final_closes: frozenset[int] = frozenset({1007})  # a wrong key, model or setup
    formats: Mapping[tuple[Encoding, int], str] = field(default_factory=lambda: {
        (Encoding.L16, rate): f"audio/pcm;rate={rate}" for rate in (16000, 8000, 24000)})
    options: Mapping[str, Option] = field(default_factory=lambda: OPTIONS)

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        form = self.formats[info.encoding, info.rate].encode()
        return MediaTemplate((b'{"realtimeInput":{"audio":{"mimeType":"' + form + b'","data":"', Running.PAYLOAD,
                              b'"}}}'), info.encoding)

    def open(self, info: StreamInfo) -> ProtocolSession:
        """Raise SettingError where the metadata are no options."""
        return GeminiSession(info, self.chosen(info))


class GeminiSession(AgentSession):
    """One connection. The service ends each after some minutes, and lets another take over with its handle."""

    def __init__(self, info: StreamInfo, options: Mapping[str, Any], lines: Sequence[tuple[str, str]] = (),
                 handle: str = "") -> None:
        super().__init__(info, lines)
        self._options = options
        self._handle = handle
        self._caller = ""
        """What the caller has said, as far as it was written down and not told."""
        self._agent = ""
        self._is_answering = False
        self._seconds_left: float | None = None
        """Until the service ends the connection."""
        self._handlers: Mapping[str, Callable[[dict[str, Any]], list[Incoming]]] = {
            "setupComplete": self._on_ready,
            "serverContent": self._on_content,
            "toolCall": self._on_calls,
            "toolCallCancellation": self._on_cancelled,
            "goAway": self._on_go_away,
            "sessionResumptionUpdate": self._on_handle,
            "usageMetadata": self._on_usage,
        }

    def opening(self) -> Sequence[OutMessage]:
        return [message(setup=self._setup())]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        told: list[Incoming] = []
        for name, handler in self._handlers.items():
            if name in body:
                told += handler(object_of("message", body, name))
        return told

    def later(self, name: str) -> Sequence[Incoming]:
        """Leave the connection as soon as nobody answers, and before it ends."""
        left = self._seconds_left or 0.0
        if not self._is_answering or left <= LEAST_SECONDS:
            return [Reconnect()]
        self._seconds_left = left - _QUIET_LOOKS
        return [CallLater("leave", _QUIET_LOOKS)]

    def again(self) -> ProtocolSession:
        # What the service keeps under the handle need not be told again.
        return GeminiSession(self.info, self._options, self.lines, self._handle)

    def answer(self, call_id: str, name: str, output: str) -> Sequence[OutMessage]:
        return [message(toolResponse={"functionResponses": [
            {"id": call_id, "name": name, "response": _object(output)}]})]

    def _setup(self) -> dict[str, Any]:
        options = self._options
        speech: dict[str, Any] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": options.get("voice", "Puck")}}}
        if "language" in options:
            speech["languageCode"] = options["language"]
        setup: dict[str, Any] = {
            "model": options.get("model", "models/gemini-live-2.5-flash"),
            "generationConfig": {"responseModalities": ["AUDIO"], "speechConfig": speech},
            "inputAudioTranscription": {}, "outputAudioTranscription": {},
            "contextWindowCompression": {"slidingWindow": {}},
            "sessionResumption": {"handle": self._handle} if self._handle else {}}
        if options.get("instructions"):
            setup["systemInstruction"] = {"parts": [{"text": options["instructions"]}]}
        if options.get("tools"):
            setup["tools"] = [{"functionDeclarations": [
                {"name": tool["name"], "description": tool.get("description", ""),
                 "parametersJsonSchema": tool.get("parameters", NO_PARAMETERS)} for tool in options["tools"]]}]
        return {**setup, **options.get("setup", {})}

    def _on_ready(self, body: dict[str, Any]) -> list[Incoming]:
        if self._handle:
            return []
        if self.lines:
            turns = [{"role": "user" if speaker == "caller" else "model", "parts": [{"text": said}]}
                     for speaker, said in self.lines]
            return [Reply(message(clientContent={"turns": turns, "turnComplete": False}))]
        if not self._options.get("greeting"):
            return []
        turn = {"role": "user", "parts": [{"text": _GREETING + self._options["greeting"]}]}
        return [Reply(message(clientContent={"turns": [turn], "turnComplete": True}))]

    def _on_content(self, body: dict[str, Any]) -> list[Incoming]:
        told: list[Incoming] = []
        if "inputTranscription" in body:
            self._caller += _transcribed(body, "inputTranscription")
            if not self._is_answering:
                told.append(CallerStopped())
        if "outputTranscription" in body:
            told += self._tell_caller()
            self._agent += _transcribed(body, "outputTranscription")
        if "modelTurn" in body:
            told += self._on_model(object_of("serverContent", body, "modelTurn"))
        if body.get("interrupted"):
            told += [ClearAudio(), *self._tell_agent(interrupted=True)]
        if body.get("turnComplete") or body.get("interrupted"):
            self._is_answering = False
            told += [*self._tell_caller(), *self._tell_agent()]
        return told

    def _on_model(self, turn: dict[str, Any]) -> list[Incoming]:
        told = self._tell_caller()
        self._is_answering = True
        for part in objects_of("modelTurn", turn, "parts"):
            if "inlineData" not in part:
                continue
            data = object_of("modelTurn", part, "inlineData")
            form = text_of("inlineData", data, "mimeType")
            match = _AUDIO.fullmatch(form)
            rate = int(match[1] or 24000) if match else 0
            if rate not in ALL_RATES:
                raise MessageError("modelTurn", f"mimeType of inlineData is {shown(form)}, which cannot be played")
            audio = from_base64("modelTurn", "data", text_of("inlineData", data, "data"))
            if len(audio) >= 2:
                told.append(PlayAudio(audio[:len(audio) // 2 * 2], Encoding.L16, rate))
        return told

    def _tell_caller(self) -> list[Incoming]:
        said, self._caller = self._caller, ""
        return self.said("caller", said)

    def _tell_agent(self, **more: Any) -> list[Incoming]:
        said, self._agent = self._agent, ""
        return self.said("agent", said, **more)

    def _on_calls(self, body: dict[str, Any]) -> list[Incoming]:
        told = self._tell_caller()
        for call in objects_of("toolCall", body, "functionCalls"):
            call_id, name = text_of("toolCall", call, "id"), text_of("toolCall", call, "name")
            arguments = call.get("args") or {}
            check_writable("toolCall", "args", arguments)
            self.calls[call_id] = name
            told.append(ToolCall(call_id, name, orjson.dumps(arguments).decode()))
        return told

    def _on_cancelled(self, body: dict[str, Any]) -> list[Incoming]:
        for call_id in body.get("ids") or ():
            self.calls.pop(str(call_id), None)
        return []

    def _on_go_away(self, body: dict[str, Any]) -> list[Incoming]:
        left = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)s", str(body.get("timeLeft", "")))
        self._seconds_left = float(left[1]) if left else 0.0
        return list(self.later("leave"))

    def _on_handle(self, body: dict[str, Any]) -> list[Incoming]:
        handle = body.get("newHandle")
        if body.get("resumable") and isinstance(handle, str):
            self._handle = handle
        return []

    def _on_usage(self, body: dict[str, Any]) -> list[Incoming]:
        check_writable("usageMetadata", "usageMetadata", body)
        return [UsageReported(body)]


def _transcribed(body: Mapping[str, Any], key: str) -> str:
    said = object_of("serverContent", body, key).get("text")
    return said if isinstance(said, str) else ""


def _object(output: str) -> dict[str, Any]:
    """Return what came of a call as the object that the service wants."""
    try:
        value = orjson.loads(output)
    except orjson.JSONDecodeError:
        return {"result": output}
    return value if isinstance(value, dict) else {"result": value}


GEMINI = GeminiProtocol()
