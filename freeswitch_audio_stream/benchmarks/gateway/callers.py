"""The callers of the load: one that speaks in real time, and one that does not wait for anything but answers."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass, field

import orjson

from .connection import Connection, connect
from .requests import Chunks, request

_POLL_MS = 5000
_CREATE = "/api/voice/session/create"


@dataclass
class Figures:
    """What all callers have counted; times in seconds."""

    posts: list[float] = field(default_factory=list)
    """From when a post was due to its answer."""
    answers: list[float] = field(default_factory=list)
    """From when a chunk was due to the poll's answer that had it."""
    late: list[float] = field(default_factory=list)
    """By how much the load itself was late: not the server's doing."""
    requests: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    heard: int = 0
    misplaced: int = 0
    """Chunks that were heard out of their order, twice, or damaged."""

    def refuse(self, status: int, body: bytes) -> None:
        """Count an answer that is none."""
        why = f"{status} {body[:120].decode(errors='replace')}"
        self.refused[why] = self.refused.get(why, 0) + 1


async def ask(connection: Connection, asked: bytes) -> tuple[int, bytes]:
    """Return status and body of the answer to a request."""
    answered: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
    connection.ask(asked, lambda status, body: answered.set_result((status, body)))
    return await answered


class Caller:
    """A session and its two connections."""

    def __init__(self, name: str, key: str, chunks: Chunks, figures: Figures) -> None:
        self.name, self._key, self._chunks = name, key, chunks
        self.figures = figures
        self._poll = request("GET", f"/api/voice/stream/{name}/response?timeout={_POLL_MS}", key=key)
        self._due: list[float] = []
        """When each chunk was due, by its number."""
        self._posted = 0
        self._heard = 0
        self._is_ending = False
        self._open: list[Connection] = []

    async def begin(self, host: str, port: int) -> None:
        """Connect, and create the session. Raise ConnectionError where it is refused."""
        while len(self._open) < 2:
            self._open.append(await connect(host, port))
        self._post, self._response = self._open
        body = orjson.dumps({"callId": self.name, "tenantId": "", "aiAgentRef": "echo"})
        status, said = await ask(self._post, request("POST", _CREATE, body, self._key))
        if status not in (200, 201):
            raise ConnectionError(f"a session is not created: {status} {said[:200].decode(errors='replace')}")

    def close(self) -> None:
        """Say and ask nothing any more."""
        self.stop()
        for connection in self._open:
            connection.close()

    def stop(self) -> None:
        """Begin nothing any more."""
        self._is_ending = True

    def _send(self) -> None:
        """Post whatever is due and has not been posted."""
        first, self._posted = self._posted, len(self._due)
        body = self._chunks.body(first, self._posted - first)
        self.figures.requests += 1
        self._post.ask(request("POST", f"/api/voice/stream/{self.name}", body, self._key), self._on_posted)

    def _on_posted(self, status: int, body: bytes) -> None:
        raise NotImplementedError

    def poll(self) -> None:
        """Ask for what the agent says, and go on."""
        self.figures.requests += 1
        self._response.ask(self._poll, self._on_polled)

    def _on_polled(self, status: int, body: bytes) -> None:
        raise NotImplementedError

    def _take(self, status: int, body: bytes) -> bool:
        """Count the chunks of a poll's answer; return whether it was one."""
        if status != 200:
            self.figures.refuse(status, body)
            return False
        now = time.monotonic()
        audio = orjson.loads(body)["audio"]
        for number in self._chunks.numbers(base64.b64decode(audio)) if audio else ():
            self.figures.heard += 1
            if number != self._heard or number >= len(self._due):
                self.figures.misplaced += 1
                continue
            self._heard += 1
            self.figures.answers.append(now - self._due[number])
        return True


class LiveCaller(Caller):
    """Says a chunk whenever one is due; what comes while a post is not answered goes with the next."""

    def speak(self, due: float, period: float) -> None:
        """Say the chunk that was due at `due` on the loop's clock, and all after it, each after `period` seconds."""
        if self._is_ending:
            return
        loop = asyncio.get_running_loop()
        self.figures.late.append(loop.time() - due)
        self._due.append(due)
        self.figures.sent += 1
        loop.call_at(due + period, self.speak, due + period, period)
        if not self._is_posting:
            self._send_now()

    _is_posting = False

    def _send_now(self) -> None:
        self._is_posting = True
        self._first = self._posted
        self._send()

    def _on_posted(self, status: int, body: bytes) -> None:
        self._is_posting = False
        if status != 200:
            self.figures.refuse(status, body)
            self.stop()
            return
        now = time.monotonic()
        self.figures.posts.extend(now - due for due in self._due[self._first:self._posted])
        if self._posted < len(self._due):
            self._send_now()

    def _on_polled(self, status: int, body: bytes) -> None:
        if self._take(status, body) and not self._is_ending:
            self.poll()


class HastyCaller(Caller):
    """Posts a chunk, polls until it has come back, and posts the next at once."""

    def hurry(self) -> None:
        """Begin."""
        if not self._is_ending:
            self._due.append(time.monotonic())
            self.figures.sent += 1
            self._send()

    def _on_posted(self, status: int, body: bytes) -> None:
        if status != 200:
            self.figures.refuse(status, body)
            return
        self.figures.posts.append(time.monotonic() - self._due[-1])
        self.poll()

    def _on_polled(self, status: int, body: bytes) -> None:
        before = self.figures.heard
        if self._take(status, body):
            if self.figures.heard > before or self._is_ending:
                self.hurry()
            else:
                self.poll()
