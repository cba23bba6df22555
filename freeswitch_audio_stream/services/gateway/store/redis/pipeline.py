"""The connection for scripts: what is asked within one turn of the event loop, and while Redis answers what was asked
before, goes out as one pipeline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, Iterable, Sequence, Union

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from ..interface import StoreAway
from .records import Field
from .scripts import ALL, Script

Client = Union["Redis", "RedisCluster"]
AWAY = (RedisError, RedisClusterException, OSError, asyncio.TimeoutError)
"""What redis-py raises where Redis is away."""
ANSWER_SECONDS = 2.0
"""How long Redis may take to connect or to answer before it counts as away."""
_MOST = 256
"""Scripts in one pipeline: others need not wait for more."""


def make_client(url: str, is_cluster: bool) -> Client:
    """Return a client that has not connected yet; raise ValueError where the URL cannot be used.

    It never asks twice by itself: a script whose answer was lost may have been carried out.
    """
    once = Retry(NoBackoff(), 0)
    if is_cluster:
        return RedisCluster.from_url(url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS,
                                     retry=once)
    return Redis.from_url(url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=once)


@dataclass
class _Asked:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Field]
    answer: asyncio.Future[Any]

    @property
    def command(self) -> tuple[Field, ...]:
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.arguments)


class ScriptPipeline:
    """On one event loop."""

    def __init__(self, client: Client, clock: Callable[[], float] | None) -> None:
        """`clock` gives the time to scripts; None: they take that of Redis, which is the same for everybody."""
        self._client = client
        self._clock = clock
        self._queue: Deque[_Asked] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def call(self, script: Script, keys: Sequence[str], *arguments: Field) -> Any:
        """Return what a script answers; raise StoreAway where it does not, in which case it may have been carried out
        or not.
        """
        time = "" if self._clock is None else repr(self._clock())
        loop = asyncio.get_running_loop()
        asked = _Asked(script, keys, (time, *arguments), loop.create_future())
        self._queue.append(asked)
        if self._sending is None:
            self._sending = loop.create_task(self._send())
        return await asked.answer

    async def _send(self) -> None:
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(_MOST, len(self._queue)))]
                try:
                    await self._execute(batch)
                except AWAY as error:
                    _fail(batch, error)
                except BaseException:
                    _fail(batch, ConnectionError("the connection is closed"))
                    raise
        finally:
            self._sending = None
            _fail(self._queue, ConnectionError("the connection is closed"))
            self._queue.clear()

    async def _execute(self, batch: Sequence[_Asked]) -> None:
        unknown = _settle(batch, await self._ask([asked.command for asked in batch]))
        if unknown:  # they were not carried out: Redis has restarted, or a node is new
            await self._load()
            left = _settle(unknown, await self._ask([asked.command for asked in unknown]))
            _fail(left, ConnectionError("Redis does not keep the scripts that it is given"))

    async def _ask(self, commands: Iterable[tuple[Field, ...]]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def _load(self) -> None:
        for script in ALL:
            await self._client.script_load(script.text)

    async def close(self) -> None:
        """Close the connections; what is still asked fails."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await self._client.aclose()


def _settle(batch: Sequence[_Asked], answers: Sequence[Any]) -> list[_Asked]:
    """Give everybody its answer. Return those whose script Redis did not know."""
    unknown: list[_Asked] = []
    for asked, answer in zip(batch, answers):
        if isinstance(answer, NoScriptError):
            unknown.append(asked)
        elif isinstance(answer, Exception):
            _fail([asked], answer)
        elif not asked.answer.done():
            asked.answer.set_result(answer)
    return unknown


def _fail(batch: Iterable[_Asked], error: BaseException) -> None:
    for asked in batch:
        if not asked.answer.done():
            away = StoreAway(f"Redis does not answer: {error or type(error).__name__}")
            away.__cause__ = error
            asked.answer.set_exception(away)
