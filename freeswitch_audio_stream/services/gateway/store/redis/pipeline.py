"""The connection for scripts: what is asked within one turn of the event loop, and while Redis answers what was asked
before, goes out as one pipeline.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, Iterable, Sequence, Union

from hiredis import pack_command
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisClusterException, RedisError, ResponseError

from ..interface import StoreAway
from .records import Field
from .scripts import ALL, Script

Client = Union["Redis", "RedisCluster"]
Command = tuple[Any, ...]
"""Of texts, bytes and numbers."""
AWAY = (RedisError, RedisClusterException, OSError, asyncio.TimeoutError)
"""What redis-py raises where Redis is away."""
ANSWER_SECONDS = 2.0
"""How long Redis may take to connect or to answer before it counts as away."""
_AGAIN_SECONDS = 0.05
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
    def command(self) -> Command:
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.arguments)


class ScriptPipeline:
    """On one event loop."""

    def __init__(self, client: Client, clock: Callable[[], float] | None) -> None:
        """`clock` gives the time to scripts; None: they take that of Redis, which is the same for everybody."""
        self._client = client
        self._clock = clock
        self._queue: Deque[_Asked] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._is_closed = False

    async def call(self, script: Script, keys: Sequence[str], *arguments: Field) -> Any:
        """Return what a script answers; raise StoreAway where it does not, in which case it may have been carried out
        or not.
        """
        if self._is_closed:
            raise StoreAway("the connection to Redis is closed")
        time = "" if self._clock is None else repr(self._clock())
        loop = asyncio.get_running_loop()
        asked = _Asked(script, keys, (time, *arguments), loop.create_future())
        self._queue.append(asked)
        if self._sending is None:
            self._sending = loop.create_task(self._send())
        return await asked.answer

    async def _send(self) -> None:
        try:
            while self._queue and not self._is_closed:
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

    async def _execute(self, batch: Sequence[_Asked]) -> None:
        unknown = _settle(batch, await self._ask([asked.command for asked in batch]))
        if unknown:  # they were not carried out: Redis has restarted, or a node is new
            await self._load()
            left = _settle(unknown, await self._ask([asked.command for asked in unknown]))
            _fail(left, ConnectionError("Redis does not keep the scripts that it is given"))

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        if isinstance(self._client, RedisCluster):
            return await self._ask_cluster(commands)
        return await asyncio.wait_for(self._exchange(self._client, commands), ANSWER_SECONDS)

    async def _exchange(self, client: Redis, commands: Sequence[Command]) -> list[Any]:
        """What a pipeline of redis-py does, on one connection: it takes five times as long for each command."""
        pool: Any = client.connection_pool  # its methods have no types
        connection: Connection = self._connection or await pool.get_connection()
        self._connection = connection
        try:
            await connection.send_packed_command([pack_command(command) for command in commands], check_health=False)
            return [await _answer(connection) for _ in commands]
        except BaseException:  # what is still to come would be taken for the answers to the next
            self._connection = None
            await connection.disconnect(nowait=True)
            await pool.release(connection)
            raise

    async def _ask_cluster(self, commands: Iterable[Command]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def _load(self) -> None:
        for script in ALL:
            await self._client.script_load(script.text)

    async def close(self) -> None:
        """Close the connections; what is still asked, and whatever is from now on, fails."""
        self._is_closed = True
        if self._sending is not None:
            await end_task(self._sending)
        _fail(self._queue, ConnectionError("the connection is closed"))
        self._queue.clear()
        await self._client.aclose()


async def end_task(task: asyncio.Task[None]) -> None:
    """Return when a task that uses redis-py has ended, which loses a cancellation that comes while it connects."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_SECONDS)


async def _answer(connection: Connection) -> Any:
    """Return the next answer, or the exception that stands for it."""
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


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
