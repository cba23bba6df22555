"""Opening WebSockets: from a URL to a connected socket. Frames are the caller's business."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Mapping

from ..errors import ConnectError
from . import openssl, tcp
from .attempt import Attempt, Cancel
from .deflate import Deflate
from .handshake import Headers, PlainByteStream, named, request_headers, shake_hands
from .relay import TlsRelay
from .target import Target, place
from .tls import TlsOptions, TlsSession, open_session


@dataclass
class Connection:
    """An open WebSocket, read and written at `sock`, for wss by the functions of `tls`.

    Where that is not possible, `sock` is the plain end of a `TlsRelay`.
    """

    sock: socket.socket
    """A connected, non-blocking stream socket. The server's frames begin in `leftover` and go on here."""
    leftover: bytes
    """What came together with the server's answer to the handshake."""
    subprotocol: str | None
    """The one the server chose; None when it did not mention any."""
    peer: str
    """The server's address and port."""
    headers: Mapping[str, str]
    """Those of the server's answer; names in lower case."""
    deflate: Deflate | None = None
    """How messages may be compressed; None when they may not."""
    encrypted: openssl.OpenSslSession | TlsRelay | None = field(default=None, repr=False)
    """For wss: the session that whoever reads and writes has to use, or else the relay that uses it for them."""

    @property
    def tls(self) -> Mapping[str, int] | None:
        """The address of the OpenSSL session ("session") by which `sock` is read and written, and of each function of
        `openssl.IN_LOOP`. One thread at a time may use them. None where `sock` carries the plain bytes.
        """
        return self.encrypted.addresses if isinstance(self.encrypted, openssl.OpenSslSession) else None

    def fileno(self) -> int:
        """The descriptor of `sock`; -1 after `close`."""
        return self.sock.fileno()

    def close(self) -> None:
        """Close the socket. Idempotent, never blocks; no other thread may be using the descriptor.

        What was written before is still sent. A plain socket closed with unread bytes resets the connection,
        though, and the server may lose the last ones: where they count, read up to the server's end first.
        The TLS session is given up as well, so that `tls` is None from then on.
        """
        self.sock.close()
        if isinstance(self.encrypted, openssl.OpenSslSession):
            self.encrypted = None  # or its 50 KiB would last as long as the stream's objects, which refer to each other

    def abandon(self) -> None:
        """Close it although nobody has used it: whoever wanted it has gone. Never blocks."""
        self.close()

    def join(self, timeout: float | None = None) -> bool:
        """After `close`: wait up to `timeout` seconds (None: for ever) for the TLS thread to end; has it?

        It may take `relay.LINGER_SECONDS` to send the last bytes. True at once where there is none.
        """
        return not isinstance(self.encrypted, TlsRelay) or self.encrypted.join(timeout)


def connect(url: str, *, subprotocol: str = "", basic_auth: tuple[str, str] | None = None,
            headers: Headers | None = None, tls: TlsOptions = TlsOptions(), timeout: float | None = None,
            cancel: Cancel | None = None, deflate: bool = False, origin: str | None = None) -> Connection:
    """Open a WebSocket to a ws:// or wss:// URL. Blocks: call it on a thread of its own.

    `basic_auth` is user and password; without it those in the URL are used. `timeout` in seconds covers name
    look-up, TCP, TLS and handshake together; None = no limit. `cancel` ends the attempt from another thread.
    `subprotocol` is one to offer, or several with commas between them. `deflate` offers compression (RFC 7692), which
    the server may decline: see `Connection.deflate`. `origin` is the value of that header, None for no such header;
    {host} in it stands for the URL's host and port, and "" for http://{host}, of a wss:// URL https://{host}. `headers`
    may have another Host than the URL.
    Proxies are not used and redirects not followed. A server that does not mention a subprotocol is accepted,
    one that chooses another is not.

    Raise `ConnectError` and its subclasses; their texts name host and port, the cause and the remedy.
    """
    target = Target.of(url)
    host = named(headers or {}, "host") or target.where
    if origin is not None:
        origin = origin.replace("{host}", target.where) or f"{'https' if target.secure else 'http'}://{target.where}"
    request = request_headers(subprotocol, basic_auth or target.basic_auth, headers or {}, deflate, origin)
    attempt = Attempt(target.where, timeout, cancel or Cancel())
    try:
        stream = open_stream(target, tls, attempt)
        return _open_websocket(stream, target, host, request, subprotocol, deflate, attempt)
    except (OSError, RuntimeError) as error:  # no descriptors, or no threads, are left to this process
        raise ConnectError(f"no connection to {target.where}: {error}") from error


def open_stream(target: Target, tls: TlsOptions, attempt: Attempt) -> PlainByteStream | TlsSession:
    """Return a connected byte stream to the target's host and port, encrypted where its scheme says so. Blocks up to
    the attempt's deadline; raise `ConnectError`, and OSError where nothing is left to this process.
    """
    addresses = tcp.resolve(target.host, target.port, attempt)
    if not target.secure:
        return PlainByteStream(tcp.connect(addresses, attempt))
    return open_session(lambda: tcp.connect(addresses, attempt), target.host, tls, attempt)


def _open_websocket(stream: PlainByteStream | TlsSession, target: Target, host: str, request: list[str],
                    subprotocol: str, deflate: bool, attempt: Attempt) -> Connection:
    try:
        with attempt.holding(stream.sock):
            answer, agreed, leftover = shake_hands(stream, target, host, request, subprotocol, deflate, attempt)
        attempt.remaining()  # cancelling until here has shut the socket down
        peer = place(*stream.sock.getpeername()[:2])
        sock, encrypted = hand_over(stream)
    except BaseException:
        stream.sock.close()
        raise
    chosen = answer.get("sec-websocket-protocol")
    return Connection(sock, leftover, chosen, peer, answer, agreed, encrypted)


def hand_over(stream: PlainByteStream | TlsSession) -> tuple[socket.socket, openssl.OpenSslSession | TlsRelay | None]:
    """Return `Connection.sock` and `Connection.encrypted` for a stream of which all that came has been read."""
    if not isinstance(stream, TlsSession):
        return stream.sock, None
    native = stream.hand_over(openssl.LIBRARY) if openssl.LIBRARY else None
    if native:
        return stream.sock, native
    relay = TlsRelay(stream)
    return relay.local, relay
