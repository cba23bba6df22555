"""Sessions in Redis, as any process that shares it sees them."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections import Counter
from typing import Any, Awaitable, Callable, Mapping, Sequence

from ..interface import (Commit, Input, Lease, Limits, Opening, Playback, SessionExists, SessionGone, SessionKey,
                         SessionState, SessionStore, StoreAway, TooManyPolls, TooManySessions, TooMuchAudio)
from ..pieces import Taken
from .keys import IndexKeys, key_of, name_of, session_keys
from .leases import Held, Leases, wake_event
from .membership import LIFE_SECONDS, Membership
from .pipeline import ScriptPipeline, end_task, make_client
from .polls import Poll, Polls
from .reader import Reader
from .records import (Field, action_texts, input_fields, line_texts, opening_text, piece_fields, read_input, read_lines,
                      read_opening, read_state, read_taken)
from .scripts import (COMMIT, CREATE, DISOWN, END, FORGET, NAMES, POST, READ, RESERVE, STATE, TAKE, TAKE_OVER,
                      Script)

_MOST_INPUTS = 10_000
"""Of one session, waiting for its agent: audio of 20 ms for more than three minutes."""
_AWAY_SECONDS = 0.25


class RedisStore(SessionStore):
    """See `SessionStore`. Polls are limited by session and process."""

    def __init__(self, url: str, limits: Limits, *, prefix: str = "audio-stream", is_cluster: bool = False,
                 tell: Callable[[str], None] = lambda text: None, clock: Callable[[], float] | None = None) -> None:
        """Connect to nothing yet. `tell` writes to the log; `clock` is for tests, instead of the time of Redis.

        Raise ValueError where the URL cannot be used.
        """
        self.run = lambda lease: None
        self._limits = limits
        self._prefix = prefix
        self._tell = tell
        self._clock = clock or time.time
        self._process = secrets.token_hex(8)
        self._index = IndexKeys(prefix)
        self._client = make_client(url, is_cluster)
        self._pipeline = ScriptPipeline(self._client, clock)
        self._polls = Polls()
        self._leases = Leases()
        self._membership = Membership(self._pipeline, self._index, self._process, self._take_over, self._look_again,
                                      tell)
        self._reader = Reader(self._client, (self._index.channel + self._process, self._index.everybody), self._hear,
                              self._on_gap)
        self._tasks: list[asyncio.Task[None]] = []
        self._creating: Counter[str] = Counter()
        self._dropped = 0
        self._is_ending = False

    async def start(self) -> None:
        await self._membership.beat()
        self._tasks = [asyncio.get_running_loop().create_task(run())
                       for run in (self._membership.run, self._reader.run)]

    async def stop(self) -> None:
        for task in self._tasks:
            await end_task(task)
        await self._membership.leave()
        await self._pipeline.close()

    @property
    def others(self) -> int:
        return self._membership.others

    def _look_again(self) -> None:
        """What others have told may not have been heard."""
        self._polls.wake_all()
        self._leases.wake_all()

    def _on_gap(self) -> None:
        self._look_again()
        self._membership.hurry()  # which tells whether Redis is away

    def _hear(self, message: bytes) -> None:
        kind, text = message[:1], message[1:].decode()
        if kind == b"p":
            self._polls.wake(text)
        elif kind == b"r":
            self._leases.wake(text)
        elif kind == b"a":
            self._membership.hurry()
        elif kind == b"e":
            epoch, _, name = text.partition(" ")
            self._leases.drop(name, int(epoch))

    async def _call(self, script: Script, name: str, *arguments: Field) -> Any:
        """Carry out a script of one session."""
        return await self._pipeline.call(script, session_keys(self._prefix, name), str(self._limits.idle_seconds),
                                         self._process, name, self._index.channel, *arguments)

    async def create(self, key: SessionKey, opening: Opening) -> bool:
        name = name_of(key)
        self._creating[name] += 1
        try:
            epoch = await self._reserve(name, key, opening)
            state, owner = await self._call(CREATE, name, epoch, opening.tenant_id, opening_text(opening))
        except StoreAway:
            self._membership.doubt()  # it may be there now, and its agent is to be run
            raise
        finally:
            self._creating[name] -= 1
            self._creating += Counter()  # leaves out what is 0
        if state == 1:
            self._begin(Lease(key, epoch, opening, (), Playback(), wake_event()), self._limits.idle_seconds)
            return True
        if owner.decode() != self._process:
            await self._disown(name)
        if state < 0:
            raise SessionExists
        return False

    async def _reserve(self, name: str, key: SessionKey, opening: Opening) -> int:
        index, limits = self._index, self._limits
        keys = [index.sessions, index.scope(key.scope), index.tenant(opening.tenant_id), index.owned(self._process),
                index.processes, index.epoch]
        epoch: int = await self._pipeline.call(RESERVE, keys, name, opening.tenant_id, limits.sessions,
                                               limits.sessions_per_tenant, self._process, str(LIFE_SECONDS))
        if epoch == -1:
            raise TooManySessions(f"there are {limits.sessions} sessions, which is the limit")
        if epoch == -2:
            raise TooManySessions(f"the tenant has {limits.sessions_per_tenant} sessions, which is the limit")
        return epoch

    def _begin(self, lease: Lease, idle_seconds: float, error: str = "") -> None:
        self._leases.add(lease, self._clock() + idle_seconds)
        if not error:
            self.run(lease)

    async def post(self, key: SessionKey, inputs: Sequence[Input], sequence: int | None) -> str:
        name = name_of(key)
        state, *more = await self._call(POST, name, -1 if sequence is None else sequence, self._limits.waiting_bytes,
                                        _MOST_INPUTS, *input_fields(inputs))
        if state == 0:
            raise SessionGone
        if state < 0:
            raise TooMuchAudio
        is_here, error = more
        if is_here:
            self._leases.wake(name)
        return str(error.decode())

    async def take(self, key: SessionKey, seconds: float, heard: int | None, received: int | None,
                   is_wanted: Callable[[], Awaitable[bool]]) -> Taken:
        name = name_of(key)
        poll = self._polls.enter(name)
        try:
            taken = await self._take_now(name, 0 if self._is_ending else seconds, heard, received)
            if taken.is_empty and seconds > 0 and not self._is_ending:
                if self._polls.waiting(name) >= self._limits.polls_per_session:
                    raise TooManyPolls
                taken = await self._wait(name, poll, seconds, received, is_wanted)
            return taken
        finally:
            self._polls.leave(name, poll)

    async def _wait(self, name: str, poll: Poll, seconds: float, received: int | None,
                    is_wanted: Callable[[], Awaitable[bool]]) -> Taken:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        taken = Taken(position=received or 0)
        poll.is_waiting = True
        try:
            while taken.is_empty and not self._is_ending and (left := deadline - loop.time()) > 0:
                await poll.wait(left)
                if not await is_wanted():
                    break
                left = 0.0 if self._is_ending else max(0.0, deadline - loop.time())
                taken = await self._take_now(name, left, None, received)
        finally:
            poll.is_waiting = False
        return taken

    async def _take_now(self, name: str, seconds: float, heard: int | None, received: int | None) -> Taken:
        state, *answer = await self._call(TAKE, name, -1 if heard is None else heard,
                                          -1 if received is None else received, self._limits.piece_bytes, str(seconds),
                                          _MOST_INPUTS)
        if state == 0:
            raise SessionGone
        if answer.pop():
            self._leases.wake(name)
        return read_taken(answer)

    async def state(self, key: SessionKey) -> SessionState:
        found = await self._call(STATE, name_of(key))
        if not found:
            raise SessionGone
        return read_state(found)

    async def states(self, scope: str) -> Sequence[SessionState]:
        names = await self._pipeline.call(NAMES, [self._index.scope(scope)])
        found = await asyncio.gather(*(self._call(STATE, name.decode()) for name in names))
        return [read_state(values) for values in found if values]

    async def end(self, key: SessionKey) -> SessionState:
        name = name_of(key)
        state, *more = await self._call(END, name, "")
        if state == 0:
            raise SessionGone
        await self._ended(name, more)
        return read_state(more[0])

    async def _ended(self, name: str, more: Sequence[Any]) -> None:
        _, owner, polls_wait = more
        if polls_wait:
            self._polls.wake(name)
        self._leases.drop(name)
        try:
            await self._forget(name, owner.decode())
        except StoreAway:
            self._membership.doubt()  # the index is put right by whoever takes its owner's sessions over

    async def _forget(self, name: str, owner: str) -> None:
        index = self._index
        await self._pipeline.call(FORGET, [index.sessions, index.scope(key_of(name).scope), index.owned(owner)], name,
                                  index.tenants)

    async def read(self, lease: Lease) -> Sequence[Input]:
        held = self._leases.of(lease)
        state, *more = await self._patiently(held, READ, lease.epoch)
        entries = [(int(number.partition(b"-")[0]), read_input(*fields)) for number, fields in more[0]]
        held.last_read = entries[-1][0] if entries else 0
        held.bytes_read = sum(len(one) for _, one in entries if isinstance(one, bytes))
        return [one for _, one in entries]

    async def commit(self, lease: Lease, commit: Commit) -> None:
        held, name, limits, playback = self._leases.of(lease), name_of(lease.key), self._limits, commit.playback
        held.commits += 1
        last, size = (held.last_read, held.bytes_read) if commit.read else (0, 0)
        _, left, dropped, polls_wait = await self._patiently(
            held, COMMIT, lease.epoch, held.commits, last, size, commit.error, playback.given, playback.heard,
            playback.delivered, limits.piece_bytes, limits.unplayed_bytes, len(commit.lines), len(commit.actions),
            *line_texts(commit.lines), *action_texts(commit.actions), *piece_fields(commit.pieces))
        self._dropped += dropped
        if left:
            lease.wake.set()
        if polls_wait:
            self._polls.wake(name)

    async def _patiently(self, held: Held, script: Script, *arguments: Field) -> Any:
        """Carry out a script of who runs an agent; while Redis is away, so is the agent. Raise SessionGone.

        A commit has a number, so that one whose answer was lost may be asked for again.
        """
        name = name_of(held.lease.key)
        while True:
            try:
                answer = await self._call(script, name, *arguments)
            except StoreAway:
                await asyncio.sleep(_AWAY_SECONDS)
                self._leases.of(held.lease)
                continue
            if answer[0] == 0:
                if name in self._leases and self._leases.of(held.lease) is held:
                    self._leases.drop(name)
                raise SessionGone
            return answer

    async def _take_over(self, name: str, epoch: int, live: Sequence[str]) -> None:
        if name in self._leases:
            return
        state, *more = await self._call(TAKE_OVER, name, epoch, *live)
        if state == 1:
            opening, error, given, heard, delivered, idle_ms, lines = more
            playback = Playback(int(given), int(heard), int(delivered))
            lease = Lease(key_of(name), epoch, read_opening(opening), read_lines(lines), playback, wake_event())
            self._tell(f"call {lease.opening.call_id} goes on here: the process that ran its agent has ended")
            self._begin(lease, idle_ms / 1000, error.decode())
        elif state == -1:
            await self._forget(name, self._process)
        elif not more[0]:
            await self._disown(name)

    async def _disown(self, name: str) -> None:
        """Have the index know that this process does not run the agent."""
        if not self._creating[name]:
            await self._pipeline.call(DISOWN, [self._index.owned(self._process)], name)

    async def check(self) -> None:
        await self._pipeline.call(NAMES, [self._index.scope("")])

    async def sweep(self) -> int:
        count = 0
        for name, held in self._leases.due(self._clock()):
            try:
                count += await self._expire(name, held)
            except StoreAway:
                break
        return count

    async def _expire(self, name: str, held: Held) -> int:
        state, *more = await self._call(END, name, "idle")
        if state < 0:
            held.check_at = self._clock() + math.ceil(more[0]) / 1000
        elif state == 0:
            self._leases.drop(name, held.lease.epoch)
        else:
            await self._ended(name, more)
        return int(state == 1)

    def release_polls(self) -> None:
        self._is_ending = True
        self._polls.wake_all()

    @property
    def figures(self) -> Mapping[str, int]:
        return {"sessions": len(self._leases), "polls_waiting": self._polls.waiting(), "dropped_bytes": self._dropped}
