"""Checks of values in a server's JSON that several protocols need; `kind` is that of the MessageError raised."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import orjson

from ..errors import MessageError

_EITHER_ALPHABET = str.maketrans("-_.", "+/=")  # some pad the other alphabet with dots


def shown(value: Any) -> str:
    """Return `value` as an error message may quote it: in one line and short; of an object or list, only its type."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(value if not isinstance(value, str) or len(value) <= 80 else value[:79] + "…")


def from_base64(kind: str, key: str, text: str) -> bytes:
    """Return the bytes that `text`, the value of the member `key`, encodes; raise MessageError if it is not base64.

    Both alphabets (RFC 4648 sections 4 and 5) are accepted, with or without padding, and concatenated padded pieces.
    """
    *pieces, last = re.findall("[^=]*=*", text.translate(_EITHER_ALPHABET))[:-1] or [""]
    try:
        if any(len(piece) % 4 for piece in pieces):
            raise ValueError("padding ends a group of other than four characters")
        return b"".join(_decoded(piece) for piece in (*pieces, last))
    except (binascii.Error, ValueError) as error:
        raise MessageError(kind, f"{key} of {kind} is not base64: {error}") from error


def _decoded(piece: str) -> bytes:
    digits = piece.rstrip("=")
    padding = -len(digits) % 4
    if len(piece) > len(digits) + padding:
        raise ValueError("there is too much padding")
    return base64.b64decode(digits + "=" * padding, validate=True)


def check_writable(kind: str, key: str, value: dict[str, Any]) -> None:
    """Raise MessageError if `value` cannot be written as JSON: the parser allows deeper nesting than the writer."""
    try:
        orjson.dumps({key: value})  # an event's body may nest it one level deeper
    except orjson.JSONEncodeError as error:
        raise MessageError(kind, f"the {key} cannot be passed on: {error}") from error
