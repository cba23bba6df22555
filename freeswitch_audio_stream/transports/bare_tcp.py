"""TCP connections whose bytes are the caller's business from the first on, for servers that speak AudioSocket."""

from __future__ import annotations

from ..errors import ConnectError
from . import tcp
from .attempt import Attempt, Cancel
from .target import Target, place
from .websocket import Connection


def connect(target: Target, timeout: float | None, cancel: Cancel | None) -> Connection:
    """Connect. Blocks up to `timeout` seconds, None = no limit; `cancel` ends it from another thread.

    Raise `ConnectError` and its subclasses; their texts name host and port, the cause and the remedy.
    """
    attempt = Attempt(target.where, timeout, cancel or Cancel())
    try:
        sock = tcp.connect(tcp.resolve(target.host, target.port, attempt), attempt)
        try:
            with attempt.holding(sock):
                peer = place(*sock.getpeername()[:2])
            attempt.remaining()  # cancelling until here has shut the socket down
        except BaseException:
            sock.close()
            raise
    except (OSError, RuntimeError) as error:  # no descriptors, or no threads, are left to this process
        raise ConnectError(f"no connection to {target.where}: {error}") from error
    return Connection(sock, b"", None, peer, {})
