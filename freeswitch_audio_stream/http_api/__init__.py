"""The media server: clients connect to it over WebSocket and attach to calls and conferences.

    server.py         the web server of web/, with what stands behind its routes
    app.py            the routes
    authorisation.py  whether a request may have what it asks for
    tokens.py         what tokens are good for
    refusals.py       what requests are refused with here
    upgrade.py        requests for a WebSocket
    handover.py       their sockets, on their way to the engine
    conferences.py    legs in conferences
    calls.py          calls that are made

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
