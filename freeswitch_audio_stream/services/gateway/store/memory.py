"""Sessions in the memory of one process, which runs all of their agents."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import Awaitable, Callable, Deque, Mapping, Sequence

from .interface import (Commit, Delivered, Heard, Input, Lease, Limits, Opening, Playback, SessionExists, SessionGone,
                        SessionKey, SessionState, SessionStore, TooManyPolls, TooManySessions, TooMuchAudio)
from .pieces import PieceQueue, Taken


def _settle(poller: asyncio.Future[None]) -> None:
    if not poller.done():
        poller.set_result(None)


class _Session:
    def __init__(self, key: SessionKey, opening: Opening, limits: Limits, now: float) -> None:
        self.state = SessionState(opening, now, now)
        self.pieces = PieceQueue(limits.piece_bytes, limits.unplayed_bytes)
        self.inputs: Deque[Input] = deque()
        self.waiting_bytes = 0
        self.sequence = -1
        self.pollers: Deque[asyncio.Future[None]] = deque()
        self.is_over = False
        self.lease = Lease(key, 1, opening, (), Playback(), asyncio.Event())

    def wake_pollers(self) -> None:
        for poller in self.pollers:
            _settle(poller)

    def hand(self, one: Input) -> None:
        if not self.state.error:  # else nobody would read it
            self.inputs.append(one)
            self.lease.wake.set()


class MemoryStore(SessionStore):
    """See `SessionStore`."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self.run = lambda lease: None
        self._limits = limits
        self._clock = clock
        self._sessions: dict[SessionKey, _Session] = {}
        self._per_tenant: Counter[str] = Counter()
        self._polls = 0
        self._dropped = 0
        self._is_ending = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    @property
    def others(self) -> int:
        return 0

    async def create(self, key: SessionKey, opening: Opening) -> bool:
        session = self._sessions.get(key)
        if session is not None:
            if session.state.opening.tenant_id != opening.tenant_id:
                raise SessionExists
            return False
        if len(self._sessions) >= self._limits.sessions:
            raise TooManySessions(f"there are {self._limits.sessions} sessions, which is the limit")
        if self._per_tenant[opening.tenant_id] >= self._limits.sessions_per_tenant:
            raise TooManySessions(f"the tenant has {self._limits.sessions_per_tenant} sessions, which is the limit")
        session = self._sessions[key] = _Session(key, opening, self._limits, self._clock())
        self._per_tenant[opening.tenant_id] += 1
        self.run(session.lease)
        return True

    async def post(self, key: SessionKey, inputs: Sequence[Input], sequence: int | None) -> str:
        session = self._active(key)
        if sequence is not None and sequence <= session.sequence:
            return session.state.error
        if session.state.error:
            return session.state.error
        size = sum(len(one) for one in inputs if isinstance(one, bytes))
        if session.waiting_bytes and session.waiting_bytes + size > self._limits.waiting_bytes:
            raise TooMuchAudio
        if sequence is not None:
            session.sequence = sequence
        session.waiting_bytes += size
        for one in inputs:
            session.hand(one)
        return ""

    async def take(self, key: SessionKey, seconds: float, heard: int | None, received: int | None,
                   is_wanted: Callable[[], Awaitable[bool]]) -> Taken:
        session = self._active(key)
        if heard is not None:
            session.hand(Heard(heard, True))
        taken = self._take_now(session, received)
        if taken.is_empty and seconds > 0 and not self._is_ending:
            if len(session.pollers) >= self._limits.polls_per_session:
                raise TooManyPolls
            taken = await self._wait(session, seconds, received, is_wanted)
        return taken

    async def _wait(self, session: _Session, seconds: float, received: int | None,
                    is_wanted: Callable[[], Awaitable[bool]]) -> Taken:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        taken = Taken(position=received or 0)
        self._polls += 1
        try:
            while taken.is_empty and not self._is_ending and (left := deadline - loop.time()) > 0:
                await self._woken(session, left)
                if not await is_wanted():
                    break
                if session.is_over:
                    raise SessionGone
                taken = self._take_now(session, received)
        finally:
            self._polls -= 1
        session.state.last_activity = self._clock()
        return taken

    async def _woken(self, session: _Session, seconds: float) -> None:
        """One timer and one future are all that a poll costs while it waits."""
        loop = asyncio.get_running_loop()
        poller: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _settle, poller)
        session.pollers.append(poller)
        try:
            await poller
        finally:
            timer.cancel()
            session.pollers.remove(poller)

    def _take_now(self, session: _Session, received: int | None) -> Taken:
        taken, fresh = session.pieces.take(received)
        if fresh or taken.clear:
            session.hand(Delivered(fresh, taken.clear))
        return taken

    async def state(self, key: SessionKey) -> SessionState:
        return self._find(key).state

    async def states(self, scope: str) -> Sequence[SessionState]:
        return [session.state for key, session in self._sessions.items() if key.scope == scope]

    async def end(self, key: SessionKey) -> SessionState:
        session = self._find(key)
        self._remove(key, session)
        return session.state

    def _remove(self, key: SessionKey, session: _Session) -> None:
        del self._sessions[key]
        tenant = session.state.opening.tenant_id
        self._per_tenant[tenant] -= 1
        if not self._per_tenant[tenant]:
            del self._per_tenant[tenant]
        self._dropped += session.pieces.dropped_bytes
        session.is_over = True
        session.lease.wake.set()
        session.wake_pollers()

    async def read(self, lease: Lease) -> Sequence[Input]:
        return list(self._leased(lease).inputs)

    async def commit(self, lease: Lease, commit: Commit) -> None:
        session = self._leased(lease)
        for _ in range(commit.read):
            one = session.inputs.popleft()
            session.waiting_bytes -= len(one) if isinstance(one, bytes) else 0
        session.state.lines += commit.lines
        session.state.actions += commit.actions
        session.state.error = commit.error or session.state.error
        if commit.pieces:
            session.pieces.add(commit.pieces)
            session.wake_pollers()

    async def check(self) -> None:
        pass

    async def sweep(self) -> int:
        before = self._clock() - self._limits.idle_seconds
        idle = [(key, session) for key, session in self._sessions.items()
                if session.state.last_activity <= before and not session.pollers]
        for key, session in idle:
            self._remove(key, session)
        return len(idle)

    def release_polls(self) -> None:
        self._is_ending = True
        for session in self._sessions.values():
            session.wake_pollers()

    @property
    def figures(self) -> Mapping[str, int]:
        dropped = self._dropped + sum(session.pieces.dropped_bytes for session in self._sessions.values())
        return {"sessions": len(self._sessions), "polls_waiting": self._polls, "dropped_bytes": dropped}

    def _active(self, key: SessionKey) -> _Session:
        session = self._find(key)
        session.state.last_activity = self._clock()
        return session

    def _find(self, key: SessionKey) -> _Session:
        session = self._sessions.get(key)
        if session is None:
            raise SessionGone
        return session

    def _leased(self, lease: Lease) -> _Session:
        session = self._sessions.get(lease.key)
        if session is None or session.lease is not lease:
            raise SessionGone
        return session
