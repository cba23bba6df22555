"""Whether and when a connection that broke is made again."""

from __future__ import annotations

import random
from typing import Callable

from ...config import StreamSettings
from ..dispatch.timers import Timers
from ..dispatch.turns import Turns

_CEILINGS = (0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds; before each try a random part of its ceiling is waited (full jitter), so that streams of a server that
comes back do not all come at once."""
_TIMEOUT = 10.0
_SETTLED_SECONDS = 10.0  # how long a connection lasts that makes the tries before it forgotten


def pause(tries: int, longest: float = _CEILINGS[-1]) -> float:
    """Return the seconds to wait before the next try, `longest` at most, after so many that failed."""
    return random.uniform(0, min(longest, _CEILINGS[min(tries, len(_CEILINGS) - 1)]))


class Reconnecting:
    """The tries of one stream; only on its dispatcher."""

    def __init__(self, settings: StreamSettings, timeout: float | None, timers: Timers, turns: Turns,
                 connect: Callable[[float], None], longest: float = _CEILINGS[-1]) -> None:
        """No try is waited for longer than `longest` seconds, unless the server wants it. `turns` are for this stream
        and others. `connect(seconds)` begins a try, which may take so long: `timeout`, if there is one.
        """
        self._settings = settings
        self._timeout = timeout or _TIMEOUT
        self._timers = timers
        self._turns = turns
        self._connect = connect
        self._longest = longest
        self.tries = 0
        """Since the last connection that lasted."""
        self.count = 0
        """Tries in all."""
        self._deferred = 0.0

    def connected(self) -> None:
        """A server that accepts and drops at once has not been reached: the tries are forgotten only later."""
        self._timers.after("settled", _SETTLED_SECONDS, self._settle)

    def _settle(self) -> None:
        self.tries = 0

    def disconnected(self) -> None:
        """The connection did not last, unless it has lasted long enough already."""
        self._timers.cancel("settled")

    @property
    def is_allowed(self) -> bool:
        """Whether there may be another try."""
        settings = self._settings
        return settings.reconnect and (settings.reconnect_max == 0 or self.tries < settings.reconnect_max)

    def defer(self, seconds: float) -> None:
        """Have the next try wait for `seconds` at least, as the server wants it."""
        self._deferred = seconds

    def try_again(self) -> None:
        """Try, after a while, and when it is our turn: where hundreds of streams lose their server at the same time, a
        random part of half a second is not enough to keep them apart.
        """
        wait = self._turns.take() + pause(self.tries, self._longest) + self._deferred
        self._deferred = 0.0
        self.tries += 1
        self.count += 1
        self._timers.after("reconnect", wait, lambda: self._connect(self._timeout))
