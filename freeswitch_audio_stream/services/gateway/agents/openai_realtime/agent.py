"""The agent ``openai-realtime``: carries out what the session says."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Awaitable, Callable, Mapping

import orjson

from .....errors import AgentError, AudioStreamError
from .....protocols.messages import ClearAudio, PlayAudio
from .....protocols.openai_realtime import (AudioFinished, Event, FunctionCall, History, HoldAudio, Interrupted,
                                            Refused, ReleaseAudio, RetryResponse, Said, Send, SessionExpired, Trouble)
from ..interface import Agent, AgentProfile, Conversation, Output
from . import functions
from .options import read_profile
from .playback import ItemHeard, Playback
from .upstream import Link, Upstream

MOST_RETRIES = 3
"""Of one response, after which the agent cannot go on."""
RETRY_SECONDS = 1.0
"""Before the first; twice as long before each further one."""


class OpenAIRealtime(Agent):
    """A model that hears and speaks. See ``docs/howto/agents.md`` for its options."""

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        profile = read_profile(options)
        functions.check(profile.tools)
        try:
            profile.key()
        except AgentError as error:
            raise ValueError(str(error)) from error

    def __init__(self, conversation: Conversation, profile: AgentProfile, output: Output) -> None:
        super().__init__(conversation, profile, output)
        options = read_profile(profile.options)
        history = History((line.speaker == "User", line.text) for line in conversation.lines)
        self._history = history
        self._upstream = Upstream(options, history, self._carry_out, self._note)
        self._playback = Playback(output)
        self._functions = functions.Functions(options.tools, conversation)
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: Mapping[type, Callable[[Link, Any], None]] = {
            Send: lambda link, event: link.send(event.message),
            PlayAudio: self._play, AudioFinished: self._finish, ClearAudio: self._clear, HoldAudio: self._hold,
            ReleaseAudio: lambda link, event: self._playback.release(),
            Said: lambda link, event: output.transcript("User" if event.is_caller else "AI", event.text),
            Interrupted: self._interrupted, FunctionCall: self._call, RetryResponse: self._retry,
            SessionExpired: lambda link, event: self._run(link.close_connection()),
            Refused: lambda link, event: self._fail(event.reason),
            Trouble: lambda link, event: self._note(event.text),
        }

    async def start(self) -> None:
        """Returns at once: what is said before there is a session is kept for it."""
        self._run(self._live())

    async def hear(self, audio: bytes) -> None:
        self._upstream.hear(audio)

    async def heard(self, milliseconds: int, cleared: bool) -> None:
        self._tell_heard(self._playback.heard(milliseconds, cleared))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _live(self) -> None:
        try:
            await self._upstream.run()
        except AudioStreamError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        self.output.fail(_without_keys(reason))

    def _note(self, text: str) -> None:
        self.output.note(_without_keys(text))

    def _run(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work
        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What the session says

    def _carry_out(self, link: Link, event: Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(link, event)

    def _carry_out_all(self, link: Link, events: list[Event]) -> None:
        for event in events:
            self._carry_out(link, event)

    def _play(self, link: Link, event: PlayAudio) -> None:
        self._upstream.succeed()
        assert event.item is not None
        self._playback.play(event.item, link.from_service.convert(event.item, event.audio))

    def _finish(self, link: Link, event: AudioFinished) -> None:
        self._playback.play(event.item, link.from_service.finish(event.item))
        self._tell_heard(self._playback.finish(event.item))

    def _clear(self, link: Link, event: ClearAudio) -> None:
        link.from_service.forget()
        self._tell_heard(self._playback.clear())

    def _hold(self, link: Link, event: HoldAudio) -> None:
        self._playback.hold()

        async def confirm() -> None:
            await asyncio.sleep(event.milliseconds / 1000)
            self._carry_out_all(link, link.session.confirm())
        self._run(confirm())

    def _interrupted(self, link: Link, event: Interrupted) -> None:
        self.output.action({"type": "interrupted", "item": event.item, "heardMs": event.milliseconds,
                            "text": event.text})

    def _retry(self, link: Link, event: RetryResponse) -> None:
        if event.attempt > MOST_RETRIES:
            self._fail(f"the service has not answered {event.attempt} times: {event.reason}")
            return
        self._note(f"the service has not answered, and is asked again: {event.reason}")

        async def retry() -> None:
            await asyncio.sleep(RETRY_SECONDS * 2 ** (event.attempt - 1))
            self._carry_out_all(link, link.session.retry())
        self._run(retry())

    def _call(self, link: Link, event: FunctionCall) -> None:
        self.output.action({"type": "function_call", "id": event.call_id, "name": event.name,
                            "arguments": _json_or_text(event.arguments)})
        self._run(self._answer(event))

    async def _answer(self, call: FunctionCall) -> None:
        result = await self._functions.call(call.name, call.arguments)
        self.output.action({"type": "function_result", "id": call.call_id, "name": call.name, "result": result})
        text = orjson.dumps(result).decode()
        link = self._upstream.current
        if link is not None:
            self._carry_out_all(link, link.session.answer(call.call_id, text))
        else:
            self._history.add("output", self._history.new_id("output"), text=text, call_id=call.call_id)
            self._upstream.owes_answer = True

    def _tell_heard(self, reports: list[ItemHeard]) -> None:
        link = self._upstream.current
        for report in reports:
            if link is not None:
                self._carry_out_all(link, link.session.heard(report.item, report.milliseconds, report.complete))


def _without_keys(text: str) -> str:
    """Services quote a wrong key in their errors, in part or whole."""
    return re.sub(r"\bsk-[\w*-]+", "sk-…", text)


def _json_or_text(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
