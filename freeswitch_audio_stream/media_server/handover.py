"""From the web server to the engine: the socket of a client whose handshake is done.

A plain socket leaves asyncio for good. Its descriptor is duplicated and given to the compiled I/O loop, asyncio closes
its own, and the TCP connection, which lives as long as one of the two, does not notice. From there on no Python runs
for its frames.

A TLS session cannot leave: its keys are in the `ssl` object that asyncio drives. Its bytes are carried between the
session and a socket pair, whose other end is what the engine gets; the frames within are still parsed and built by the
I/O loop alone. What one side does not take, the other is not asked for: at most one read of asyncio's is held one way,
and asyncio's write buffer (64 KiB) the other.
"""

from __future__ import annotations

import asyncio
import os
import socket

from ..transports import Connection

_READ_BYTES = 65536


def take_socket(transport: asyncio.Transport) -> socket.socket:
    """A socket of our own for a plain transport's connection; the transport has to be aborted after that."""
    transport.pause_reading()
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    os.set_inheritable(descriptor, False)
    taken = socket.socket(fileno=descriptor)
    taken.setblocking(False)
    return taken


def connection_of(sock: socket.socket, leftover: bytes, peer: str) -> Connection:
    """What the engine gets: a client's socket, and the bytes that have come from it already."""
    return Connection(sock, leftover, None, peer, {})


class Tunnel:
    """Carries bytes between a TLS transport and `local`, a plain socket, until either ends. On the event loop."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.local, self._inner = socket.socketpair()
        self.local.setblocking(False)
        self._inner.setblocking(False)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._is_open = True
        self._loop.add_reader(self._inner, self._carry_out)

    def feed(self, data: bytes) -> None:
        """The client has sent this."""
        self._held += data
        self._carry_in()

    def pause(self) -> None:
        """The client does not read."""
        if self._is_open:
            self._loop.remove_reader(self._inner)

    def resume(self) -> None:
        """It does again."""
        if self._is_open:
            self._loop.add_reader(self._inner, self._carry_out)

    def close(self) -> None:
        """The client has gone."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._inner)
        self._loop.remove_writer(self._inner)
        self._inner.close()

    def _carry_in(self) -> None:
        if not self._is_open:
            return
        try:
            self._held = self._held[self._inner.send(self._held):] if self._held else b""
        except BlockingIOError:
            pass
        except OSError:  # the engine has closed its end
            self._held = b""
        if self._held:
            self._transport.pause_reading()
            self._loop.add_writer(self._inner, self._carry_in)
        else:
            self._loop.remove_writer(self._inner)
            self._transport.resume_reading()

    def _carry_out(self) -> None:
        try:
            data = self._inner.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._transport.write(data)
            return
        self.close()
        self._transport.close()  # sends what it still holds first
