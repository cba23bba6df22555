"""The digits of all calls, each told once, however many have noticed it.

A key that is pressed may come as an RFC 4733 event and also as tones in the audio; FreeSWITCH may listen for tones
(``start_dtmf``) while streams of ours do, too, each for itself. What one source reports is never taken for a
repetition; what another one reports about the same time, of the same digit, is.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Callable

from ...realtime.media.dtmf import Digit, DigitQueue

SLACK_SECONDS = 0.4
"""How far apart two reports of one key may be, beyond the time that it was held: tones are noticed some 50 ms after
their end, and SIP INFO may take another way through the network."""

_REMEMBERED = 1024  # digits of all calls together: none is asked for that is older than the longest key
_WARNING_SECONDS = 10.0


@dataclass
class _Told:
    """A digit that has been told, and who has noticed it so far."""

    digit: Digit
    at: float
    sources: set[int] = field(default_factory=set)


class Digits:
    """Reads the queue of the core; only on one dispatcher."""

    def __init__(self, queue: DigitQueue, warn: Callable[[str], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        """`warn` is told of digits that were lost, at most every 10 s; `clock` is in seconds."""
        self._queue = queue
        self._warn = warn
        self._clock = clock
        self._told: deque[_Told] = deque(maxlen=_REMEMBERED)
        self._lost = 0
        self._warned_at = -_WARNING_SECONDS

    def take(self) -> list[Digit]:
        """Return the digits since the last call, without those that another source has reported already."""
        now = self._clock()
        digits = [digit for digit in self._queue.take() if not self._is_told(digit, now)]
        self._look_for_losses(now)
        return digits

    def _is_told(self, digit: Digit, now: float) -> bool:
        began = now - digit.duration_ms / 1000 - SLACK_SECONDS
        for told in self._told:  # the oldest first: the second 5 of one source is the second 5 of another
            same = told.digit.session == digit.session and told.digit.digit == digit.digit
            if same and told.at >= began and digit.source not in told.sources:
                told.sources.add(digit.source)
                return True
        self._told.append(_Told(digit, now, {digit.source}))
        return False

    def _look_for_losses(self, now: float) -> None:
        lost = self._queue.lost
        if lost > self._lost and now - self._warned_at >= _WARNING_SECONDS:
            self._warn(f"{lost - self._lost} DTMF digits were lost: more came at once than any caller presses; find "
                       "out who sends them")
            self._lost, self._warned_at = lost, now
