"""What a store of sessions does: for requests, which any process may answer, and for the one that runs the agent.

The caller's audio and reports go in, in order; what the agent says comes out, in order, each piece once. Whoever runs
a session's agent holds its lease, reads what has come in, and commits at once what was read and what came of it: where
that process ends in between, another reads the same again, and nothing was said twice.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Mapping, Sequence, Union

from ..agents.interface import Line
from ....errors import AudioStreamError
from .pieces import Piece, Taken


@dataclass(frozen=True)
class SessionKey:
    """What names a session: a caller's tenant sees its own only."""

    scope: str
    """The tenant that the API key is bound to; "" where no keys are configured."""
    call_id: str


@dataclass(frozen=True)
class Opening:
    """What a session was created with."""

    call_id: str
    tenant_id: str = ""
    store_id: str = ""
    did: str = ""
    caller_number: str = ""
    agent_ref: str = ""
    remark: str = ""
    """Why the agent is not the one that was asked for; "" where it is."""


@dataclass
class SessionState:
    """What can be asked about a session. Times are seconds since 1970."""

    opening: Opening
    created_at: float
    last_activity: float
    lines: list[Line] = field(default_factory=list)
    actions: list[Mapping[str, Any]] = field(default_factory=list)
    error: str = ""
    """Why the agent cannot go on; "" while it can."""


@dataclass(frozen=True)
class Heard:
    """The caller has heard so much in all, of what was not cleared."""

    milliseconds: int
    by_poll: bool
    """It came with a poll, which is what a client that was told to clear does next."""


@dataclass(frozen=True)
class Delivered:
    """An answer has carried so many bytes of audio, behind the order to clear what had not been played, or not."""

    audio_bytes: int
    clear: bool


Input = Union[bytes, Heard, Delivered]
"""What an agent's process reads: the caller's audio, or a report."""


@dataclass(frozen=True)
class Playback:
    """How far the caller is, in bytes; kept for who takes over."""

    given: int = 0
    heard: int = 0
    delivered: int = 0


@dataclass
class Lease:
    """The right to run a session's agent."""

    key: SessionKey
    epoch: int
    """Whoever has a lower one than the session has lost the right, and changes nothing any more."""
    opening: Opening
    lines: Sequence[Line]
    """What was said before this lease began."""
    playback: Playback
    wake: asyncio.Event
    """Is set when there is something to read, or the session has ended."""


@dataclass(frozen=True)
class Commit:
    """What becomes true at once."""

    read: int
    """How many inputs of the last `read` are done with: 0 or all of them."""
    pieces: Sequence[Piece] = ()
    lines: Sequence[Line] = ()
    actions: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    playback: Playback = Playback()


class SessionGone(Exception):
    """The session has ended or expired, or its lease is another's."""


class StoreAway(AudioStreamError):
    """Sessions cannot be reached at present; whether anything has changed is not known."""


class SessionExists(Exception):
    """The call has a session of another tenant."""


class TooManySessions(Exception):
    """The text says of which there are too many, and how many there may be."""


class TooMuchAudio(Exception):
    """More of the caller's audio waits for the agent than may."""


class TooManyPolls(Exception):
    """More polls of one session wait than may."""


@dataclass(frozen=True)
class Limits:
    """How much there may be of everything."""

    sessions: int = 1000
    sessions_per_tenant: int = 1000
    polls_per_session: int = 16
    waiting_bytes: int = 60 * 32_000
    """Of the caller's audio, waiting for a session's agent."""
    unplayed_bytes: int = 300 * 32_000
    """Of the agent's audio, waiting for a session's client; what is more is dropped and counted."""
    piece_bytes: int = 32_000
    """Of audio in one answer."""
    idle_seconds: float = 600.0


class SessionStore(ABC):
    """All on one event loop. `run` is called with each lease that this process gets.

    Where sessions are kept elsewhere, every method may raise StoreAway but `start`, `stop` and `sweep`, and `read` and
    `commit`, which wait.
    """

    run: Callable[[Lease], None]

    @abstractmethod
    async def start(self) -> None:
        """Begin; leases may come from now on. Where sessions cannot be reached yet, it goes on trying."""

    @abstractmethod
    async def stop(self) -> None:
        """Give up all leases, and let other processes have them. No agent runs any more. Called once, at the end."""

    @property
    @abstractmethod
    def others(self) -> int:
        """How many other processes would take over at once what this one gives up. On any thread."""

    @abstractmethod
    async def create(self, key: SessionKey, opening: Opening) -> bool:
        """Return True where the session is new, and False where it is there already.

        Raise SessionExists or TooManySessions.
        """

    @abstractmethod
    async def post(self, key: SessionKey, inputs: Sequence[Input], sequence: int | None) -> str:
        """Give the session's agent something. Return its error ("": it goes on).

        `sequence` numbers posts upwards: one that is not above the last was there before, and is taken once. Raise
        SessionGone or TooMuchAudio.
        """

    @abstractmethod
    async def take(self, key: SessionKey, seconds: float, heard: int | None, received: int | None,
                   is_wanted: Callable[[], Awaitable[bool]]) -> Taken:
        """Return what the agent has said; wait for it for so many seconds at most.

        Without `received` it is gone then. With it, all up to that position is gone, and what is returned will be
        returned again until a later call tells its position. Nothing is taken where, after waiting, `is_wanted` says
        that nobody is there any more. Raise SessionGone or TooManyPolls.
        """

    @abstractmethod
    async def state(self, key: SessionKey) -> SessionState:
        """Raise SessionGone where there is none."""

    @abstractmethod
    async def states(self, scope: str) -> Sequence[SessionState]:
        """Return all of a scope, the oldest first."""

    @abstractmethod
    async def end(self, key: SessionKey) -> SessionState:
        """Remove the session, and return what it was at last. Raise SessionGone."""

    @abstractmethod
    async def read(self, lease: Lease) -> Sequence[Input]:
        """Return all that has come since the last commit, without waiting; possibly nothing. Raise SessionGone."""

    @abstractmethod
    async def commit(self, lease: Lease, commit: Commit) -> None:
        """Raise SessionGone where the lease is not the current one: nothing has changed then."""

    @abstractmethod
    async def check(self) -> None:
        """Raise an exception where sessions cannot be reached at present."""

    @abstractmethod
    async def sweep(self) -> int:
        """Remove what has been idle for too long; return how many sessions that were. Called every few seconds."""

    @abstractmethod
    def release_polls(self) -> None:
        """Have all polls that wait here return with what there is: the process ends."""

    @property
    @abstractmethod
    def figures(self) -> Mapping[str, int]:
        """For the metrics, by name: sessions, polls waiting here, bytes dropped here."""
