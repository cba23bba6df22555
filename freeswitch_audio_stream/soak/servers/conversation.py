"""What a server does with a stream, whatever carries it: it hears, speaks, and is made to fail."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator

from ...audio import Samples
from ..kinds import caller_of
from ..line import Line

_PIECE_SECONDS = 0.1
_LEAD_SECONDS = 0.5  # of what a server has said before the caller hears it


class StreamEnd:
    """The server's end of one stream of a line, with all connections that it has. On the servers' thread."""

    def __init__(self, line: Line, by_caller: bool = False) -> None:
        """`by_caller`: of the stream that is the caller's mouth and ear, rather than the one that is watched."""
        self._line = line
        self._by_caller = by_caller
        self._speech = line.said if by_caller else line.answered
        self._transports: set[asyncio.WriteTransport] = set()
        self.kind = caller_of(line.kind) if by_caller else line.kind
        self.reading = asyncio.Event()
        """Nothing is read while it is not set."""
        self.reading.set()

    @contextlib.contextmanager
    def holding(self, transport: asyncio.WriteTransport) -> Iterator[None]:
        """Have `cut` break this connection as well."""
        self._transports.add(transport)
        try:
            yield
        finally:
            self._transports.discard(transport)

    def cut(self) -> None:
        """Break all connections."""
        for transport in list(self._transports):
            transport.abort()

    async def stall(self, seconds: float) -> None:
        """Read nothing for so long."""
        self.reading.clear()
        await asyncio.sleep(seconds)
        self.reading.set()

    def hear(self, samples: Samples, generation: int) -> None:
        """Take what the stream of a generation brings."""
        self._line.feed(samples, generation, self._by_caller)

    async def speak(self) -> AsyncIterator[Samples]:
        """Give what there is to say, piece by piece, as time passes."""
        loop = asyncio.get_running_loop()
        piece = int(_PIECE_SECONDS * self.kind.rate)
        begun, said = loop.time() - _LEAD_SECONDS, 0
        while True:
            yield self._speech.next(piece)
            said += piece
            await asyncio.sleep(max(0.0, begun + said / self.kind.rate - loop.time()))

    async def converse(self, generation: int, messages: AsyncIterable[str | bytes],
                       send: Callable[[str | bytes], Coroutine[Any, Any, None]]) -> None:
        """Hear `messages` to their end, and speak all the while; `send` waits while the client takes nothing."""
        wire = self.kind.open()

        async def say() -> None:
            async for samples in self.speak():
                for message in wire.write(samples):
                    await send(message)

        speaking = asyncio.create_task(say())
        try:
            async for message in messages:
                samples = wire.read(message)
                if samples is not None:
                    self.hear(samples, generation)
                await self.reading.wait()
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])
            if not speaking.cancelled():
                speaking.exception()  # it ends with the connection, and so has nothing to add
