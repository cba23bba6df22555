"""A local server of Deepgram's Voice Agent API; the types of the package ``deepgram-sdk`` check every message."""

from __future__ import annotations

import inspect
import json
from typing import Any

import deepgram.agent.v1.types as types
import numpy as np
from pydantic import BaseModel
from websockets.http11 import Request

from ...audio import MULAW_DECODE, Samples
from ..unknown_keys import unknown_keys
from .server import AgentServer, Answer, Conversation

_OF_BOTH: dict[str, Any] = {
    model.model_fields["type"].default: model for _, model in inspect.getmembers(types, inspect.isclass)
    if issubclass(model, BaseModel) and model.model_fields.get("type") is not None}
_CLIENTS = {"Settings", "KeepAlive", "FunctionCallResponse", "UpdatePrompt", "UpdateSpeak", "UpdateThink",
            "UpdateListen", "InjectAgentMessage", "InjectUserMessage"}
_ENCODINGS = {"linear16", "mulaw"}


def check(message: str | bytes, is_client: bool) -> None:
    """Raise ValueError where a client, or a server, must not send this."""
    body = json.loads(message)
    model = _OF_BOTH.get(body.get("type"))
    if model is None or is_client != (body["type"] in _CLIENTS) and body["type"] != "FunctionCallResponse":
        raise ValueError(f"nobody sends {body.get('type')}")
    value = model.model_validate(body, strict=True)
    if unknown := sorted(unknown_keys(value)):
        raise ValueError(f"{body['type']} has keys that nobody knows: {', '.join(unknown)}")


class DeepgramConversation(Conversation):
    """See `Conversation`."""

    settings: dict[str, Any] | None = None

    async def begin(self) -> None:
        await self.emit("Welcome", request_id="fc553ec9-5874-49ca-a47c-b670d525a4b3")

    async def emit(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        await self.send(json.dumps({"type": kind, **fields}), lambda message: check(message, False))

    async def receive(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            await self._audio(message)
            return
        if not self.accept(message, lambda message: check(message, True)):
            await self.emit("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="Error parsing client message.")
            return
        body = json.loads(message)
        self.received.append(body)
        if body["type"] == "Settings":
            await self._settings(body)
        elif body["type"] == "FunctionCallResponse":
            self.answer(body["content"])

    async def _settings(self, body: dict[str, Any]) -> None:
        self.settings = body
        await self.emit("SettingsApplied")
        greeting = body["agent"].get("greeting")
        if greeting:
            self.answer()

    async def _audio(self, message: bytes) -> None:
        if self.settings is None:
            await self.emit("Error", code="INVALID_SETTINGS", description="Audio came before the settings.")
            return
        form = self.settings["audio"]["input"]
        samples = MULAW_DECODE[np.frombuffer(message, np.uint8)] if form["encoding"] == "mulaw" else np.frombuffer(
            message, "<i2").astype(np.int16)
        await self.hear(samples, form["sample_rate"])

    async def caller_started(self) -> None:
        await self.emit("UserStartedSpeaking")

    async def caller_stopped(self, text: str) -> None:
        await self.emit("ConversationText", role="user", content=text, conversational_behavior="default")

    async def begin_answer(self, answer: Answer) -> None:
        await self.emit("ConversationText", role="assistant", content=answer.text, conversational_behavior="default")
        await self.emit("AgentStartedSpeaking", total_latency=0.5, tts_latency=0.2, ttt_latency=0.3)

    async def piece(self, samples: Samples) -> None:
        assert self.settings is not None
        factor = self.settings["audio"]["output"]["sample_rate"] // 8000
        await self.connection.send(np.repeat(samples, factor).astype("<i2").tobytes())

    async def end_answer(self, answer: Answer) -> None:
        await self.emit("AgentAudioDone")

    async def call(self, name: str, arguments: str) -> None:
        await self.emit("FunctionCallRequest", functions=[
            {"id": f"func_{self.server.next('call')}", "name": name, "arguments": arguments, "client_side": True}])


class DeepgramServer(AgentServer):
    """See `AgentServer`."""

    path = "/v1/agent/converse"
    conversation = DeepgramConversation

    def shown_key(self, request: Request) -> str | None:
        return request.headers.get("Authorization", "").removeprefix("Token ")
