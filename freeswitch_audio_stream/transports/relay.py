"""A TLS session behind a plain socket, for code that can only use plain sockets.

    compiled I/O loop ── socketpair ── TlsRelay's thread ── TLS ── server

The thread is the only user of the session: OpenSSL sessions may not be used from two threads at once. At most
one chunk is held each way; beyond that the sender is held back by its own full socket, so nothing grows and
nothing is lost. Either side may end its direction first (half-close): what it sent before is delivered, then
the end is.
"""

from __future__ import annotations

import select
import socket
import threading
from typing import Callable

from ..running_clock import TICK, RunningClock
from ..threads import start_thread
from .attempt import shut_down
from .tls import CHUNK_BYTES, TlsSession

LINGER_SECONDS = 1.0
"""How long the last bytes may take to the server after the local socket is closed."""


class TlsRelay:
    """Carries bytes between an open TLS session and `local` until both directions have ended.

    It owns the session and its socket. Closing `local` ends the thread: the last bytes are sent first, for at
    most `LINGER_SECONDS`.
    """

    def __init__(self, session: TlsSession) -> None:
        self.local, self._inner = socket.socketpair()
        """`local` is the plain end, a non-blocking stream socket; it belongs to the caller, who closes it."""
        self.local.setblocking(False)
        self._inner.setblocking(False)
        self._session = session
        self._stopped = False
        self._closing = threading.Lock()
        self._thread = start_thread("audio-stream-tls", self._run)

    def stop(self) -> None:
        """End both directions at once, dropping what is under way. Any thread; idempotent; does not wait."""
        with self._closing:  # or the descriptor might be another connection's by now
            self._stopped = True
            shut_down(self._inner)
            shut_down(self._session.sock)

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds (None: for ever) for the thread to end; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            _Carrier(self._session, self._inner).run(lambda: self._stopped)
        finally:
            with self._closing:
                self._inner.close()
                self._session.sock.close()


class _Direction:
    """One way: read a chunk, write all of it, and at the end pass the end on."""

    def __init__(self, receive: Callable[[], bytes], send: Callable[[memoryview], int],
                 end: Callable[[], None]) -> None:
        self._receive = receive
        self._send = send
        self._end = end
        self.held = memoryview(b"")
        self.over = False

    def step(self) -> None:
        """One read or write; BlockingIOError when it has to wait (to write, if something is held)."""
        try:
            if self.held:
                self.held = self.held[self._send(self.held):]
                return
            self.held = memoryview(self._receive())
        except BlockingIOError:
            raise
        except OSError:  # broken: for the other side that is an end like any other
            self.held = memoryview(b"")
        if not self.held:
            self.over = True
            self._end()


class _Carrier:
    """The loop of the relay's thread."""

    def __init__(self, session: TlsSession, inner: socket.socket) -> None:
        self._session = session
        self._inner = inner
        self._down = _Direction(session.recv, self._deliver, lambda: _end_half(inner, socket.SHUT_WR))
        self._up = _Direction(lambda: inner.recv(CHUNK_BYTES), session.send, self._end_up)
        self._flushed = True
        self._local_closed = False
        self._until: float | None = None
        self._clock = RunningClock()

    def run(self, stopped: Callable[[], bool]) -> None:
        while not stopped() and not self._late():
            events, moved = self._step()
            if self._up.over and self._flushed:
                _end_half(self._session.sock, socket.SHUT_WR)
                if self._down.over:
                    return
            self._wait(events, moved)

    def _step(self) -> tuple[dict[socket.socket, int], bool]:
        """One step each way; the `poll` events that would allow the next, and whether anything has moved."""
        events = {self._inner: 0, self._session.sock: 0}
        moved = False
        # Down first: `TlsSession.end` must not find anything that came with the handshake and is still
        # unread.
        for direction, source, sink in ((self._down, self._session.sock, self._inner),
                                        (self._up, self._inner, self._session.sock)):
            if direction.over:
                continue
            try:
                direction.step()
                moved = True
            except BlockingIOError:
                if direction.held:
                    events[sink] |= select.POLLOUT
                else:
                    events[source] |= select.POLLIN
        self._flushed = self._flush()
        if not self._flushed:
            events[self._session.sock] |= select.POLLOUT
        return events, moved

    def _wait(self, events: dict[socket.socket, int], moved: bool) -> None:
        poll = select.poll()
        # With no events asked for, `poll` still tells that the local socket was closed, once. A server that
        # is gone must not wake us for ever while we only wait for the local side.
        if not self._local_closed:
            poll.register(self._inner, events[self._inner])
        if events[self._session.sock]:
            poll.register(self._session.sock, events[self._session.sock])
        left = None if self._until is None else min(max(0.0, self._until - self._clock.read()), TICK) * 1000
        for descriptor, happened in poll.poll(0 if moved else left):
            if descriptor == self._inner.fileno() and happened & select.POLLHUP:
                self._local_closed = True
                self._until = self._clock.read() + LINGER_SECONDS

    def _late(self) -> bool:
        return self._until is not None and self._clock.read() >= self._until

    def _deliver(self, data: memoryview) -> int:
        try:
            return self._inner.send(data)
        except BlockingIOError:
            raise
        except OSError:
            # Nobody reads there any more. What the server still sends is read all the same: a connection
            # closed with unread bytes is reset, which could cost the server the last bytes that we sent.
            return len(data)

    def _flush(self) -> bool:
        try:
            self._session.flush()
        except BlockingIOError:
            return False
        except OSError:  # the server takes nothing any more
            self._up.over = True
            _end_half(self._inner, socket.SHUT_RD)
        return True

    def _end_up(self) -> None:
        _end_half(self._inner, socket.SHUT_RD)
        self._session.end()


def _end_half(sock: socket.socket, half: int) -> None:
    try:
        sock.shutdown(half)
    except OSError:
        pass  # it has ended already
