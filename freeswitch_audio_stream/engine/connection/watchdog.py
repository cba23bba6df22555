"""Pings, and a look at whether the peer is still there."""

from __future__ import annotations

from typing import Callable

from ...realtime.path import MediaPath
from ..dispatch.timers import Timers
from .inbox import PING


class Watchdog:
    """Of one connection after the other; only on the dispatcher."""

    def __init__(self, path: MediaPath, timers: Timers, on_silence: Callable[[], None]) -> None:
        """`on_silence` is called when the peer has not answered a ping by the time of the next."""
        self._path = path
        self._timers = timers
        self._on_silence = on_silence
        self._received_at_ping: int | None = None

    def start(self, seconds: int) -> None:
        """A connection begins: ping every so many seconds; 0 = never."""
        self._received_at_ping = None
        self._timers.every("ping", seconds, self._ping)

    def stop(self) -> None:
        """Ping no more."""
        self._timers.cancel("ping")

    def _ping(self) -> None:
        """A peer that has said nothing since the last ping, not even its pong, is dead."""
        received = self._path.statistics().bytes_received
        if received == self._received_at_ping and not self._path.is_held_back:
            self._on_silence()
            return
        # While it is held back, it is we who do not listen: its audio waits to be played.
        self._received_at_ping = None if self._path.is_held_back else received
        self._path.send(PING, b"")
