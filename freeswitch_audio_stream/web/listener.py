"""Accepts connections for an event loop: as many as the limits allow, and no faster than descriptors are there.

asyncio's own way accepts whatever comes, and where descriptors have run out reports each of up to 2048 attempts with a
traceback. Here a connection is counted for as long as its descriptor is open, one too many is closed at once, and where
there are no descriptors nothing is accepted for a second: who wants to connect waits in the kernel's queue.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Any, Callable

import orjson

from .connection_limits import ConnectionCount, ConnectionLimits, open_files
from .occasionally import Occasionally

_AT_ONCE = 64  # are accepted before others on the loop have their turn
_PAUSE_SECONDS = 1.0
_RETRY_SECONDS = 5
_GONE = {errno.ENETDOWN, errno.EPROTO, errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.ENONET, errno.EHOSTUNREACH,
         errno.EOPNOTSUPP, errno.ENETUNREACH, errno.ECONNABORTED, errno.EINTR, errno.EPERM, errno.ETIMEDOUT}
"""Errors of one connection, which is over before it was accepted (accept(2), "Error handling")."""
_TOO_MANY = ("too many connections are open, from this address or in all: close those that are not needed, or come "
             "back later")


class AcceptedSocket(socket.socket):
    """A connection of ours. It knows its peer even when that has gone, and tells when its descriptor is closed."""

    def __init__(self, accepted: socket.socket, peer: Any, on_closed: Callable[[], None]) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.setblocking(False)
        # asyncio does so only for sockets that were made with IPPROTO_TCP. Without it, the second part of an answer
        # waits for the client's delayed acknowledgement of the first: 40 ms, for every request but the first few.
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer = peer
        self._on_closed: Callable[[], None] | None = on_closed

    def getpeername(self) -> Any:
        return self._peer

    def close(self) -> None:
        super().close()
        on_closed, self._on_closed = self._on_closed, None
        if on_closed is not None:
            on_closed()


class Listener:
    """Everything on one event loop, but for the making."""

    def __init__(self, sock: socket.socket, make_protocol: Callable[[], asyncio.Protocol],
                 context: ssl.SSLContext | None, limits: ConnectionLimits, seconds: float, name: str,
                 tell: Callable[[str], None], on_fault: Callable[[BaseException], None]) -> None:
        """`sock` listens, and stays the caller's. `seconds` is how long a TLS handshake may take; `name` is what the
        server is called in the log, which `tell` writes to; `on_fault` is told of defects.
        """
        self._sock = sock
        self._make_protocol = make_protocol
        self._context = context
        self._seconds = seconds
        self._name = name
        self._on_fault = on_fault
        self._out_of_files, self._too_many = Occasionally(tell), Occasionally(tell)
        self.count = ConnectionCount(limits)
        self._beginning: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._is_open = False

    def open(self) -> None:
        """Accept from now on."""
        self._sock.setblocking(False)
        self._is_open = True
        self._resume()

    def close(self) -> None:
        """Accept no more, and give up handshakes that are under way."""
        if not self._is_open:
            return
        self._is_open = False
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(self._sock)
        for task in self._beginning:
            task.cancel()

    def _resume(self) -> None:
        self._pause = None
        asyncio.get_running_loop().add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, peer = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                self._wait_for_files(error)
                return
            self._admit(accepted, peer)

    def _wait_for_files(self, error: OSError) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        self._pause = loop.call_later(_PAUSE_SECONDS, self._resume)
        self._out_of_files.tell(
            f"{self._name} cannot accept connections at the moment: {error.strerror or error}. This process may have "
            f"{open_files()} files open: raise that (LimitNOFILE= of its systemd unit, or ulimit -n)")

    def _admit(self, accepted: socket.socket, peer: Any) -> None:
        key = self.count.enter(peer[0])
        if key is None:
            self._refuse(accepted, peer[0])
            return
        sock = AcceptedSocket(accepted, peer, lambda: self.count.leave(key))
        task = asyncio.get_running_loop().create_task(self._begin(sock))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, sock: AcceptedSocket) -> None:
        """Have a protocol take a connection, once its TLS handshake is done."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make_protocol, sock, ssl=self._context,
                ssl_handshake_timeout=self._seconds if self._context else None)
        except OSError as error:  # the client's: no TLS, a handshake too slow, gone
            sock.close()
            error.with_traceback(None)  # its frames hold on to it, and asyncio's session of 56 KiB with them
        except Exception as error:
            sock.close()
            self._on_fault(error)

    def _refuse(self, accepted: socket.socket, address: str) -> None:
        limits = self.count.limits
        self._too_many.tell(
            f"{self._name} refuses connections: {len(self.count)} are open. There may be {limits.in_all}, and "
            f"{limits.from_an_address} from one address, such as {address}")
        with accepted:
            if self._context is not None:
                return
            try:
                accepted.setblocking(False)
                accepted.send(_REFUSAL)
                accepted.shutdown(socket.SHUT_WR)
                accepted.recv(65536)  # what is unread at the close would make a reset of it, and the answer be lost
            except OSError:
                pass  # it does not matter to us whether it has read why


_BODY = orjson.dumps({"detail": _TOO_MANY})
_REFUSAL = (f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n"
            f"Retry-After: {_RETRY_SECONDS}\r\nConnection: close\r\n\r\n").encode() + _BODY
