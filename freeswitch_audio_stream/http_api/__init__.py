"""The media server: clients connect to it over WebSocket and attach to calls and conferences.

    server.py       uvicorn on a thread of its own
    app.py          the routes
    listener.py     accepts connections, as many as connection_limits.py allows
    http_protocol.py  reads requests, each within a deadline (deadline.py)
    authorisation.py         who is let through
    tokens.py       what tokens are good for
    limits.py       how often an address may fail
    refusals.py     what is answered to those who are not let through
    upgrade.py      requests for a WebSocket
    handover.py     their sockets, on their way to the engine
    conferences.py  legs in conferences
    calls.py        calls that are made
    worker_lanes.py threads for what may block, by kind
    occasionally.py log lines that could come by the thousand

All but this file needs packages that are installed only where the server is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from ..config import HttpServerSettings
from ..engine import Registry
from ..errors import SettingError

if TYPE_CHECKING:
    from .server import MediaServer

Tell = Callable[[str, bool], None]
"""Writes a line to the log of the switch, as an error or not."""


def start(settings: HttpServerSettings, registry: Registry, api: Callable[[str, str], str], tell: Tell,
          on_fault: Callable[[BaseException], None]) -> MediaServer | None:
    """The server, if the settings have one and it can be; what stands against it is told in one line.

    Never raises for what the settings say or the machine lacks.
    """
    if not settings.media_server_address:
        return None
    try:
        from .server import MediaServer
    except ImportError as error:
        tell(f"the media server is off: {error}; install what it needs by running scripts/install again with "
             "--media-server", True)
        return None
    try:
        server = MediaServer(settings, registry, api, lambda text: tell(text, True), on_fault)
    except SettingError as error:
        tell(f"the media server is off: {error}", True)
        return None
    tell(f"the media server listens on {server.scheme}://{server.address}"
         + ("" if settings.media_server_tokens else ", for tokens of the command token only: media-server-tokens is "
            "not set"), False)
    return server
