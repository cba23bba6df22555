"""Clients that attach to a call: who they are, how many there may be, and the end of their handshake."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Callable

from ...errors import CapacityRefused, ConnectError
from ...transports import Connection
from .connector import Outcome

PREFIX = "media-"
"""What the stream id of a client begins with; a number follows that is unique on its call."""


@dataclass(frozen=True)
class MediaClient:
    """A client that was let in. `place` is what its clients are counted by: its call, or its conference."""

    uuid: str
    """Of the call."""
    place: str
    protocol: str
    """One of protocols.PROTOCOLS."""
    peer: str
    """Address and port."""
    resource: str
    """What it asked for, without its token: told where other streams tell their server's URL."""
    conference: str | None = None
    on_left: Callable[[], None] = lambda: None
    """Called on a dispatcher when its stream is over and the call let go."""


class ClientLimits:
    """How many clients there are, in all and in each place. Any thread."""

    def __init__(self, in_all: int, in_a_place: int) -> None:
        """The limits."""
        self._in_all, self._in_a_place = in_all, in_a_place
        self._places: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, place: str) -> None:
        """Count a client; raise CapacityRefused if it is one too many."""
        with self._lock:
            if self._places.total() >= self._in_all:
                raise CapacityRefused(f"{self._in_all} clients are attached already: raise media-server-max-clients in "
                                      "audio_stream.conf.xml, or come back later")
            if self._places[place] >= self._in_a_place:
                raise CapacityRefused(f"{self._in_a_place} clients are attached to it already: raise "
                                      "media-server-max-clients-per-call in audio_stream.conf.xml, or come back later")
            self._places[place] += 1

    def leave(self, place: str) -> None:
        """Undo `enter`."""
        with self._lock:
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]

    def count(self, place: str) -> tuple[int, int]:
        """Return how many clients that place has, and how many there are in all."""
        with self._lock:
            return self._places[place], self._places.total()


class PendingConnection:
    """The end of a client's handshake: for a `Link` what a `Connector` is, but the connection comes to us.

    `arrive` or `fail` is called once, on any thread; whichever comes first of that and `begin`, the outcome is told
    when both have been.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None
        self._on_done: Callable[[PendingConnection, Outcome], None] | None = None

    def begin(self, on_done: Callable[[PendingConnection, Outcome], None]) -> None:
        """Have the outcome told."""
        with self._lock:
            self._on_done, outcome = on_done, self._outcome
        if outcome is not None:
            on_done(self, outcome)

    def arrive(self, connection: Connection) -> None:
        """The handshake is done; the connection belongs to the stream from here on."""
        self._settle(connection)

    def fail(self, reason: str) -> None:
        """The client has gone before it was."""
        self._settle(ConnectError(reason))

    def cancel(self) -> None:
        """Nobody waits any more. Who has been told of a connection closes it, or else we do."""
        with self._lock:
            if self._on_done is None:
                self._on_done = _turn_away
                outcome = self._outcome
            else:
                outcome = None
        if outcome is not None:
            _turn_away(self, outcome)

    def _settle(self, outcome: Outcome) -> None:
        with self._lock:
            if self._outcome is not None:
                return
            self._outcome, on_done = outcome, self._on_done
        if on_done is not None:
            on_done(self, outcome)


def _turn_away(pending: PendingConnection, outcome: Outcome) -> None:
    if isinstance(outcome, Connection):
        outcome.close()


class CountedClient:
    """A client that counts, from before anything is done for it to its leaving. Any thread."""

    def __init__(self, place: str, limits: ClientLimits) -> None:
        """Count a client of `place`; raise CapacityRefused if it is one too many."""
        limits.enter(place)
        self._place = place
        self._limits = limits
        self._stays = [True]

    def leave(self) -> None:
        """Count it no more; a second call does nothing."""
        try:
            self._stays.pop()  # in one step: two threads may get here at once
        except IndexError:
            return
        self._limits.leave(self._place)

    def count(self) -> tuple[int, int]:
        """Return how many clients its place has, and how many there are in all."""
        return self._limits.count(self._place)


class ClientSession:
    """A client's stay, with the end of its handshake."""

    def __init__(self, client: MediaClient, counted: CountedClient) -> None:
        self.client = client
        self.pending = PendingConnection()
        self.leave, self.count = counted.leave, counted.count

    def end(self) -> None:
        """Its stream is over."""
        self.leave()
        self.pending.cancel()
        self.client.on_left()
