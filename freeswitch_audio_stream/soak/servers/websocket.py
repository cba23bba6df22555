"""Streams that come over WebSockets, to ``/NUMBER/GENERATION/stream`` and ``…/caller``."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Mapping

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .conversation import StreamEnd
from .listener import Listener


class WebSocketListener(Listener):
    """With TLS or without."""

    def __init__(self, ends: Mapping[tuple[int, str], StreamEnd], context: ssl.SSLContext | None = None) -> None:
        """`ends` by a line's number and the last part of the path."""
        self._ends = ends
        self._context = context
        self._server: Server | None = None

    async def listen(self) -> None:
        self._server = await serve(self._converse, "127.0.0.1", self.port, ssl=self._context, compression=None,
                                   max_size=None, ping_interval=None)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def go_away(self) -> None:
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        _, number, generation, role = connection.request.path.split("/")
        end = self._ends[int(number), role]
        try:
            with contextlib.suppress(ConnectionClosed), end.holding(connection.transport):
                await end.converse(int(generation), connection, connection.send)
        except Exception as error:  # the library would log it; here it is told as in other servers
            asyncio.get_running_loop().call_exception_handler({"message": str(error), "exception": error})
