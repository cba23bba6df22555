"""A local server of ElevenLabs' agents. Its types are a package of Node's: tests hold `Conversation.wire` against it.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from websockets.http11 import Request

from ...audio import MULAW_DECODE, Samples
from .server import AgentServer, Answer, Conversation


def _any(message: str | bytes) -> None:
    """See above."""


class ElevenLabsConversation(Conversation):
    """See `Conversation`."""

    said = ""

    async def emit(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        await self.send(json.dumps({"type": kind, **fields}), _any)

    async def receive(self, message: str | bytes) -> None:
        self.accept(message, _any)
        body = json.loads(message)
        if "user_audio_chunk" in body:
            await self._audio(base64.b64decode(body["user_audio_chunk"], validate=True))
            return
        self.received.append(body)
        if body["type"] == "conversation_initiation_client_data":
            assert isinstance(self.server, ElevenLabsServer)
            await self.emit("conversation_initiation_metadata", conversation_initiation_metadata_event={
                "conversation_id": "conv_1", "agent_output_audio_format": self.server.output_format,
                "user_input_audio_format": self.server.input_format})
            if body.get("conversation_config_override", {}).get("agent", {}).get("first_message"):
                self.answer()
        elif body["type"] == "client_tool_result":
            self.answer(body["result"])

    async def _audio(self, audio: bytes) -> None:
        assert isinstance(self.server, ElevenLabsServer)
        name, _, rate = self.server.input_format.partition("_")
        samples = MULAW_DECODE[np.frombuffer(audio, np.uint8)] if name == "ulaw" else np.frombuffer(
            audio, "<i2").astype(np.int16)
        await self.hear(samples, int(rate))

    async def caller_started(self) -> None:
        if not self.has_answered:
            return
        await self.emit("vad_score", vad_score_event={"vad_score": 0.9})
        assert isinstance(self.server, ElevenLabsServer)
        if self.server.interrupts:
            await self.emit("interruption", interruption_event={"event_id": self.server.latest})
            await self.emit("agent_response_correction", agent_response_correction_event={
                "original_agent_response": self.said, "corrected_agent_response": self.said.split(" ")[0],
                "event_id": self.server.latest})

    async def caller_stopped(self, text: str) -> None:
        await self.emit("user_transcript", user_transcription_event={
            "user_transcript": text, "event_id": self.server.next("event")})

    async def begin_answer(self, answer: Answer) -> None:
        self.said = answer.text
        await self.emit("agent_response", agent_response_event={
            "agent_response": answer.text, "event_id": self.server.next("event")})

    async def piece(self, samples: Samples) -> None:
        assert isinstance(self.server, ElevenLabsServer)
        factor = int(self.server.output_format.removeprefix("pcm_")) // 8000
        audio = np.repeat(samples, factor).astype("<i2").tobytes()
        self.server.latest = self.server.next("event")
        await self.emit("audio", audio_event={"audio_base_64": base64.b64encode(audio).decode(),
                                              "event_id": self.server.latest})

    async def call(self, name: str, arguments: str) -> None:
        await self.emit("client_tool_call", client_tool_call={
            "tool_name": name, "tool_call_id": f"call_{self.server.next('call')}", "parameters": json.loads(arguments),
            "event_id": self.server.next("event")})


class ElevenLabsServer(AgentServer):
    """See `AgentServer`."""

    path = "/v1/convai/conversation?agent_id=agent_1"
    conversation = ElevenLabsConversation
    input_format = "pcm_8000"
    output_format = "pcm_8000"
    interrupts = True
    """Whether what the caller says while the agent speaks is taken for an interruption."""
    latest = -1
    """The id of the latest audio."""

    def shown_key(self, request: Request) -> str | None:
        return request.headers.get("xi-api-key")
