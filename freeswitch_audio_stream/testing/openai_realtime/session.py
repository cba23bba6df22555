"""One session of the local server: what each message of the client does."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Awaitable, Callable, Mapping, Protocol

from .dialects import OPENAI, ServerDialect
from .items import Item, Items
from .responses import Response
from .script import Script, Turn
from .speech import SpeechDetector, decoded

_DEFAULTS: dict[str, Any] = {
    "type": "realtime", "output_modalities": ["audio"], "instructions": "",
    "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": {"type": "server_vad"}},
              "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}}}
_NO_RESPONSE = "Cancellation failed: no active response found"
_IS_ANSWERING = "Conversation already has an active response in progress"


class Counter(Protocol):
    """Numbers that run through all sessions of a server."""

    def next(self, name: str) -> int:
        """Return 0, 1, 2 …"""


class ServerSession:
    """On the server's event loop; tests read its lists on their own thread."""

    def __init__(self, send: Callable[[str], Awaitable[None]], model: str, script: Script, counter: Counter,
                 dialect: ServerDialect = OPENAI) -> None:
        self._send = send
        self._dialect = dialect
        self.wire: list[tuple[bool, str]] = []
        """Messages as they travelled, and whether they are the client's; of those with audio, only the first."""
        self.script = script
        self._counter = counter
        self.settings: dict[str, Any] = {**_DEFAULTS, "model": model}
        self.items = Items()
        self.received: list[dict[str, Any]] = []
        """Every message of the client but audio, in order."""
        self.audio = bytearray()
        """What the caller said, in the format of the session."""
        self.errors: list[str] = []
        """Codes of what was refused."""
        self.removed: list[Item] = []
        self.invalid: list[str] = []
        """Messages, of either side, that are none of the protocol: tests expect none."""
        self.active: Response | None = None
        self._speech = SpeechDetector(300, 500)
        self._speech_item = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: Mapping[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "session.update": self._update, "input_audio_buffer.append": self._append,
            "conversation.item.create": self._create, "conversation.item.delete": self._delete,
            "conversation.item.truncate": self._truncate, "response.create": self._respond,
            "response.cancel": self._cancel}

    @property
    def form(self) -> str:
        return str(self.settings["audio"]["output"]["format"]["type"])

    async def begin(self) -> None:
        await self.emit("session.created", session=self.settings)

    async def receive(self, message: str | bytes) -> None:
        """Do what a message asks for."""
        self._note(True, message)
        try:
            self._dialect.check_client(message)
        except ValueError as error:
            self.invalid.append(str(error))
            await self._refuse("invalid_request_error", str(error)[:200], {})
            return
        event: dict[str, Any] = self._dialect.heard(json.loads(message))
        if event["type"] != "input_audio_buffer.append":
            self.received.append(event)
        handler = self._handlers.get(event["type"])
        if handler is not None:
            await handler(event)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def emit(self, kind: str, **fields: Any) -> None:
        event = self._dialect.said({"type": kind, "event_id": f"event_{self._counter.next('event')}", **fields})
        if event is None:
            return
        message = json.dumps(event)
        self._note(False, message)
        try:
            self._dialect.check_server(message)
        except ValueError as error:
            self.invalid.append(str(error))
        await self._send(message)

    def _note(self, is_client: bool, message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode()
        if len(text) < 600 or not any(len(one) >= 600 for _, one in self.wire):
            self.wire.append((is_client, text))

    async def add(self, item: Item, after: str | None = None) -> None:
        before = self.items.add(item, after)
        for kind in ("conversation.item.added", "conversation.item.done"):
            await self.emit(kind, item=item.shown, previous_item_id=before)

    async def _refuse(self, code: str, text: str, event: Mapping[str, Any], kind: str = "invalid_request_error"
                      ) -> None:
        self.errors.append(code)
        await self.emit("error", error={"type": kind, "code": code, "message": text, "param": None,
                                        "event_id": event.get("event_id")})

    async def _update(self, event: dict[str, Any]) -> None:
        given = event["session"]
        audio = {side: {**self.settings["audio"][side], **given.get("audio", {}).get(side, {})}
                 for side in ("input", "output")}
        self.settings = {**self.settings, **given, "audio": audio}
        detection = audio["input"]["turn_detection"] or {}
        self._speech = SpeechDetector(detection.get("prefix_padding_ms", 300),
                                      detection.get("silence_duration_ms", 500))
        await self.emit("session.updated", session=self.settings)

    # The caller

    async def _append(self, event: dict[str, Any]) -> None:
        audio = base64.b64decode(event["audio"], validate=True)
        self.audio += audio
        detection = self.settings["audio"]["input"]["turn_detection"]
        if not detection:
            return
        for change in self._speech.feed(*decoded(self.settings["audio"]["input"]["format"]["type"], audio)):
            if change.kind == "started":
                await self._begin_speech(change.milliseconds, detection)
            else:
                await self._end_speech(change.milliseconds, detection)

    async def _begin_speech(self, milliseconds: int, detection: Mapping[str, Any]) -> None:
        self._speech_item = f"item_u{self._counter.next('item')}"
        await self.emit("input_audio_buffer.speech_started", audio_start_ms=milliseconds, item_id=self._speech_item)
        if detection.get("interrupt_response", True) and self.active is not None:
            self.active.cancel("turn_detected")

    async def _end_speech(self, milliseconds: int, detection: Mapping[str, Any]) -> None:
        item = self._speech_item
        await self.emit("input_audio_buffer.speech_stopped", audio_end_ms=milliseconds, item_id=item)
        before = self.items.all[-1].id if self.items.all else None
        await self.emit("input_audio_buffer.committed", item_id=item, previous_item_id=before)
        body = {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
        await self.add(Item(item, body))
        self._run(self._write_down(item))
        if detection.get("create_response", True):
            self._run(self._respond_to_speech())

    async def _respond_to_speech(self) -> None:
        while self.active is not None:  # which was interrupted, and ends at once
            await asyncio.sleep(0)
        await self._begin_response(self.settings["instructions"])

    async def _write_down(self, identity: str) -> None:
        if not self.settings["audio"]["input"].get("transcription"):
            return
        where = {"item_id": identity, "content_index": 0}
        if not self.script.transcribes:
            await self.emit("conversation.item.input_audio_transcription.failed", **where, error={
                "type": "transcription_error", "code": "audio_unintelligible", "message": "It cannot be understood."})
            return
        text = self.script.write_down(self._counter.next("speech"))
        item = self.items.find(identity)
        if item is not None:
            item.body["content"] = [{"type": "input_audio", "transcript": text}]
        await self.emit("conversation.item.input_audio_transcription.delta", delta=text, **where)
        await self.emit("conversation.item.input_audio_transcription.completed", transcript=text,
                        usage={"type": "duration", "seconds": 1.0}, **where)

    # The conversation

    async def _create(self, event: dict[str, Any]) -> None:
        given = dict(event["item"])
        identity = given.pop("id", None) or f"item_c{self._counter.next('item')}"
        after = event.get("previous_item_id")
        if self.items.find(identity) is not None:
            await self._refuse("item_create_invalid_item_id", f"Item with id {identity} already exists.", event)
        elif after is not None and self.items.find(after) is None:
            await self._refuse("item_create_invalid_previous_item_id", f"There is no item {after}.", event)
        elif len(identity) > 32:
            await self._refuse("string_above_max_length", "An id has 32 characters at most.", event)
        else:
            await self.add(Item(identity, given), after)

    async def _delete(self, event: dict[str, Any]) -> None:
        item = self.items.find(event["item_id"])
        if item is None:
            await self._refuse("item_delete_invalid_item_id", f"There is no item {event['item_id']}.", event)
            return
        self.items.remove(item.id)
        self.removed.append(item)
        await self.emit("conversation.item.deleted", item_id=item.id)

    async def _truncate(self, event: dict[str, Any]) -> None:
        item, end = self.items.find(event["item_id"]), event["audio_end_ms"]
        if item is None or item.audio_ms is None:
            await self._refuse("item_truncate_invalid_item_id", f"{event['item_id']} has no audio.", event)
        elif not 0 < end <= item.audio_ms:
            await self._refuse("invalid_value", f"Audio content of {item.audio_ms}ms is already shorter than {end}ms, "
                               "or the end is not above 0.", event)
        else:
            item.truncated_ms = end
            item.body["content"] = [{"type": "output_audio", "transcript": None}]
            await self.emit("conversation.item.truncated", item_id=item.id, content_index=event["content_index"],
                            audio_end_ms=end)

    # Responses

    async def _respond(self, event: dict[str, Any]) -> None:
        if self.active is not None:
            await self._refuse("conversation_already_has_active_response", _IS_ANSWERING, event)
            return
        options = event.get("response") or {}
        await self._begin_response(options.get("instructions") or self.settings["instructions"])

    async def _begin_response(self, instructions: str) -> None:
        number = self._counter.next("response")
        response = self.active = Response(self, f"resp_{number}", f"item_a{self._counter.next('item')}")
        reply = self.script.reply(Turn(number, tuple(self.items.all), instructions))

        async def make() -> None:
            await response.make(reply)
            self.active = None
            await response.done(reply)
        self._run(make())

    async def _cancel(self, event: dict[str, Any]) -> None:
        wanted = event.get("response_id")
        if self.active is None or wanted not in (None, self.active.id):
            await self._refuse("response_cancel_not_active", _NO_RESPONSE, event)
        else:
            self.active.cancel("client_cancelled")

    def _run(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
