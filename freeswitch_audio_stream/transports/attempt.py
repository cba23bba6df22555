"""One attempt to connect: how long it may take, and how another thread ends it.

Every wait for the network here is a `poll` of non-blocking sockets. Two things end it early: the deadline,
and `Cancel.cancel`, which shuts the sockets down (`poll` then returns at once, in whatever state the
connection is). `poll` and not `select`: a switch with many calls has descriptors above 1023.
"""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from contextlib import AbstractContextManager, contextmanager
from typing import Callable, Iterator, Mapping, TypeVar

from ..errors import ConnectError, ConnectTimeout
from ..running_clock import TICK, RunningClock

T = TypeVar("T")


class Cancel:
    """Ends connection attempts from another thread. It stays cancelled: a new attempt takes a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """End the attempt: its `connect` raises `ConnectError` within moments. Any thread; never blocks."""
        with self._lock:
            self._cancelled = True
            for callback in self._callbacks:
                callback()

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Have `cancel` call `callback`, which must not block, while the block runs; at once if it came
        before.

        After the block the callback is not running and never will be: what it uses may then be closed.
        """
        with self._lock:
            self._callbacks.append(callback)
            if self._cancelled:
                callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


class Attempt:
    """One attempt to connect to `where` ("host:port", for the texts of errors). Used by one thread.

    `timeout` is in seconds from now, of which only those count in which we run; None = no limit.
    """

    def __init__(self, where: str, timeout: float | None, cancel: Cancel,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.where = where
        self.cancel = cancel
        self._timeout = timeout
        self._clock = RunningClock(clock)

    def remaining(self) -> float | None:
        """Return the seconds left, None for no limit. Raise `ConnectTimeout`, and `ConnectError` when cancelled."""
        self._check_cancelled()
        now = self._clock.read()
        if self._timeout is None:
            return None
        left = self._timeout - now
        if left <= 0:
            raise ConnectTimeout(f"no connection to {self.where} within {self._timeout:g} s: is the server "
                                 "up, and does a firewall let this machine reach it?")
        return left

    def _check_cancelled(self) -> None:
        if self.cancel.cancelled:
            raise ConnectError(f"the connection to {self.where} was given up before it was made")

    def wait(self, events: Mapping[socket.socket, int], at_most: float | None = None) -> list[socket.socket]:
        """Block until one of the sockets is ready for its `poll` events, or has failed; the ones that are.

        None are after `at_most` seconds. Raise like `remaining`.
        """
        by_descriptor = {sock.fileno(): sock for sock in events}
        poll = select.poll()
        for descriptor, sock in by_descriptor.items():
            poll.register(descriptor, events[sock])

        def look(seconds: float | None) -> list[tuple[int, int]]:
            return poll.poll(None if seconds is None else seconds * 1000)
        ready = self._in_ticks(look, at_most)
        return [by_descriptor[descriptor] for descriptor, _ in ready or ()]

    def wait_for(self, event: threading.Event) -> None:
        """Block until `event` is set. Raise like `remaining`."""
        self._in_ticks(event.wait, None)

    def _in_ticks(self, look: Callable[[float | None], T], at_most: float | None) -> T:
        """The first that `look` (which blocks for so many seconds, None = for ever) finds, or the last it has not."""
        until = None if at_most is None else self._clock.read() + at_most
        while True:
            limits = [seconds for seconds in (self.remaining(), at_most) if seconds is not None]
            found = look(min(*limits, TICK) if limits else None)
            self._check_cancelled()
            at_most = None if until is None else until - self._clock.read()
            if found or at_most is not None and at_most <= 0:
                return found

    def complete(self, operation: Callable[[], T], sock: socket.socket, events: int) -> T:
        """Retry a non-blocking operation whenever `sock` is ready; return its result. Raise as `remaining` does."""
        while True:
            try:
                result = operation()
            except BlockingIOError:
                self.wait({sock: events})
                continue
            except OSError:
                self.remaining()  # if it was `cancel` that shut the socket down, that is the reason to give
                raise
            self.remaining()  # such a socket also reads as one that has come to its end
            return result

    def holding(self, sock: socket.socket) -> AbstractContextManager[None]:
        """While the block runs, cancelling shuts `sock` down; the block must not close it."""
        return self.cancel.calling(lambda: shut_down(sock))

    def outlasting(self, seconds: float) -> Attempt:
        """Return an attempt with the time that is left, which goes on for so many `seconds` once it is cancelled."""
        return _Outlasting(self.where, self.remaining(), self.cancel, seconds)


class _Outlasting(Attempt):
    def __init__(self, where: str, timeout: float | None, cancel: Cancel, seconds: float) -> None:
        super().__init__(where, timeout, cancel)
        self._seconds = seconds
        self._until: float | None = None

    def remaining(self) -> float:
        left = super().remaining()
        return math.inf if left is None else left  # it looks now and then, for nothing wakes it up

    def _check_cancelled(self) -> None:
        if self.cancel.cancelled:
            now = self._clock.read()
            self._until = now + self._seconds if self._until is None else self._until
            if now >= self._until:
                super()._check_cancelled()


def shut_down(sock: socket.socket) -> None:
    """Shut both directions down, so that whoever polls the socket wakes up. Any thread, any state."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not connected, or no longer
