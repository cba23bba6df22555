"""The queue of jobs, and this process's share of its work. Jobs outlive the process that has asked for them.

A job is begun anew where the process that was at it has ended. What nobody has asked for, since a crash came between a
recording's end and the asking, is found within a minute. Jobs of one recording do not wait for each other: one whose
process has ended would hold up the rest.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Awaitable, Callable, Sequence

from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.tasks import Task

from ..storage.interface import Interrupted
from ..storage.postgres.recordings import Recordings
from .work import Work

QUEUE = "recorder"
_AT_ONCE = 4
_WAIT_SECONDS = 30.0
"""For a recording to be composed, before its session is said to be completed all the same."""
_LOOK_SECONDS = 0.1
_FORGOTTEN_SECONDS = 60.0
_BEAT_SECONDS = 2.0
_STALLED_SECONDS = 10
"""For which a process has not said that it works."""
_STOP_SECONDS = 10.0
_RETRY = RetryStrategy(max_attempts=10, wait=2, linear_wait=10)
_EVERY_TEN_SECONDS, _EVERY_TEN_MINUTES = "* * * * * */10", "*/10 * * * *"


class JobQueue:
    """For an event loop."""

    def __init__(self, url: str, work: Work, recordings: Recordings, formats: Sequence[str],
                 tell: Callable[[str], None]) -> None:
        """`formats` are those that every finished recording is encoded in."""
        self._work = work
        self._recordings = recordings
        self._formats = formats
        self._tell = tell
        self._delete_old: Callable[[], Awaitable[None]]
        self._task: asyncio.Task[None] | None = None
        self._joined: dict[str, int] = {}
        self._app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=_AT_ONCE + 3))
        self._tasks = {_name(function): self._add(function) for function in (
            self._compose, self._join, self._encode, self._waveform)}
        for function, cron in ((self._look_after, _EVERY_TEN_SECONDS), (self._collect, _EVERY_TEN_MINUTES),
                               (self._retain, _EVERY_TEN_MINUTES)):
            name = _name(function)
            self._app.periodic(cron=cron)(self._app.task(name=name, queue=QUEUE, queueing_lock=name)(function))

    def _add(self, function: Callable[..., Awaitable[None]]) -> Task[Any, Any, Any]:
        return self._app.task(name=_name(function), queue=QUEUE, retry=_RETRY)(function)

    async def open(self, delete_old: Callable[[], Awaitable[None]]) -> None:
        """Begin to work. `delete_old` deletes the recordings that have been kept for long enough."""
        self._delete_old = delete_old
        await self._app.open_async()
        self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """End; what is being done is finished, or begun anew by another process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._app.close_async()

    async def _run(self) -> None:
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE], concurrency=_AT_ONCE, install_signal_handlers=False, delete_jobs="successful",
                    shutdown_graceful_timeout=_STOP_SECONDS, fetch_job_polling_interval=2.0,
                    update_heartbeat_interval=_BEAT_SECONDS, stalled_worker_timeout=_STALLED_SECONDS)
            except Exception as error:  # the database was away
                self._tell(f"background jobs cannot be done for now: {error!r}")
            await asyncio.sleep(1.0)

    # Asking for work.

    async def compose(self, id: str) -> None:
        """Have a recording composed; return when it is, or when that takes too long. Raise Interrupted."""
        await self._defer("compose", id)
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            known = await self._recordings.known(id)
            if known is None or known.is_composed:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def join(self, id: str) -> None:
        """Have segments of a recording joined that goes on."""
        await self._defer("join", id)

    async def _defer(self, name: str, id: str, **more: str) -> None:
        lock = "-".join((name, id, *more.values()))
        try:
            await self._tasks[name].configure(lock=lock, queueing_lock=lock).defer_async(id=id, **more)
        except AlreadyEnqueued:
            pass
        except ConnectorException as error:
            raise Interrupted(f"the database does not take a job ({error})") from error

    # The work.

    async def _compose(self, id: str) -> None:
        await self._work.composer.compose(id)
        self._joined.pop(id, None)
        await self._defer("waveform", id)
        for kind in self._formats:
            await self._defer("encode", id, kind=kind)

    async def _join(self, id: str) -> None:
        self._joined[id] = await self._work.composer.join(id, self._joined.get(id, 0))

    async def _encode(self, id: str, kind: str) -> None:
        await self._work.encode(id, kind)

    async def _waveform(self, id: str) -> None:
        await self._work.waveform(id)

    async def _look_after(self, timestamp: int) -> None:
        """Jobs whose process has ended, and recordings for which nobody has asked."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=_STALLED_SECONDS):
            await manager.retry_job(job)
        for id in await self._recordings.to_compose(_FORGOTTEN_SECONDS):
            await self._defer("compose", id)

    async def _collect(self, timestamp: int) -> None:
        removed = await self._work.composer.collect()
        if removed:
            self._tell(f"{removed} objects that crashes had left are removed")

    async def _retain(self, timestamp: int) -> None:
        await self._delete_old()


def _name(function: Callable[..., Awaitable[None]]) -> str:
    return function.__name__.strip("_")
