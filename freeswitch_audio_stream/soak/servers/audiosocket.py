"""Streams that come by AudioSocket over TCP, and say first of which call they are."""

from __future__ import annotations

import asyncio
import struct
import uuid
from typing import AsyncIterator

from .conversation import StreamEnd
from .listener import StreamListener

_HANGUP, _UUID = 0x00, 0x01


class AudioSocketListener(StreamListener):
    """A server for the streams of calls that it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: dict[str, tuple[StreamEnd, int]] = {}

    def expect(self, call: str, end: StreamEnd, generation: int) -> None:
        """Have what comes from now on with a call's UUID be heard by `end`, as of a generation."""
        self._ends = {known: value for known, value in self._ends.items() if value[0] is not end}
        self._ends[call] = end, generation

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await _frame(reader)
        if first[0] != _UUID:
            raise OSError("the first frame is no UUID")
        end, generation = self._ends[str(uuid.UUID(bytes=first[1:]))]

        async def send(frame: str | bytes) -> None:
            assert isinstance(frame, bytes)
            writer.write(frame)
            await writer.drain()

        with end.holding(writer.transport):
            await end.converse(generation, _frames(reader), send)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next frame without its length; raise EOFError at the end."""
    kind, size = struct.unpack("!BH", await reader.readexactly(3))
    return bytes([kind]) + await reader.readexactly(size)


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Give all up to the hangup."""
    while (frame := await _frame(reader))[0] != _HANGUP:
        yield frame
