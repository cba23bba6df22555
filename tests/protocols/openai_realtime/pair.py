"""A session of ours and one of the local server, without sockets between them; every message is validated."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any, Callable, Coroutine, Deque

from freeswitch_audio_stream.audio import Encoding
from freeswitch_audio_stream.protocols.messages import PlayAudio
from freeswitch_audio_stream.protocols.openai_realtime import (Event, History, Ready, RealtimeOptions, RealtimeSession,
                                                               Send, read_options)
from freeswitch_audio_stream.testing.openai_realtime import Script, ServerSession

LOUD, QUIET = b"\x00\x20", b"\0\0"
"""A sample each, of 24,000 Hz."""


class Numbers:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def next(self, name: str) -> int:
        self._counts[name] += 1
        return self._counts[name] - 1


class Pair:
    """What our session says is sent at once; all else that it returns is kept in `events`."""

    def __init__(self, script: Script, options: RealtimeOptions, history: History) -> None:
        self.session = RealtimeSession(options, history)
        self.server = ServerSession(self._deliver, "test-model", script, Numbers())
        self.events: list[Event] = []
        self._waiting: Deque[str] = deque()

    async def _deliver(self, message: str) -> None:
        self._waiting.append(message)

    async def carry_out(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Send):
                await self.server.receive(event.message)
            else:
                self.events.append(event)

    async def settle(self) -> None:
        """Return when nobody has anything more to say."""
        quiet = 0
        while quiet < 20:
            quiet = 0 if self._waiting else quiet + 1
            while self._waiting:
                await self.carry_out(self.session.receive(self._waiting.popleft()))
            await asyncio.sleep(0)

    async def open(self, answer: bool = False) -> None:
        await self.server.begin()
        await self.carry_out(list(self.session.opening()))
        await self.settle()
        assert any(isinstance(event, Ready) for event in self.events)
        await self.carry_out(list(self.session.take_over(answer)))
        await self.settle()

    async def say(self, loud_ms: int, quiet_ms: int = 0) -> None:
        await self.server.receive(self.session.audio(LOUD * 24 * loud_ms + QUIET * 24 * quiet_ms))

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def sent(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.server.received if event["type"] == kind]

    @property
    def played_ms(self) -> dict[str, int]:
        """How much of each item the owner was given."""
        total: Counter[str] = Counter()
        for event in self.of(PlayAudio):
            per_ms = 48 if event.encoding is Encoding.L16 else 8
            total[event.item] += len(event.audio) // per_ms
        return dict(total)


def converse(work: Callable[[Pair], Coroutine[Any, Any, None]], script: Script | None = None,
             history: History | None = None, **options: Any) -> Pair:
    """Return a pair after this work; all its messages were right."""
    async def run() -> Pair:
        pair = Pair(script or Script(), read_options(options), History() if history is None else history)
        await work(pair)
        await pair.settle()
        await pair.server.end()
        return pair
    pair = asyncio.run(asyncio.wait_for(run(), 30))
    assert pair.server.invalid == []
    return pair
