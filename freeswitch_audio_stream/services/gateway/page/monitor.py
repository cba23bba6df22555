"""What the page shows beyond the store: how loud both sides are, and how long each answer took.

It costs nothing while nobody looks.

Loud means RMS of what was posted or polled last, in dB below full scale (dBFS). An answer time is the time from the
caller's last audible audio to the first audible audio of the agent that a client has polled after it.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Callable, Container

import numpy as np

from ..store.interface import SessionKey

SILENCE_DB = -90.0
AUDIBLE_DB = -45.0
"""What is louder is taken for speech: above the noise of a telephone line, below a quiet speaker."""
_PAUSE_SECONDS = 0.5
"""Audio of the agent's that is closer to the last belongs to the same answer."""
_LEVEL_SECONDS = 1.0
"""A side that sends nothing for so long is silent."""
TURNS = 50
"""Answer times that are kept of a session."""


def level(audio: bytes) -> float:
    """Return the RMS of 16-bit samples in dBFS, `SILENCE_DB` at least."""
    if not audio:
        return SILENCE_DB
    samples = np.frombuffer(audio, "<i2").astype(np.float64)
    power = float(np.mean(samples * samples)) / 32768.0 ** 2
    return max(SILENCE_DB, 10 * math.log10(power)) if power else SILENCE_DB


@dataclass
class Meters:
    """Of one session."""

    caller_db: float = SILENCE_DB
    agent_db: float = SILENCE_DB
    caller_at: float = -math.inf
    agent_at: float = -math.inf
    spoke_at: float | None = None
    """When the caller was last audible, and has not been answered."""
    agent_spoke_at: float = -math.inf
    turns: list[int] = field(default_factory=list)
    """ms."""


class Monitor:
    """Of one process. On the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._meters: dict[SessionKey, Meters] = {}
        self.watchers = 0
        self.is_closed = False

    def enter(self) -> None:
        """Measure from now on, for one more who looks."""
        self.watchers += 1

    def leave(self) -> None:
        """Undo `enter`; the last forgets everything."""
        self.watchers -= 1
        if not self.watchers:
            self._meters.clear()

    def posted(self, key: SessionKey, audio: bytes) -> None:
        """The caller has said this."""
        if not self.watchers:
            return
        meters, now = self._of(key), self._clock()
        meters.caller_db, meters.caller_at = level(audio), now
        if meters.caller_db > AUDIBLE_DB and now - meters.agent_spoke_at > _PAUSE_SECONDS:
            meters.spoke_at = now

    def polled(self, key: SessionKey, audio: bytes) -> None:
        """A client has got this of the agent's."""
        if not self.watchers or not audio:
            return
        meters, now = self._of(key), self._clock()
        meters.agent_db, meters.agent_at = level(audio), now
        if meters.agent_db <= AUDIBLE_DB:
            return
        meters.agent_spoke_at = now
        if meters.spoke_at is not None:
            meters.turns = [*meters.turns[1 - TURNS:], round(1000 * (now - meters.spoke_at))]
            meters.spoke_at = None

    def read(self, key: SessionKey) -> Meters:
        """Return what is known of a session; a side from which nothing comes any more is silent."""
        meters, now = self._of(key), self._clock()
        if now - meters.caller_at > _LEVEL_SECONDS:
            meters.caller_db = SILENCE_DB
        if now - meters.agent_at > _LEVEL_SECONDS:
            meters.agent_db = SILENCE_DB
        return meters

    def keep(self, scope: str, call_ids: Container[str]) -> None:
        """Forget the sessions of a scope that are none of these."""
        for key in [key for key in self._meters if key.scope == scope and key.call_id not in call_ids]:
            del self._meters[key]

    def _of(self, key: SessionKey) -> Meters:
        return self._meters.setdefault(key, Meters())

    def __len__(self) -> int:
        return len(self._meters)
