"""Noise of which any few samples say where they are, and who follows it: what came, what did not, and what came twice.

It consists of levels of G.711 mu-law, so that it is the same, to the bit, behind a stream that carries that or linear
audio. None of them is 0: silence is never part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audio import MULAW_DECODE, Samples, samples_to_mulaw

PERIOD = 1 << 18
"""Samples until it begins again: about 33 s at 8000 Hz, and half of that at 16000."""
_WINDOW = 8  # samples that say where they are: 8 codes of 8 bits are one uint64
_SILENT = frozenset({0x7F, 0xFF})  # the codes of 0


class Noise:
    """The same for the same seed. Immutable: any thread may use it."""

    def __init__(self, seed: int) -> None:
        codes = np.array([code for code in range(256) if code not in _SILENT], np.uint8)
        self._codes = np.random.default_rng(seed).choice(codes, PERIOD)
        self._windows = _windows(np.concatenate([self._codes, self._codes[:_WINDOW - 1]]))
        self._order = np.argsort(self._windows)
        self._sorted = self._windows[self._order]

    def codes(self, position: int, count: int) -> NDArray[np.uint8]:
        """Return `count` mu-law codes from `position` on, which may be beyond the period."""
        return self._codes[np.arange(position, position + count) % PERIOD]

    def samples(self, position: int, count: int) -> Samples:
        """Return the same as int16."""
        return MULAW_DECODE[self.codes(position, count)]

    def find(self, codes: NDArray[np.uint8]) -> int | None:
        """Return where in the period the first samples of `codes` are, at least 8; None if they are nowhere."""
        window = _windows(codes[:_WINDOW])[0]
        place = int(np.searchsorted(self._sorted, window))
        if place == PERIOD or self._sorted[place] != window:
            return None
        return int(self._order[place])


def _windows(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return each run of 8 codes as one number."""
    rows = np.lib.stride_tricks.sliding_window_view(codes, _WINDOW)
    return np.ascontiguousarray(rows).view(np.uint64).reshape(-1)


@dataclass
class Tally:
    """Samples, by what became of them."""

    exact: int = 0
    silent: int = 0
    """Silence in place of what came later."""
    lost: int = 0
    repeated: int = 0
    wrong: int = 0
    """Neither silence nor any part of the noise."""

    def __add__(self, other: Tally) -> Tally:
        """Return the sum."""
        return Tally(self.exact + other.exact, self.silent + other.silent, self.lost + other.lost,
                     self.repeated + other.repeated, self.wrong + other.wrong)


class Follower:
    """Compares what comes, in any pieces, with the noise that was sent. One thread."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise
        self._position: int | None = None
        self._rest = np.zeros(0, np.uint8)
        self.tally = Tally()

    @property
    def position(self) -> int | None:
        """How many samples of the noise there have been, lost ones included; None while none was found."""
        return self._position

    def restart(self) -> None:
        """What comes now is of another call or stream, and begins anywhere."""
        self._position = None
        self._rest = self._rest[:0]

    def feed(self, samples: Samples) -> Tally:
        """Take the next samples, and return what they were; the last few may be told with the next."""
        codes = samples_to_mulaw(samples)
        told = Tally(wrong=int(np.count_nonzero(MULAW_DECODE[codes] != samples)))
        codes = np.concatenate([self._rest, codes])
        begin = 0
        while begin < len(codes):
            taken = self._take(codes[begin:], told)
            if taken == 0:
                break
            begin += taken
        self._rest = codes[begin:]
        self.tally += told
        return told

    def _take(self, codes: NDArray[np.uint8], told: Tally) -> int:
        """Take the first run of `codes` that is one thing; return its length, 0 where more is needed to tell."""
        as_expected = self._as_expected(codes)
        if as_expected:
            told.exact += as_expected
            return as_expected
        silent = _run(np.isin(codes, list(_SILENT)))
        if silent:
            told.silent += silent
            return silent
        if len(codes) < _WINDOW:
            return 0
        found = self._noise.find(codes)
        if found is None:
            told.wrong += 1
            return 1
        self._jump(found, told)
        return 0 if self._position is None else self._take(codes, told)

    def _as_expected(self, codes: NDArray[np.uint8]) -> int:
        if self._position is None:
            return 0
        run = _run(codes == self._noise.codes(self._position, len(codes)))
        self._position += run
        return run

    def _jump(self, found: int, told: Tally) -> None:
        if self._position is not None:
            ahead = (found - self._position) % PERIOD
            if ahead <= PERIOD // 2:
                told.lost += ahead
            else:
                told.repeated += PERIOD - ahead
                ahead -= PERIOD
            self._position += ahead
        else:
            self._position = found


def _run(holds: NDArray[np.bool_]) -> int:
    """Return how many of the first hold."""
    return len(holds) if holds.all() else int(np.argmin(holds))
