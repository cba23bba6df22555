"""What the local servers of speech agents have in common: keys, connections, and a conversation with a caller.

A server is written from the public description of its service, and shares no code with our client.
"""

from __future__ import annotations

import asyncio
import http
from dataclasses import dataclass, field
from typing import Any, Callable

import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ...audio import Samples
from ..openai_realtime.speech import SpeechDetector
from ..peers.server_thread import ServerThread

_PIECE_MS = 100
_SILENCE_MS = 500
_MOST_NOTED = 600


@dataclass(frozen=True)
class Answer:
    """What an agent says, or does instead."""

    text: str = ""
    audio: Samples = field(default_factory=lambda: np.zeros(0, np.int16))
    """Of 8,000 Hz; a server repeats samples where its audio has a higher rate."""
    call: tuple[str, str] | None = None
    """Name and arguments of a function to call instead."""


@dataclass
class Script:
    """What a server does; may be changed while it runs."""

    answer: Callable[[int, "str | None"], Answer] = lambda number, result: Answer("…", np.ones(800, np.int16))
    """What is said in turn number 0, 1, 2 …, counted over all connections; with the result of the function that was
    called before, where there was one.
    """
    write_down: Callable[[int], str] = "what the caller said, {}".format
    pause_seconds: float = 0.0
    """Between two pieces of 100 ms; 0: as fast as they can be sent."""


class Conversation:
    """One connection. A subclass says all this in the words of its service; on the server's event loop only."""

    def __init__(self, server: AgentServer, connection: ServerConnection) -> None:
        self.server = server
        self.connection = connection
        self.received: list[dict[str, Any]] = []
        """All messages of the client but audio, in order."""
        self.wire: list[tuple[bool, str]] = []
        """Messages as they travelled, and whether they are the client's; of long ones, only the first."""
        self.invalid: list[str] = []
        """Messages of either side that are none of the protocol: tests expect none."""
        self.heard = 0
        """Samples of the caller."""
        self._detector = SpeechDetector(0, _SILENCE_MS)
        self._speaking: asyncio.Task[None] | None = None
        self.has_answered = False
        """Whether anything was said since the caller last spoke."""

    # What a subclass has to say.

    async def begin(self) -> None:
        """The connection is there."""

    async def end(self) -> None:
        """The connection is over."""

    async def receive(self, message: str | bytes) -> None:
        """Do what a message of the client asks for."""
        raise NotImplementedError

    async def caller_started(self) -> None:
        """The caller speaks, and may interrupt."""

    async def caller_stopped(self, text: str) -> None:
        """The caller has spoken."""

    async def begin_answer(self, answer: Answer) -> None:
        """An answer with audio begins."""

    async def piece(self, samples: Samples) -> None:
        """Say a piece of an answer, of 8,000 Hz."""
        raise NotImplementedError

    async def end_answer(self, answer: Answer) -> None:
        """All of an answer was said."""

    async def call(self, name: str, arguments: str) -> None:
        """Have a function called."""
        raise NotImplementedError

    # What it is given for that.

    async def hear(self, samples: Samples, rate: int) -> None:
        """Take audio of the caller."""
        self.heard += len(samples)
        for change in self._detector.feed(samples, rate):
            if change.kind == "started":
                self.stop_speaking()
                await self.caller_started()
            else:
                await self.caller_stopped(self.server.script.write_down(self.server.next("speech")))
                self.has_answered = False
                self.answer()

    def answer(self, result: str | None = None) -> None:
        """Begin the next turn."""
        self._speaking = asyncio.get_running_loop().create_task(
            self._say(self.server.script.answer(self.server.next("turn"), result)))

    def stop_speaking(self) -> None:
        """End an answer that is being said."""
        if self._speaking is not None:
            self._speaking.cancel()

    async def send(self, message: str | bytes, check: Callable[[str | bytes], None]) -> None:
        """Send a message; `check` raises ValueError where a server does not send it."""
        self.note(False, message)
        self._check(check, message)
        await self.connection.send(message)

    def accept(self, message: str | bytes, check: Callable[[str | bytes], None]) -> bool:
        """Return whether a client may send this, which is what `check` says."""
        self.note(True, message)
        return self._check(check, message)

    def note(self, is_client: bool, message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode()
        if len(text) < _MOST_NOTED or not any(len(one) >= _MOST_NOTED and side == is_client for side, one in self.wire):
            self.wire.append((is_client, text))

    def _check(self, check: Callable[[str | bytes], None], message: str | bytes) -> bool:
        try:
            check(message)
        except ValueError as error:
            self.invalid.append(f"{error}: {message[:300]!r}")
            return False
        return True

    async def _say(self, answer: Answer) -> None:
        if answer.call is not None:
            await self.call(*answer.call)
            return
        await self.begin_answer(answer)
        self.has_answered = True
        size = 8 * _PIECE_MS
        for begin in range(0, len(answer.audio), size):
            await self.piece(answer.audio[begin:begin + size])
            await asyncio.sleep(self.server.script.pause_seconds)
        await self.end_answer(answer)


class AgentServer(ServerThread):
    """Runs on a thread of its own, from `start` to `stop`. Listens on a free port of 127.0.0.1."""

    path = "/"
    conversation: type[Conversation] = Conversation

    def __init__(self, script: Script | None = None, key: str = "key-0123456789") -> None:
        super().__init__("agent-server")
        self.script = script or Script()
        self.key = key
        self.conversations: list[Conversation] = []
        """All there were, in order."""
        self._live: set[Conversation] = set()
        self._numbers: dict[str, int] = {}

    def shown_key(self, request: Request) -> str | None:
        """Return the key that a handshake shows."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{self.path}"

    @property
    def live(self) -> int:
        """How many connections there are."""
        return len(self._live)

    def next(self, name: str) -> int:
        """Return 0, 1, 2 …"""
        self._numbers[name] = self._numbers.get(name, -1) + 1
        return self._numbers[name]

    def drop(self) -> None:
        """End all connections without a word, as a network does."""
        def abort() -> None:
            for one in self._live:
                one.connection.transport.abort()
        self.call(abort)

    def do(self, work: Callable[[Any], Any]) -> None:
        """Have something done, a coroutine, with the latest conversation, and wait for it."""
        self.run(work(self.conversations[-1]))

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.key and self.shown_key(request) != self.key:
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "the key is wrong")
        if request.path.partition("?")[0] != self.path.partition("?")[0]:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "there is nothing")
        return None

    async def converse(self, connection: ServerConnection) -> None:
        conversation = self.conversation(self, connection)
        self.conversations.append(conversation)
        self._live.add(conversation)
        try:
            await conversation.begin()
            async for message in connection:
                await conversation.receive(message)
        except ConnectionClosed:
            pass
        finally:
            self._live.discard(conversation)
            conversation.stop_speaking()
            await conversation.end()
