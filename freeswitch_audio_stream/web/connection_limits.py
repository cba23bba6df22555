"""How many connections may be open at once: from one address, and in all.

A connection costs whoever opens it next to nothing, and the process a descriptor. A process without descriptors cannot
take calls, so the limits lie well below what it may open, whatever is asked for.
"""

from __future__ import annotations

import resource
from collections import Counter
from dataclasses import dataclass

from .failure_limit import key_of

USUAL = 1000  # far more than come at once, where all get what they came for
_QUARTER = 4
_HALF = 2


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits."""

    in_all: int
    from_an_address: int
    """From one IPv4 address, or one /64 of IPv6."""


def open_files() -> int:
    """Return how many files this process may have open (the soft RLIMIT_NOFILE)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


def choose_limits(in_all: int, from_an_address: int, files: int) -> ConnectionLimits:
    """Return the limits that were asked for, as far as a process that may open so many files can afford them.

    0 asks for the usual ones: in all a quarter of the files, at most 1000, and a quarter of that from one address. At
    most half of the files is given away.
    """
    total = max(1, min(in_all or min(USUAL, files // _QUARTER), files // _HALF))
    return ConnectionLimits(total, min(from_an_address or max(1, total // _QUARTER), total))


class ConnectionCount:
    """Count the open connections. One thread."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: Counter[str] = Counter()
        self._total = 0

    def enter(self, address: str) -> str | None:
        """Count a connection from `address`, and return what it is counted by, for `leave`; None: one too many."""
        key = key_of(address)
        if self._total >= self.limits.in_all or self._open[key] >= self.limits.from_an_address:
            return None
        self._open[key] += 1
        self._total += 1
        return key

    def leave(self, key: str) -> None:
        """Undo `enter`."""
        self._total -= 1
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    def __len__(self) -> int:
        return self._total
