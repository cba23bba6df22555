"""How often an address may fail: a token bucket (RFC 2697's kind) for each, in bounded memory."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from typing import Callable

BURST = 10
"""Failures in a row that slow nobody down: a person who mistypes, a client with a token of yesterday."""
REFILL_SECONDS = 6.0
"""Until a further one is allowed."""
MAX_ADDRESSES = 10_000
_IPV6_PREFIX = 64  # what one subscriber is given (RFC 6177)


def key_of(address: str) -> str:
    """What failures are counted by: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((parsed, _IPV6_PREFIX), strict=False))
        return str(parsed.ipv4_mapped)
    return str(parsed)


class FailureLimit:
    """Remembers who has failed. One thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When an address is forgiven everything; the one that failed last is last."""

    def wait_seconds(self, address: str) -> int:
        """How long this address has to wait for its next attempt; 0: not at all."""
        missing = self._full_at.get(key_of(address), 0.0) - self._clock()
        return max(0, math.ceil(missing - (BURST - 1) * REFILL_SECONDS))

    def failed(self, address: str) -> None:
        """Count a failure."""
        key, now = key_of(address), self._clock()
        self._full_at[key] = max(now, self._full_at.pop(key, 0.0)) + REFILL_SECONDS
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Those who are forgiven; and where there are too many, whose last failure is the longest ago."""
        while self._full_at:
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now and len(self._full_at) <= MAX_ADDRESSES:
                return
            del self._full_at[oldest]

    def __len__(self) -> int:
        return len(self._full_at)
