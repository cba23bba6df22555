"""Text between Python and C: UTF-8 that always converts, because neither side vouches for the other's
bytes.
"""

from __future__ import annotations


def encode(text: str) -> bytes:
    """UTF-8 for C: what has no UTF-8 form becomes ``?``, and text after a NUL, which C cannot see, is cut
    off.
    """
    return text.encode("utf-8", "replace").partition(b"\0")[0]


def decode(data: bytes | None) -> str:
    """Text from C: a NULL pointer is the empty string, bytes that are not UTF-8 become U+FFFD."""
    return (data or b"").decode("utf-8", "replace")


def decode_exactly(data: bytes | None) -> str:
    """Text from C in which bytes that are not UTF-8 can still be told: they become lone surrogates."""
    return (data or b"").decode("utf-8", "surrogateescape")
