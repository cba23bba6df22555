"""What every catalogue of sessions does. It tells what there is; what a recording holds, the store knows."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol, Sequence


class Status(str, enum.Enum):
    """Of a session, as clients see it."""

    ACTIVE = "active"
    COMPLETED = "completed"
    ERROR = "error"


@dataclass(frozen=True)
class SessionRow:
    """One session."""

    id: str
    user: str
    rate: int
    """Hz."""
    channels: int
    format: str
    status: Status
    created: float
    """Seconds since 1970, as `updated` and `closed`."""
    updated: float
    closed: float | None = None
    chunks: int = 0
    received: int = 0
    """Bytes of all chunks."""
    audio_bytes: int = 0
    """Of samples."""
    place: str = ""
    """Of the WAV file."""
    degraded: str = ""
    """What the recording misses, in words; empty: nothing."""
    error: str = ""
    """Why it has failed."""


@dataclass(frozen=True)
class SessionFilter:
    """Which sessions are meant; None: any."""

    user: str | None = None
    status: Status | None = None
    since: float | None = None
    """Created then or later."""
    before: float | None = None
    """Created before then."""
    closed_before: float | None = None
    """Ended before then."""


@dataclass(frozen=True)
class Delivery:
    """What is to be told to a webhook."""

    id: str
    url: str
    body: str
    created: float
    """Seconds since 1970, as `due`."""
    due: float = 0.0
    """When it is to be tried next."""
    attempts: int = 0


class Catalogue(Protocol):
    """One for a process. All methods are for its event loop, and none blocks it."""

    async def put(self, row: SessionRow, deliveries: Sequence[Delivery] = ()) -> None:
        """Add a session, or replace it, and add deliveries: all of it or nothing. On return it is durable."""

    async def get(self, id: str) -> SessionRow | None:
        """Return a session; None where there is none."""

    async def find(self, which: SessionFilter, limit: int, offset: int = 0) -> tuple[Sequence[SessionRow], int]:
        """Return a page of sessions, the newest first, and how many there are in all."""

    async def usage(self, user: str) -> tuple[int, int]:
        """Return the bytes of samples of a user's sessions that have ended, and how many are active."""

    async def remove(self, id: str) -> None:
        """Forget a session. Forgetting none is no error."""

    async def retry_deliveries(self, urls: Sequence[str]) -> None:
        """Make all deliveries due now, and forget those to other URLs than these."""

    async def next_delivery(self, url: str) -> Delivery | None:
        """Return the delivery to a URL that is due first; None where there is none."""

    async def postpone(self, id: str, due: float, attempts: int) -> None:
        """Try a delivery again at that time."""

    async def delivered(self, id: str) -> None:
        """Forget a delivery."""

    async def close(self) -> None:
        """Let go of what is open."""
