"""The one task that hears what other processes tell this one."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Mapping

from .pipeline import AWAY, Client

SILENCE_SECONDS = 3.0
"""A connection on which nothing comes for so long is dead: a process tells itself something every second."""
_PAUSE_SECONDS = 0.2


class Reader:
    """On the event loop."""

    def __init__(self, client: Client, channels: tuple[str, ...], hear: Callable[[bytes], None],
                 on_gap: Callable[[], None]) -> None:
        """`hear` is called with each message; `on_gap` when messages may have been lost, and again when it hears."""
        self._client = client
        self._channels = channels
        self._hear = hear
        self._on_gap = on_gap

    async def run(self) -> None:
        """Listen until cancelled, on a new connection whenever one is lost."""
        while True:
            listening: Any = self._client.pubsub()
            try:
                await listening.subscribe(*self._channels)
                self._on_gap()
                await self._listen(listening)
            except AWAY:
                self._on_gap()
                await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                await _close(listening)

    async def _listen(self, listening: Any) -> None:
        while True:
            message: Mapping[str, Any] | None = await listening.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                raise ConnectionError("nothing comes any more")
            if message["type"] == "message":
                self._hear(message["data"])


async def _close(listening: Any) -> None:
    try:
        await listening.aclose()
    except AWAY:
        pass
