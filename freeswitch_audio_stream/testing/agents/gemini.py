"""A local server of Google's Gemini Live API; the types of the package ``google-genai`` check every message."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
from google.genai import types
from websockets.http11 import Request

from ...audio import Samples
from .server import AgentServer, Answer, Conversation

RATE = 24000
_RATE = re.compile("audio/pcm;rate=([0-9]+)")


def check_client(message: str | bytes) -> None:
    """Raise ValueError where a client must not send this."""
    types.LiveClientMessage.model_validate(_in_camel_case(json.loads(message)))


def check_server(message: str | bytes) -> None:
    """Raise ValueError where a server does not send this."""
    types.LiveServerMessage.model_validate(_in_camel_case(json.loads(message)))


def _in_camel_case(body: Any) -> Any:
    """The types take Python's names as well, which the service does not speak."""
    if any("_" in key for key in body):
        raise ValueError(f"there are no such keys: {', '.join(body)}")
    return body


class GeminiConversation(Conversation):
    """See `Conversation`."""

    setup: dict[str, Any] | None = None
    hears = 0

    async def emit(self, **fields: Any) -> None:
        """Send a message, as a binary one."""
        await self.send(json.dumps(fields).encode(), check_server)

    async def receive(self, message: str | bytes) -> None:
        if not self.accept(message, check_client):
            await self.connection.close(1007, "Request contains an invalid argument.")
            return
        body = json.loads(message)
        if "realtimeInput" in body:
            audio = body["realtimeInput"]["audio"]
            rate = _RATE.fullmatch(audio["mimeType"])
            assert rate is not None and self.setup is not None
            await self.hear(np.frombuffer(base64.b64decode(audio["data"], validate=True), "<i2").astype(np.int16),
                            int(rate[1]))
            return
        self.received.append(body)
        if "setup" in body:
            self.setup = body["setup"]
            await self.emit(setupComplete={})
            await self.emit(sessionResumptionUpdate={"newHandle": f"handle-{self.server.next('handle')}",
                                                     "resumable": True})
        elif "toolResponse" in body:
            self.answer(json.dumps(body["toolResponse"]["functionResponses"][0]["response"], separators=(",", ":")))
        elif body.get("clientContent", {}).get("turnComplete"):
            self.answer()

    async def caller_started(self) -> None:
        if self.has_answered:
            await self.emit(serverContent={"interrupted": True})

    async def caller_stopped(self, text: str) -> None:
        begin, end = text[:len(text) // 2], text[len(text) // 2:]
        await self.emit(serverContent={"inputTranscription": {"text": begin}})
        await self.emit(serverContent={"inputTranscription": {"text": end}})

    async def begin_answer(self, answer: Answer) -> None:
        await self.emit(serverContent={"outputTranscription": {"text": answer.text}})

    async def piece(self, samples: Samples) -> None:
        audio = np.repeat(samples, RATE // 8000).astype("<i2").tobytes()
        await self.emit(serverContent={"modelTurn": {"parts": [
            {"inlineData": {"mimeType": f"audio/pcm;rate={RATE}", "data": base64.b64encode(audio).decode()}}]}})

    async def end_answer(self, answer: Answer) -> None:
        await self.emit(serverContent={"generationComplete": True})
        await self.emit(serverContent={"turnComplete": True}, usageMetadata={"totalTokenCount": 12})

    async def call(self, name: str, arguments: str) -> None:
        await self.emit(toolCall={"functionCalls": [
            {"id": f"call-{self.server.next('call')}", "name": name, "args": json.loads(arguments)}]})


class GeminiServer(AgentServer):
    """See `AgentServer`."""

    path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    conversation = GeminiConversation

    def shown_key(self, request: Request) -> str | None:
        return request.headers.get("x-goog-api-key")
