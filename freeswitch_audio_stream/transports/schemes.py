"""From a URL to a connected socket, whatever its scheme; the door of this layer."""

from __future__ import annotations

from . import bare_tcp, websocket
from .attempt import Cancel
from .handshake import Headers
from .target import AUDIOSOCKET, Target
from .tls import TlsOptions
from .websocket import Connection


def connect(url: str, *, subprotocol: str = "", basic_auth: tuple[str, str] | None = None,
            headers: Headers | None = None, tls: TlsOptions = TlsOptions(), timeout: float | None = None,
            cancel: Cancel | None = None, deflate: bool = False, origin: str | None = None) -> Connection:
    """Open a ws://, wss:// or audiosocket:// URL; the last one has no use for what belongs to a handshake.

    Blocks: call it on a thread of its own. The rest is as `websocket.connect` has it.
    """
    target = Target.of(url)
    if target.scheme == AUDIOSOCKET:
        return bare_tcp.connect(target, timeout, cancel)
    return websocket.connect(url, subprotocol=subprotocol, basic_auth=basic_auth, headers=headers, tls=tls,
                             timeout=timeout, cancel=cancel, deflate=deflate, origin=origin)
