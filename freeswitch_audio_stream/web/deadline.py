"""A time by which the other side has to have done its part, or it is hung up on."""

from __future__ import annotations

import asyncio


class Deadline:
    """One for a connection. It holds on to the connection's transport only while it runs. On the event loop."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        return self._handle is not None

    def start(self, transport: asyncio.Transport, seconds: float) -> None:
        """Abort `transport` after so many seconds, whatever was said before."""
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(seconds, self._hang_up, transport)

    def stop(self) -> None:
        """Let it have all the time it wants."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _hang_up(self, transport: asyncio.Transport) -> None:
        # Not close: that waits for a client to take what was written, and with TLS for it to say goodbye.
        self._handle = None
        transport.abort()
