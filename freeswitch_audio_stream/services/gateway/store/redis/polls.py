"""The polls that wait in this process."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Deque


class Poll:
    """One that waits, or is about to: what wakes it before it waits is not lost."""

    def __init__(self) -> None:
        self.is_waiting = False
        self.woken = False
        self._future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Have `wait` return, now or as soon as it is called."""
        self.woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Return when it is woken, or after so many seconds. One timer and one future are all that it costs."""
        if self.woken:
            self.woken = False
            return
        loop = asyncio.get_running_loop()
        self._future = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await self._future
        finally:
            timer.cancel()
            self._future, self.woken = None, False


class Polls:
    """By the names of their sessions."""

    def __init__(self) -> None:
        self._polls: dict[str, Deque[Poll]] = {}

    def enter(self, name: str) -> Poll:
        """Return a poll of that session, which hears of what is said from now on."""
        poll = Poll()
        self._polls.setdefault(name, deque()).append(poll)
        return poll

    def leave(self, name: str, poll: Poll) -> None:
        """Undo `enter`."""
        polls = self._polls[name]
        polls.remove(poll)
        if not polls:
            del self._polls[name]

    def waiting(self, name: str | None = None) -> int:
        """Return how many wait, of one session or of all."""
        lists = self._polls.values() if name is None else [self._polls.get(name, ())]
        return sum(poll.is_waiting for polls in lists for poll in polls)

    def wake(self, name: str) -> None:
        """Have those of a session look again."""
        for poll in self._polls.get(name, ()):
            poll.wake()

    def wake_all(self) -> None:
        """Have all look again."""
        for polls in self._polls.values():
            for poll in polls:
                poll.wake()
