"""Long polling: asking an HTTP server for what it has to say, on a connection of its own, again and again.

It connects by itself, again where a connection ends, and after a failure at ever longer intervals. The socket belongs
to the core's I/O loop, as that of a `Link` does.
"""

from __future__ import annotations

from typing import Callable

from ...errors import ConnectError
from ...realtime.path import MediaPath
from ...realtime.records import ATTEND_INBOX, ATTEND_PEER_PROTOCOL, ATTEND_SOCKET_BROKEN, ATTEND_SOCKET_DETACHED
from ...transports import Connection
from ...transports.http_answers import Answer, read_answer
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.timers import Timers
from .connector import Connector, Outcome, Reach
from .inbox import BINARY, Inbox
from .reconnecting import pause

_CONNECT_SECONDS = 10.0
_HELD_SECONDS = 0.5
_GRACE_SECONDS = 10.0  # in which an answer has to be there after the server's time for it is over


class Polls:
    """One poll at a time; only on the dispatcher."""

    def __init__(self, path: MediaPath, dispatcher: Dispatcher, limit: int, timeout_ms: int,
                 build: Callable[[], "bytes | None"],
                 take: Callable[[Answer], "float | None"], on_released: Callable[[], None]) -> None:
        """`limit`: bytes that an answer may have. `build` returns the next request, which the server answers within
        `timeout_ms` ms, or None where nothing is to be asked for the moment. `take` is given every answer, and returns
        the seconds until the next poll, None where the answer was a failure. `on_released` is called when a `stop` is
        over.
        """
        self._path = path
        self._dispatcher = dispatcher
        self._limit = limit
        self._patience = timeout_ms / 1000 + _GRACE_SECONDS
        self._build = build
        self._take = take
        self._on_released = on_released
        self._timers = Timers(dispatcher)
        self._reach: Reach | None = None
        self._connector: Connector | None = None
        self._connection: Connection | None = None
        self._inbox = self._make_inbox()
        self._failures = 0

    def _make_inbox(self) -> Inbox:
        return Inbox(self._path, self._limit, None, "server", lambda code, text, for_good: self._drop())

    def start(self, reach: Reach) -> None:
        """Begin to poll; `reach` connects to the server. Not before an earlier `stop` is over."""
        self._dispatcher.adopt(self._path.index, self._attend)
        self._reach, self._failures = reach, 0
        self._connect()

    def stop(self) -> None:
        """Poll no more; `on_released` is called when nothing is under way."""
        self._reach = None
        self._timers.cancel_all()
        if self._connector is not None:
            self._connector.cancel()
            self._connector = None
        self._dispatcher.adopt(self._path.index, self._attend)
        self._path.detach_socket()

    # Connecting.

    def _connect(self) -> None:
        if self._reach is not None and self._connector is None and self._connection is None:
            self._connector = Connector(self._reach, _CONNECT_SECONDS, self._on_done)

    def _on_done(self, attempt: Connector, outcome: Outcome) -> None:
        self._dispatcher.post(lambda: self._take_outcome(attempt, outcome))

    def _take_outcome(self, attempt: Connector, outcome: Outcome) -> None:
        if attempt is not self._connector:
            if isinstance(outcome, Connection):
                outcome.close()
            return
        self._connector = None
        if isinstance(outcome, ConnectError):
            self._connect_later()
            return
        self._connection, self._inbox = outcome, self._make_inbox()
        self._path.discard_outbox()
        self._path.attach_socket(outcome.fileno(), outcome.leftover, tls=outcome.tls, role="http")
        self._poll()

    def _connect_later(self) -> None:
        self._timers.after("connect", pause(self._failures), self._connect)
        self._failures += 1

    # Asking.

    def _poll(self) -> None:
        if self._connection is None:
            self._connect()  # which polls
            return
        request = self._build()
        if request is None:
            self._timers.after("poll", _HELD_SECONDS, self._poll)
            return
        self._path.send(BINARY, request)
        self._timers.after("answer", self._patience, self._drop)

    def _drop(self) -> None:
        """Give the connection up; it is made again when the core has given the socket back."""
        self._timers.cancel_all()
        self._path.detach_socket()

    def _attend(self) -> None:
        bits = self._path.take_attention()
        if bits:  # behind the commands that are waiting: they came first, and a clear is not for what came after it
            self._dispatcher.enqueue(lambda: self._attend_to(bits))

    def _attend_to(self, bits: int) -> None:
        if bits & ATTEND_INBOX and self._connection is not None:
            for message in self._inbox.messages():
                self._on_answer(read_answer(message.data))
        if bits & ATTEND_PEER_PROTOCOL:
            self._drop()
        if bits & ATTEND_SOCKET_BROKEN:
            self._lost()
        if bits & ATTEND_SOCKET_DETACHED:
            self._lost()
            if self._reach is None:
                self._on_released()

    def _on_answer(self, answer: Answer) -> None:
        if self._reach is None:
            return
        self._timers.cancel("answer")
        self._ask_later(self._take(answer), answer)

    def _ask_later(self, seconds: float | None, answer: Answer) -> None:
        if self._reach is None:
            return  # that was the end
        if seconds is None:
            seconds = max(pause(self._failures), answer.retry_after or 0.0)
            self._failures += 1
        else:
            self._failures = 0
        if seconds > 0:
            self._timers.after("poll", seconds, self._poll)
        else:
            self._poll()

    def _lost(self) -> None:
        """The socket is no longer the core's. A connection that has served a poll may end; it is made again at once."""
        for _ in self._path.take_inbox():
            pass
        if self._connection is None:
            return
        self._timers.cancel_all()
        self._connection.close()
        self._connection = None
        if self._reach is None:
            return
        if self._path.answers:
            self._connect()
        else:
            self._connect_later()
