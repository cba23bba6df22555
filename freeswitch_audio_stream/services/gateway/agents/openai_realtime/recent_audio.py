"""The caller's latest audio, which a new session has to hear again where the one before was cut off."""

from __future__ import annotations

from ..interface import BYTES_PER_MS

MOST_MS = 60_000
QUIET_MS = 1000
"""What is kept while the caller is silent: a session recognises the beginning of speech by what was before it."""


class RecentAudio:
    """Of one call."""

    def __init__(self) -> None:
        self.audio = bytearray()
        self._was_needed = False

    def add(self, audio: bytes, is_needed: bool) -> None:
        """Take what the caller says. `is_needed`: no session has understood yet what was said lately."""
        if self._was_needed and not is_needed:
            self.audio.clear()  # a new session would take the end of it for another turn
        self._was_needed = is_needed
        self.audio += audio
        keep = (MOST_MS if is_needed else QUIET_MS) * BYTES_PER_MS
        del self.audio[:max(0, len(self.audio) - keep)]
