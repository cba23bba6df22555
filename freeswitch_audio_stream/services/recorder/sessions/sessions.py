"""All sessions: begun, found, completed, and after a crash taken up again. On the event loop."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Coroutine

from ....errors import AudioStreamError
from ..engines.interface import Engine
from ..settings import AudioSettings, ServiceSettings
from ..storage.catalogue import SessionFilter, SessionRow, Status
from ..storage.interface import Interrupted, Recording, StoreError, Unfinished
from .session import Session
from .waveforms import Waveforms
from .webhooks import Webhooks

_SWEEP_SECONDS = 1.0
_RETENTION_SECONDS = 600.0
_RETENTION_PAGE = 100
_MB = 1_000_000


class TooManySessions(AudioStreamError):
    """A limit of sessions is reached: which."""


@dataclass
class Counters:
    """What has happened since the start; for metrics."""

    sessions: int = 0
    chunks: int = 0
    received: int = 0
    failures: int = 0
    expired: int = 0
    """Deleted because of their age."""


class Sessions:
    """Every active session has one object here; those that have ended are in the catalogue."""

    def __init__(self, engine: Engine, audio: AudioSettings, service: ServiceSettings, webhooks: Webhooks,
                 tell: Callable[[str], None]) -> None:
        self.webhooks = webhooks
        self.store = engine.store
        self.catalogue = engine.catalogue
        self.derived = engine.derived
        self.audio = audio
        self.active: dict[str, Session] = {}
        self.waveforms = Waveforms(engine.store, engine.derived,
                                   lambda error: tell(f"defect of the waveforms: {error!r}"))
        self.counters = Counters()
        self._ownership = engine.ownership
        self._service = service
        self._tell = tell
        self._taking: dict[str, asyncio.Task[Session | None]] = {}
        self._used: dict[str, int] = {}
        """Bytes of samples of users in sessions that have ended."""
        self._beginning: set[str] = set()

    async def open(self) -> None:
        """Take up what was unfinished when the service ended, however it did."""
        await self._ownership.open(self.drop)
        for unfinished in list(self.store.unfinished.values()):
            await self._take_up(unfinished)
        if not self._ownership.is_shared:
            rows, _ = await self.catalogue.find(SessionFilter(status=Status.ACTIVE), 1_000_000)
            for row in rows:
                if row.id not in self.active:
                    await self._complete(row)

    async def stop(self) -> None:
        """Let go of all sessions: they go on at the next start, or on another replica."""
        for session in list(self.active.values()):
            if not self._ownership.is_shared:  # otherwise it is stored already, and may go on elsewhere by now
                await self.catalogue.put(session.current())
        self.waveforms.stop()

    async def _take_up(self, unfinished: Unfinished) -> Session:
        """Go on with a session whose connections another process had, or this one before its start."""
        row = await self.catalogue.get(unfinished.recording.id) or _row(unfinished.recording)
        row = replace(row, status=Status.ACTIVE, closed=None, degraded=row.degraded or unfinished.damage)
        session = await self._activate(row)
        await session.decode_again()
        await self.catalogue.put(session.current())
        return session

    async def take(self, id: str) -> Session | None:
        """Return an active session, which is taken from the replica that has it, or had; None where there is none.

        Raise StoreError.
        """
        if id in self.active:
            return self.active[id]
        return await self._once(id, lambda: self._take(id))

    async def _once(self, id: str, take: Callable[[], Coroutine[Any, Any, Session | None]]) -> Session | None:
        """Return what `take` returns; whoever asks for the same session meanwhile gets the same."""
        if id not in self._taking:
            task = self._taking[id] = asyncio.ensure_future(take())
            task.add_done_callback(lambda done: self._taking.pop(id))
        return await asyncio.shield(self._taking[id])

    async def _take(self, id: str) -> Session | None:
        unfinished = await self._ownership.take(id)
        return await self._take_up(unfinished) if unfinished is not None else None

    def drop(self, id: str, why: str) -> None:
        """A session goes on elsewhere, or when its client comes again: its connections here are closed."""
        session = self.active.pop(id, None)
        if session is not None:
            session.interrupt(why)

    async def _complete(self, row: SessionRow) -> None:
        """The row of a session that was finished just before its process ended, and says that it is active."""
        try:
            stored = await self.store.stored(row.id)
        except Interrupted:
            raise
        except StoreError as error:
            done = replace(row, status=Status.ERROR, closed=time.time(), error=str(error))
        else:
            done = replace(row, status=Status.COMPLETED, closed=time.time(), place=stored.place,
                           audio_bytes=stored.audio_bytes)
        await self._put_ended(done)

    async def _adopt(self) -> None:
        """Go on with what processes had that have ended."""
        await self._ownership.take_orphans()
        for id, unfinished in list(self.store.unfinished.items()):
            if id not in self.active and id not in self._beginning:
                self._tell(f"session {id} goes on here: the process that had it has ended")
                await self._once(id, partial(self._take_up, unfinished))
        for id in await self._ownership.take_ended():
            row = await self.catalogue.get(id)
            if id not in self.active and row is not None:
                await self._complete(row)

    async def begin(self, user: str, rate: int, channels: int, format: str) -> Session:
        """Begin a session; raise TooManySessions, or StoreError where it cannot be stored."""
        if len(self.active) + len(self._beginning) >= self.audio.max_concurrent_sessions:
            raise TooManySessions(f"{self.audio.max_concurrent_sessions} sessions are active, which is the limit: "
                                  "close one, or try again later")
        if user and self._service.user_sessions:
            of_user = await self._active_of(user)
            if of_user >= self._service.user_sessions:
                raise TooManySessions(f"this user has {of_user} active sessions, which is the limit: close one first")
        recording = Recording(str(uuid.uuid4()), rate, channels, user, format, time.time())
        self._beginning.add(recording.id)
        try:
            await self.store.begin(recording)
            await self.catalogue.put(_row(recording))
            session = await self._activate(_row(recording))
        finally:
            self._beginning.discard(recording.id)
        self.counters.sessions += 1
        return session

    async def _active_of(self, user: str) -> int:
        if self._ownership.is_shared:
            return (await self.catalogue.usage(user))[1]
        return sum(session.row.user == user for session in self.active.values())

    async def _activate(self, row: SessionRow) -> Session:
        if row.user not in self._used:
            self._used[row.user] = (await self.catalogue.usage(row.user))[0]
        session = self.active[row.id] = Session(
            row, self.store, lambda: self._most_bytes(row), self.audio.max_session_duration_hours * 3600.0,
            self.audio.ffmpeg_loglevel, self._tell)
        return session

    def _most_bytes(self, row: SessionRow) -> int | None:
        if not self._service.user_quota_mb or not row.user:
            return None
        others = sum(session.current().audio_bytes for session in self.active.values()
                     if session.row.user == row.user and session.row.id != row.id)
        return max(0, self._service.user_quota_mb * _MB - self._used[row.user] - others)

    async def find(self, id: str) -> SessionRow | None:
        """Return a session, active or not; None where there is none."""
        session = self.active.get(id)
        return session.current() if session else await self.catalogue.get(id)

    async def close(self, session: Session, error: str = "") -> SessionRow:
        """Complete a session, or end it with an error, and return its final state; whoever asks second waits."""
        if session.is_closing:
            return await asyncio.shield(session.closed)
        session.is_closing = True
        session.error = error
        try:
            await session.finish_sources()
            stored = await self.store.finish(session.row.id)
        except Interrupted as interruption:
            self.drop(session.row.id, str(interruption))
            raise
        except StoreError as failure:
            self._tell(f"session {session.row.id} cannot be finished: {failure}")
            row = replace(session.current(), status=Status.ERROR, closed=time.time(), error=error or str(failure))
        else:
            row = replace(session.current(), status=Status.ERROR if error else Status.COMPLETED, closed=time.time(),
                          place=stored.place, audio_bytes=stored.audio_bytes)
        if row.status is Status.ERROR:
            self.counters.failures += 1
        self._used[row.user] = self._used.get(row.user, 0) + row.audio_bytes
        try:
            await self._put_ended(row)
        except StoreError as failure:  # it is finished, and whoever looks after it next says so
            self.drop(session.row.id, str(failure))
            raise
        self.active.pop(row.id, None)
        session.closed.set_result(row)
        return row

    async def _put_ended(self, row: SessionRow) -> None:
        await self.catalogue.put(row, self.webhooks.deliveries(row))
        self.webhooks.stored()

    async def delete(self, id: str) -> bool:
        """Remove a session and its recording; return False where there is none."""
        session = await self.take(id)
        if session is not None:
            await self.close(session)
        row = await self.catalogue.get(id)
        if row is None:
            return False
        await self.store.delete(id)
        await self.catalogue.remove(id)
        if row.user in self._used:
            self._used[row.user] = (await self.catalogue.usage(row.user))[0]
        return True

    async def sweep(self) -> None:
        """Complete sessions that nobody is connected to, or that have lasted too long, and delete recordings that have
        been kept for long enough; runs until it is cancelled.
        """
        next_deletion = time.monotonic()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            if not self._ownership.is_shared and time.monotonic() >= next_deletion:
                await self.delete_old()
                next_deletion = time.monotonic() + _RETENTION_SECONDS
            try:
                await self._adopt()
            except StoreError as error:
                self._tell(f"sessions of processes that have ended are not looked after now: {error}")
            for session in list(self.active.values()):
                try:
                    await self._check(session)
                except Exception as error:
                    self._tell(f"session {session.row.id} cannot be completed: {error}")

    async def delete_old(self) -> None:
        """Delete recordings that have been kept for long enough."""
        if not self._service.retention_days:
            return
        before = time.time() - 86_400.0 * self._service.retention_days
        skipped = 0
        while True:
            rows, _ = await self.catalogue.find(SessionFilter(closed_before=before), _RETENTION_PAGE, skipped)
            if not rows:
                return
            for row in rows:
                try:
                    await self.delete(row.id)
                    self.counters.expired += 1
                except StoreError as error:
                    skipped += 1
                    self._tell(f"session {row.id}, which is older than {self._service.retention_days} days, cannot be "
                               f"deleted: {error}")

    async def _check(self, session: Session) -> None:
        silent = not session.inputs and time.monotonic() - session.idle_since > self.audio.connection_timeout_seconds
        if silent or self.has_lasted_too_long(session):
            await self.close(session)

    def has_lasted_too_long(self, session: Session) -> bool:
        """Return whether it has reached the longest duration, by the clock or by its samples."""
        most = self.audio.max_session_duration_hours * 3600
        return time.time() - session.row.created > most or session.seconds > most


def _row(recording: Recording) -> SessionRow:
    return SessionRow(recording.id, recording.user, recording.rate, recording.channels, recording.format, Status.ACTIVE,
                      recording.created, recording.created)
