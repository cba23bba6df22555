"""How a response is made, message by message, until it is done or cancelled."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, Protocol

import numpy as np

from ...audio import ALAW_ENCODE, MULAW_ENCODE, Samples
from .items import Item
from .script import RATE, Failure, Reply, Script


class Session(Protocol):
    """What a response needs of its session."""

    script: Script

    @property
    def form(self) -> str:
        """The type of the audio's format."""

    async def emit(self, kind: str, **fields: Any) -> None:
        """Send a message."""

    async def add(self, item: Item, after: str | None = None) -> None:
        """Add to the conversation."""


def encoded(form: str, audio: Samples) -> tuple[bytes, int]:
    """Return audio of 24,000 Hz in a format of the session, and the bytes of a millisecond. G.711 is every third
    sample: scripts have nothing above 4 kHz.
    """
    if form == "audio/pcm":
        return audio.astype("<i2").tobytes(), RATE * 2 // 1000
    table = MULAW_ENCODE if form == "audio/pcmu" else ALAW_ENCODE
    return table[audio[::3].view(np.uint16)].tobytes(), 8


class Response:
    """One response of a session."""

    def __init__(self, session: Session, identity: str, item_id: str) -> None:
        self._session = session
        self.id = identity
        self._item_id = item_id
        self.cancelled: str | None = None
        """The reason, once it is to end early."""

    def cancel(self, reason: str) -> None:
        """End it early: ``turn_detected`` or ``client_cancelled``."""
        self.cancelled = self.cancelled or reason

    async def make(self, reply: Reply | Failure) -> None:
        """Send everything from ``response.created`` to the last message before ``response.done``."""
        await self._session.emit("response.created", response=self._shown("in_progress"))
        await self._session.emit("rate_limits.updated", rate_limits=[
            {"name": "tokens", "limit": 50_000, "remaining": 40_000, "reset_seconds": 1.5}])
        if isinstance(reply, Failure):
            return
        if reply.call is not None:
            await self._call(*reply.call)
        else:
            await self._say(reply)

    async def done(self, reply: Reply | Failure) -> None:
        """Send ``response.done``."""
        if isinstance(reply, Failure) and reply.status == "failed":
            details: dict[str, Any] | None = {
                "type": "failed", "error": {"code": reply.code, "message": reply.message, "type": reply.kind}}
            shown = self._shown("failed")
        elif isinstance(reply, Failure):
            details, shown = {"type": "incomplete", "reason": reply.code}, self._shown("incomplete")
        elif self.cancelled:
            details, shown = {"type": "cancelled", "reason": self.cancelled}, self._shown("cancelled")
        else:
            details, shown = {"type": "completed"}, self._shown("completed")
        await self._session.emit("response.done", response={**shown, "status_details": details})

    def _shown(self, status: str) -> dict[str, Any]:
        return {"id": self.id, "object": "realtime.response", "status": status, "output": [],
                "output_modalities": ["audio"]}

    async def _call(self, name: str, arguments: str) -> None:
        body = {"type": "function_call", "call_id": f"call_{self._item_id}", "name": name, "arguments": arguments}
        item = Item(self._item_id, body)
        await self._session.emit("response.output_item.added", response_id=self.id, output_index=0,
                                 item={**item.shown, "status": "in_progress", "arguments": ""})
        await self._session.add(item)
        where = {"response_id": self.id, "item_id": item.id, "output_index": 0, "call_id": body["call_id"]}
        await self._session.emit("response.function_call_arguments.delta", delta=arguments, **where)
        await self._session.emit("response.function_call_arguments.done", arguments=arguments, name=name, **where)
        await self._session.emit("response.output_item.done", response_id=self.id, output_index=0, item=item.shown)

    async def _say(self, reply: Reply) -> None:
        item = Item(self._item_id, {"type": "message", "role": "assistant", "content": []}, audio_ms=0)
        await self._session.emit("response.output_item.added", response_id=self.id, output_index=0,
                                 item={**item.shown, "status": "in_progress"})
        await self._session.add(item)
        where = {"response_id": self.id, "item_id": item.id, "output_index": 0, "content_index": 0}
        await self._session.emit("response.content_part.added", part={"type": "audio", "transcript": ""}, **where)
        await self._speak(item, reply, where)
        said = reply.text if not self.cancelled else item.text
        item.body["content"] = [{"type": "output_audio", "transcript": said}]
        await self._session.emit("response.output_audio.done", **where)
        await self._session.emit("response.output_audio_transcript.done", transcript=said, **where)
        await self._session.emit("response.content_part.done", part={"type": "audio", "transcript": said}, **where)
        await self._session.emit("response.output_item.done", response_id=self.id, output_index=0, item={
            **item.shown, "status": "incomplete" if self.cancelled else "completed"})

    async def _speak(self, item: Item, reply: Reply, where: dict[str, Any]) -> None:
        """Audio as the pace of the script is, and each word of the transcript ahead of it."""
        audio, per_ms = encoded(self._session.form, reply.audio)
        size = self._session.script.delta_ms * per_ms
        words = reply.text.split(" ")
        deltas = max(1, -(-len(audio) // size))
        said: list[str] = []
        for number in range(deltas):
            part = words[len(words) * number // deltas:len(words) * (number + 1) // deltas]
            if part:
                await self._session.emit("response.output_audio_transcript.delta",
                                         delta=(" " if said else "") + " ".join(part), **where)
                said += part
            piece = audio[number * size:(number + 1) * size]
            item.audio += piece
            item.audio_ms = len(item.audio) // per_ms
            item.body["content"] = [{"type": "output_audio", "transcript": " ".join(said)}]
            await self._session.emit("response.output_audio.delta", delta=base64.b64encode(piece).decode(), **where)
            await asyncio.sleep(self._session.script.pause_seconds)
            if self.cancelled:
                return
