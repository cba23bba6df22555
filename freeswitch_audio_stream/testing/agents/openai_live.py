"""A local server of OpenAI's Live API, which speaks all the time; the types ``openai.types.live`` check every message.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
from openai.types.live import ClientEvent, ServerEvent
from pydantic import TypeAdapter
from websockets.http11 import Request

from ...audio import MULAW_DECODE, MULAW_ENCODE, Samples
from ..unknown_keys import unknown_keys
from .server import AgentServer, Answer, Conversation

_CLIENT: TypeAdapter[Any] = TypeAdapter(ClientEvent)
_SERVER: TypeAdapter[Any] = TypeAdapter(ServerEvent)
_PIECE_MS = 20


def check_client(message: str | bytes) -> None:
    """Raise ValueError where a client must not send this."""
    _check(_CLIENT, message)


def check_server(message: str | bytes) -> None:
    """Raise ValueError where a server does not send this."""
    _check(_SERVER, message)


def _check(adapter: TypeAdapter[Any], message: str | bytes) -> None:
    value = adapter.validate_json(message, strict=True)
    if unknown := sorted(unknown_keys(value)):
        raise ValueError(f"{getattr(value, 'type', 'the message')} has keys that nobody knows: {', '.join(unknown)}")


class LiveConversation(Conversation):
    """See `Conversation`. In a session, 20 ms are said every 20 ms, silence where there is nothing to say."""

    session: dict[str, Any] | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._to_say: list[Samples] = []
        self._clock: asyncio.Task[None] | None = None
        self.result = ""

    @property
    def form(self) -> dict[str, Any]:
        assert self.session is not None
        form: dict[str, Any] = self.session["audio"]["format"]
        return form

    async def emit(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        identity = {} if kind == "session.output_audio.delta" else {"event_id": f"event_{self.server.next('event')}"}
        await self.send(json.dumps({"type": kind, **identity, **fields}), check_server)

    async def receive(self, message: str | bytes) -> None:
        if not self.accept(message, check_client):
            await self.emit("error", error={"type": "invalid_request_error", "code": "invalid_value",
                                            "message": "The message is invalid."})
            return
        body = json.loads(message)
        if body["type"] == "session.input_audio.append":
            audio = base64.b64decode(body["audio"], validate=True)
            is_linear = self.form["type"] == "audio/pcm"
            samples = np.frombuffer(audio, "<i2").astype(np.int16) if is_linear else MULAW_DECODE[
                np.frombuffer(audio, np.uint8)]
            await self.hear(samples, self.form["rate"])
            return
        self.received.append(body)
        if body["type"] == "session.start":
            await self._start(body["session"])
        elif body["type"] == "response.item.create":
            self.result = body["item"]["output"]
        elif body["type"] == "response.create":
            self.answer(self.result)
        elif body["type"] == "session.close":
            await self.close("close_requested")

    async def close(self, reason: str) -> None:
        """End the session."""
        await self.emit("session.closed", reason=reason, session=self._shown, usage={"seconds": 1.5})
        await self.connection.close()

    @property
    def _shown(self) -> dict[str, Any]:
        return {**(self.session or {}), "id": "live_1", "expires_at": 1_800_000_000, "status": "active"}

    async def _start(self, session: dict[str, Any]) -> None:
        self.session = session
        await self.emit("session.started", session=self._shown)
        await self.emit("session.usage.updated", usage={"seconds": 0.5})
        self._clock = asyncio.get_running_loop().create_task(self._speak())

    async def _speak(self) -> None:
        due = asyncio.get_running_loop().time()
        while True:
            if self._to_say:
                piece = self._to_say.pop(0)
            else:
                piece = np.zeros(8 * _PIECE_MS, np.int16)
            samples = np.repeat(piece, self.form["rate"] // 8000)
            audio = samples.astype("<i2").tobytes() if self.form["type"] == "audio/pcm" else MULAW_ENCODE[
                samples.view(np.uint16)].tobytes()
            await self.emit("session.output_audio.delta", delta=base64.b64encode(audio).decode())
            due += _PIECE_MS / 1000
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    def stop_speaking(self) -> None:
        super().stop_speaking()
        self._to_say.clear()

    async def end(self) -> None:
        if self._clock is not None:
            self._clock.cancel()

    async def caller_stopped(self, text: str) -> None:
        await self.emit("session.input_transcript.delta", delta=text, start_ms=0, end_ms=1)

    async def begin_answer(self, answer: Answer) -> None:
        await self.emit("session.output_transcript.delta", delta=answer.text, start_ms=0, end_ms=1)

    async def piece(self, samples: Samples) -> None:
        size = 8 * _PIECE_MS
        self._to_say += [samples[begin:begin + size] for begin in range(0, len(samples), size)]

    async def call(self, name: str, arguments: str) -> None:
        number = self.server.next("call")
        item = {"id": f"fc_{number}", "type": "function_call", "status": "completed", "name": name,
                "arguments": arguments, "call_id": f"call_{number}"}
        await self.emit("response.event", event={"type": "response.output_item.done", "output_index": 0,
                                                 "sequence_number": 1, "item": item})


class LiveServer(AgentServer):
    """See `AgentServer`."""

    path = "/v1/live/sessions"
    conversation = LiveConversation

    def shown_key(self, request: Request) -> str | None:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")
