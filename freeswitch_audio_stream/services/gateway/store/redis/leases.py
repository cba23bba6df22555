"""The sessions whose agents this process runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Iterator

from ..interface import Lease, SessionGone
from .keys import name_of


@dataclass
class Held:
    """A lease that this process has, or believes that it has: Redis knows."""

    lease: Lease
    check_at: float
    """When the session may have been idle for too long."""
    commits: int = 0
    last_read: int = 0
    """The number of the last input that was read."""
    bytes_read: int = 0


class Leases:
    """By the names of their sessions."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}

    def add(self, lease: Lease, check_at: float) -> None:
        """Hold a lease."""
        self._held[name_of(lease.key)] = Held(lease, check_at)

    def of(self, lease: Lease) -> Held:
        """Raise SessionGone where it is not held any more."""
        held = self._held.get(name_of(lease.key))
        if held is None or held.lease is not lease:
            raise SessionGone
        return held

    def drop(self, name: str, epoch: int | None = None) -> None:
        """Hold the lease of that epoch no more, or whatever it is; whoever runs its agent is woken."""
        held = self._held.get(name)
        if held is not None and epoch in (None, held.lease.epoch):
            del self._held[name]
            held.lease.wake.set()

    def wake(self, name: str) -> None:
        """Have who runs the agent read."""
        held = self._held.get(name)
        if held is not None:
            held.lease.wake.set()

    def wake_all(self) -> None:
        """Have all read, which tells them whether their leases are good."""
        for held in self._held.values():
            held.lease.wake.set()

    def due(self, now: float) -> list[tuple[str, Held]]:
        """Return those that may have been idle for too long."""
        return [(name, held) for name, held in self._held.items() if held.check_at <= now]

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def wake_event() -> asyncio.Event:
    """Return the event of a new lease: set, because something may wait already."""
    event = asyncio.Event()
    event.set()
    return event
