"""WebSockets as uvicorn has them, with a limit of a message, and without compression: audio gains nothing from it, and
a short message cannot become a long one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.server import ServerProtocol


def make_protocol(longest: int) -> type[asyncio.Protocol]:
    """Return the protocol of connections whose messages have at most `longest` bytes (close code 1009)."""
    class RecorderProtocol(WebSocketsSansIOProtocol):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self.conn = ServerProtocol(max_size=longest, logger=logging.getLogger("uvicorn"))
    return RecorderProtocol
