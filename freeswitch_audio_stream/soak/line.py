"""One call with a stream, and what is known of its audio: what the server has heard, and what the caller has."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from ..audio import Samples
from .kinds import Kind
from .numbered_noise import Follower, Noise, Tally

_GRACE_SECONDS = 10.0  # after a fault: what was on its way in its connection is its doing


@dataclass
class Speech:
    """Noise, and how much of it has been said."""

    noise: Noise
    position: int = 0

    def next(self, count: int) -> Samples:
        """Return the next samples."""
        self.position += count
        return self.noise.samples(self.position - count, count)


@dataclass
class Side:
    """Audio of one direction."""

    follower: Follower
    rate: int
    """Hz."""
    unexplained: Tally = field(default_factory=Tally)
    """What came while no fault was in force: nothing of it may be lost, repeated or wrong."""
    lateness: list[float] = field(default_factory=list)
    """Seconds by which each piece came later than the promptest of its stream, since they were last taken."""
    generation: int = 0
    """Of the stream that brings it: what an earlier one still says is not listened to."""
    _promptest: float = 0.0

    def restart(self) -> None:
        """Another call or stream begins."""
        self.follower.restart()
        self._promptest = 0.0

    def feed(self, samples: Samples, now: float, excused: bool) -> None:
        """Take what came at `now` (s)."""
        told = self.follower.feed(samples)
        if not excused:
            self.unexplained += told
        position = self.follower.position
        if position is None or told.exact == 0:
            return
        due = now - position / self.rate
        if self._promptest == 0.0 or due < self._promptest:
            self._promptest = due
        if not excused:
            self.lateness.append(due - self._promptest)


class Line:
    """A pair of legs: on one the stream, and on the other a stream that is the caller's mouth and ear. Any thread."""

    def __init__(self, number: int, kind: Kind, said: Noise, answered: Noise) -> None:
        """`said` is what the caller says, `answered` what the server does."""
        self.number = number
        self.kind = kind
        self.said, self.answered = Speech(said), Speech(answered)
        self.heard_by_server, self.heard_by_caller = (Side(Follower(noise), kind.rate) for noise in (said, answered))
        self._lock = threading.Lock()
        self._excused_until = 0.0

    def restart(self, is_new_call: bool) -> None:
        """The stream is another from now on; of a new call, so is the caller's."""
        with self._lock:
            self.heard_by_server.generation += 1
            self.heard_by_caller.generation += is_new_call
            self.heard_by_server.restart()
            self.heard_by_caller.restart()
        self.excuse()

    def excuse(self, seconds: float = 0.0) -> None:
        """A fault of so many seconds begins: what is lost in it, or right after it, is its doing."""
        with self._lock:
            self._excused_until = max(self._excused_until, time.monotonic() + seconds + _GRACE_SECONDS)

    def feed(self, samples: Samples, generation: int, by_caller: bool) -> None:
        """Take what the caller, or else the server, has heard of the stream of a generation."""
        now = time.monotonic()
        with self._lock:
            side = self.heard_by_caller if by_caller else self.heard_by_server
            if generation == side.generation:
                side.feed(samples, now, now < self._excused_until)

    def take_lateness(self) -> tuple[list[float], list[float]]:
        """Return that of the server's side and the caller's since the last call, in seconds."""
        with self._lock:
            sides = self.heard_by_server, self.heard_by_caller
            taken = sides[0].lateness, sides[1].lateness
            for side in sides:
                side.lateness = []
            return taken
