"""ConnectionAttempts to become connected, one after the other: to the server, or a client's that comes to us."""

from __future__ import annotations

from typing import Callable

from ...transports import Connection
from ..dispatch.dispatcher import Dispatcher
from .connector import Connector, Outcome, Reach
from .media_clients import PendingConnection


class ConnectionAttempts:
    """Only on the dispatcher."""

    def __init__(self, reach: Reach, pending: PendingConnection | None, dispatcher: Dispatcher,
                 on_outcome: Callable[[Outcome], None]) -> None:
        """`reach` connects to the server, where no client's connection is `pending`. `on_outcome` is told
        of each attempt that was not given up; a connection is then the receiver's.
        """
        self._reach = reach
        self._pending = pending
        self._dispatcher = dispatcher
        self._on_outcome = on_outcome
        self._current: Connector | PendingConnection | None = None

    def begin(self, timeout: float | None) -> None:
        """Begin one, within `timeout` seconds (None = no limit); a client's ends when its handshake does."""
        if self._pending is None:
            self._current = Connector(self._reach, timeout, self._on_done)
        else:
            self._current = self._pending
            self._pending.begin(self._on_done)

    def give_up(self) -> None:
        """Nothing is told of it any more."""
        if self._current is not None:
            self._current.cancel()
            self._current = None

    def _on_done(self, attempt: Connector | PendingConnection, outcome: Outcome) -> None:
        self._dispatcher.post(lambda: self._take(attempt, outcome))

    def _take(self, attempt: Connector | PendingConnection, outcome: Outcome) -> None:
        if attempt is self._current:
            self._current = None
            self._on_outcome(outcome)
        elif isinstance(outcome, Connection):
            outcome.abandon()
