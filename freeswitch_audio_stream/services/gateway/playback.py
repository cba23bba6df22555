"""How much of an agent's audio the caller has heard.

Clients that know of it tell how far they are; for others it is estimated: what was delivered is played at once and in
real time. Positions are bytes of the session's audio; what was cleared is in none of them.
"""

from __future__ import annotations

from .agents.interface import BYTES_PER_MS
from .store.interface import Playback

_REPORT_SECONDS = 2.0
"""How long a client that was told to clear has to tell what was heard, before an estimate counts."""


class PlaybackAccount:
    """Of one agent; it begins where the session's audio was when the agent began."""

    def __init__(self, before: Playback) -> None:
        self._begin = before.given
        self.given = before.given
        """The end of all audio that was given and not cleared."""
        self.delivered = before.delivered
        self.heard = before.heard
        self._tells = False
        self._as_of: float | None = None
        """Up to when the time that has passed is in the estimate."""
        self._clears = 0
        """Orders to clear that were not answered yet."""
        self._given_since = self._delivered_since = 0
        self._ordered_at = 0.0
        self._cleared_at: float | None = None
        """When the client got the order."""

    @property
    def milliseconds(self) -> int:
        """How much of this agent's audio was heard."""
        return max(0, self.heard - self._begin) // BYTES_PER_MS

    @property
    def is_playing(self) -> bool:
        """Whether more is known to have been heard as time passes."""
        return bool(self._clears) or self.heard < self.delivered

    @property
    def snapshot(self) -> Playback:
        if self._clears:  # who takes over cannot know how much of what is cleared is heard meanwhile
            return Playback(self.heard + self._given_since, self.heard, self.heard + self._delivered_since)
        return Playback(self.given, self.heard, self.delivered)

    def play(self, audio_bytes: int) -> None:
        """The agent has given audio."""
        if self._clears:
            self._given_since += audio_bytes
        else:
            self.given += audio_bytes

    def clear(self, now: float) -> None:
        """The agent wants nothing more to be heard of what it has given."""
        self._advance(now)
        self._clears += 1
        self._given_since = self._delivered_since = 0
        self._cleared_at, self._ordered_at = None, now

    def deliver(self, audio_bytes: int, clear: bool, now: float) -> None:
        """An answer has carried audio, and the order to clear before it, or not."""
        self._advance(now)
        if clear and self._clears and self._cleared_at is None:
            self._cleared_at = now
        if self._clears and self._cleared_at is not None:
            self._delivered_since = min(self._delivered_since + audio_bytes, self._given_since)
        else:
            self.delivered = min(self.delivered + audio_bytes, self.given)

    def tell(self, milliseconds: int, by_poll: bool, now: float) -> int:
        """The client tells how much was heard. Return how many orders to clear that answers."""
        self._tells = True
        position = milliseconds * BYTES_PER_MS
        self.heard = max(self.heard, min(position, self.delivered))
        if self._clears and self._cleared_at is not None and (by_poll or self._is_late(now)):
            return self._settle()
        return 0

    def estimate(self, now: float) -> int:
        """Take the time that has passed into account. Return how many orders to clear that answers."""
        self._advance(now)
        return self._settle() if self._clears and self._is_late(now) else 0

    def _is_late(self, now: float) -> bool:
        """Whether the client will not tell any more what it had heard when it cleared."""
        if self._tells:
            return self._cleared_at is not None and now - self._cleared_at >= _REPORT_SECONDS
        return self._cleared_at is not None or now - self._ordered_at >= _REPORT_SECONDS

    def _advance(self, now: float) -> None:
        if self._as_of is None or self._tells or self._clears or self.heard == self.delivered:
            self._as_of = now
            return
        passed = max(0, int(round((now - self._as_of) * 1000, 3)))
        self._as_of += passed / 1000  # the rest of a millisecond counts the next time
        self.heard = min(self.delivered, self.heard + passed * BYTES_PER_MS)

    def _settle(self) -> int:
        answered, self._clears = self._clears, 0
        self._begin = min(self._begin, self.heard)
        self.delivered = self.heard + self._delivered_since
        self.given = self.heard + self._given_since
        self._given_since = self._delivered_since = 0
        return answered
