"""From the web server to the engine: the socket of a client whose handshake is done.

A socket leaves asyncio for good. Its descriptor is duplicated and given to the compiled I/O loop, asyncio closes its
own, and the TCP connection, which lives as long as one of the two, does not notice. From there on no Python runs for
its frames. With TLS, the OpenSSL session goes along: asyncio, whose transport is aborted in the same breath, does not
touch it again, and the I/O loop has it read and write the socket itself.

Where the session cannot be reached (see `transports.openssl`), its bytes are carried between asyncio and a socket
pair, whose other end is what the engine gets; the frames within are still parsed and built by the I/O loop alone. What
one side does not take, the other is not asked for: at most one read of asyncio's is held one way, and asyncio's write
buffer (64 KiB) the other.
"""

from __future__ import annotations

import asyncio
import os
import socket

from ..transports import Connection, openssl

_READ_BYTES = 65536


def take(transport: asyncio.Transport, early: bytes, peer: str) -> Connection | None:
    """The connection of a transport to which all has been written, and which has read `early` already.

    None, and nothing done, where a TLS session cannot leave asyncio. On the event loop; raises OSError where the
    client does not take what was written to it.
    """
    if transport.get_write_buffer_size():
        raise OSError("it does not read")
    sock = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    sock.setblocking(False)
    ssl_object, session = transport.get_extra_info("ssl_object"), None
    if ssl_object is not None:
        # Nothing is left in between: a session has read all of its memory when it has no more to say, and what asyncio
        # writes to a socket that is not full is there at once.
        session = openssl.LIBRARY.adopt(ssl_object, sock.fileno()) if openssl.LIBRARY else None
        if session is None:
            sock.close()
            return None
    transport.abort()  # reads no more from now on; closes its descriptor, not the connection
    return Connection(sock, early, None, peer, {}, encrypted=session)


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
