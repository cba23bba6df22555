"""Listening for connections, and being away."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import socket
import ssl
import struct


class Listener(abc.ABC):
    """On a port of 127.0.0.1 that it keeps; on the servers' thread."""

    port = 0

    @abc.abstractmethod
    async def listen(self) -> None:
        """Begin, or begin again."""

    @abc.abstractmethod
    async def go_away(self) -> None:
        """End, as a process that is killed: nobody listens any more, and all connections break."""


class StreamListener(Listener):
    """Serves connections of bytes, with TLS or without."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_away(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A connection that breaks is reset: with AudioSocket, one that is closed is as good as a hangup.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, EOFError):
                await self.serve(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    @abc.abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end; it is closed behind that. Raise OSError or EOFError where it breaks."""
