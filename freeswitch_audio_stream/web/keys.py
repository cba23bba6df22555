"""Keys that clients show: compared in constant time, and never to be shown again."""

from __future__ import annotations

import hashlib
import hmac
from typing import Generic, Mapping, TypeVar

T = TypeVar("T")
LONGEST_KEY = 4096
"""Characters; what is longer is no key, and is not even looked at."""


class Keys(Generic[T]):
    """What each key is good for. Any thread. Nothing here can be shown: there is no way back from a digest."""

    def __init__(self, good_for: Mapping[str, T]) -> None:
        self._known = [(_digest(key), value) for key, value in good_for.items()]

    def find(self, key: str) -> T | None:
        """Return what `key` is good for; None: nothing. It takes as long whichever is right, or none."""
        if not 0 < len(key) <= LONGEST_KEY:
            return None
        digest, found = _digest(key), None
        for known, value in self._known:
            if hmac.compare_digest(digest, known):
                found = value
        return found

    def __len__(self) -> int:
        return len(self._known)


def bearer(authorization: str) -> str | None:
    """Return the token of a header ``Authorization: Bearer …`` (RFC 6750 section 2.1); None where it has another
    scheme.
    """
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
