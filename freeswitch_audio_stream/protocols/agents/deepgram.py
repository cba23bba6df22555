"""The wire protocol ``deepgram-agent``: Deepgram's Voice Agent API.

Facts: the types of the package ``deepgram-sdk`` 7.17, and the reference of the API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ...audio import Encoding, Track
from ...errors import MessageError
from ..messages import (CallerStopped, CallLater, ClearAudio, Incoming, MediaTemplate, OutMessage, Reply, ReportError,
                        StreamInfo, ToolCall)
from ..reading import json_object
from ..session import ProtocolSession
from .agent_protocol import AgentProtocol, AgentSession, message, objects_of, refusal, text_of
from .options import Option, json_object as object_option, text, tools, word

KEEP_ALIVE_SECONDS = 5.0
"""The service ends a session that hears nothing for ten seconds, as where the stream is paused."""
FINAL_CODES = frozenset({"INVALID_SETTINGS", "UNPARSABLE_CLIENT_MESSAGE", "INSUFFICIENT_PERMISSIONS",
                         "PROJECT_SUSPENDED", "INVALID_AUTH", "PAYMENT_REQUIRED"})
"""Errors that would come again."""

OPTIONS: Mapping[str, Option] = {
    "model": Option("The language model, as provider/model, such as open_ai/gpt-4o-mini.", word),
    "voice": Option("Deepgram's model that speaks.", word),
    "instructions": Option("What the agent is to be and do.", text),
    "greeting": Option("What it says first; empty: the caller begins.", text),
    "tools": Option("The functions that it may call.", tools),
    "language": Option("What is spoken, such as en.", word),
    "listen_model": Option("Deepgram's model that hears.", word),
    "agent": Option("Whatever else the service's agent has: what is here counts.", object_option),
}


@dataclass(frozen=True)
class DeepgramProtocol(AgentProtocol):
    """Audio is binary in both directions; what the agent says is always linear."""

    name: str = "deepgram-agent"
    has_binary: bool = True
    takes_deflate: bool = False
    key_scheme: str = "Token"
    formats: Mapping[tuple[Encoding, int], str] = field(default_factory=lambda: {
        (Encoding.L16, 8000): "linear16", (Encoding.L16, 16000): "linear16", (Encoding.L16, 24000): "linear16",
        (Encoding.L16, 32000): "linear16", (Encoding.L16, 48000): "linear16", (Encoding.MULAW, 8000): "mulaw"})
    options: Mapping[str, Option] = field(default_factory=lambda: OPTIONS)

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        return MediaTemplate((), info.encoding)

    def open(self, info: StreamInfo) -> ProtocolSession:
        """Raise SettingError where the metadata are no options."""
        return DeepgramSession(info, self.chosen(info), self.formats[info.encoding, info.rate])


class DeepgramSession(AgentSession):
    """One connection."""

    def __init__(self, info: StreamInfo, options: Mapping[str, Any], encoding: str,
                 lines: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(info, lines)
        self._options = options
        self._encoding = encoding
        self._handlers: Mapping[str, Callable[[dict[str, Any]], list[Incoming]]] = {
            "Welcome": lambda body: [_keep_alive_later()],
            "ConversationText": self._on_text,
            "UserStartedSpeaking": lambda body: [ClearAudio()],
            "FunctionCallRequest": self._on_calls,
            "FunctionCallCancelled": self._on_cancelled,
            "Error": self._on_error,
            "Warning": lambda body: [ReportError("service", _describe(body))],
        }

    def opening(self) -> Sequence[OutMessage]:
        return [message(type="Settings", agent=self._agent(), audio={
            "input": {"encoding": self._encoding, "sample_rate": self.info.rate},
            "output": {"encoding": "linear16", "sample_rate": self.info.rate, "container": "none"}})]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        handler = self._handlers.get(text_of("message", body, "type"))
        return handler(body) if handler else []

    def later(self, name: str) -> Sequence[Incoming]:
        return [Reply(message(type="KeepAlive")), _keep_alive_later()]

    def again(self) -> ProtocolSession:
        return DeepgramSession(self.info, self._options, self._encoding, self.lines)

    def answer(self, call_id: str, name: str, output: str) -> Sequence[OutMessage]:
        return [message(type="FunctionCallResponse", id=call_id, name=name, content=output)]

    def _agent(self) -> dict[str, Any]:
        options = self._options
        provider, _, model = str(options.get("model", "open_ai/gpt-4o-mini")).rpartition("/")
        think: dict[str, Any] = {"provider": {"type": provider or "open_ai", "model": model}}
        if options.get("instructions"):
            think["prompt"] = options["instructions"]
        if options.get("tools"):
            think["functions"] = [dict(tool) for tool in options["tools"]]
        agent: dict[str, Any] = {
            "think": think,
            "listen": {"provider": {"type": "deepgram", "model": options.get("listen_model", "nova-3")}},
            "speak": {"provider": {"type": "deepgram", "model": options.get("voice", "aura-2-thalia-en")}}}
        if options.get("language"):
            agent["language"] = options["language"]
        if self.lines:
            agent["context"] = {"messages": [
                {"type": "History", "role": "user" if speaker == "caller" else "assistant", "content": said}
                for speaker, said in self.lines]}
        elif options.get("greeting"):
            agent["greeting"] = options["greeting"]
        return {**agent, **options.get("agent", {})}

    def _on_text(self, body: dict[str, Any]) -> list[Incoming]:
        is_caller = text_of("ConversationText", body, "role") == "user"
        said = self.said("caller" if is_caller else "agent", text_of("ConversationText", body, "content"))
        return [*said, CallerStopped()] if is_caller else said

    def _on_calls(self, body: dict[str, Any]) -> list[Incoming]:
        called: list[Incoming] = []
        for one in objects_of("FunctionCallRequest", body, "functions"):
            if one.get("client_side") is False:
                continue  # the service calls it
            call_id, name = text_of("FunctionCallRequest", one, "id"), text_of("FunctionCallRequest", one, "name")
            self.calls[call_id] = name
            called.append(ToolCall(call_id, name, text_of("FunctionCallRequest", one, "arguments")))
        return called

    def _on_cancelled(self, body: dict[str, Any]) -> list[Incoming]:
        for one in objects_of("FunctionCallCancelled", body, "functions"):
            self.calls.pop(str(one.get("id")), None)
        return []

    def _on_error(self, body: dict[str, Any]) -> list[Incoming]:
        """Each ends the session; of most, another is made when the service closes."""
        if body.get("code") in FINAL_CODES:
            return refusal(_describe(body))
        return [ReportError("service", _describe(body))]


def _keep_alive_later() -> CallLater:
    return CallLater("keep alive", KEEP_ALIVE_SECONDS)


def _describe(body: Mapping[str, Any]) -> str:
    try:
        said = text_of("Error", body, "description")
    except MessageError:
        said = "no reason was given"
    return f"{said[:500]} ({str(body.get('code'))[:100]})"


DEEPGRAM = DeepgramProtocol()
