"""What every protocol does with values of a server's JSON; `kind` is that of the MessageError raised."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import orjson

from ..errors import MessageError

_EITHER_ALPHABET = str.maketrans("-_.", "+/=")  # some pad the other alphabet with dots


def shown(value: Any) -> str:
    """A foreign value as an error may repeat it: short, in one line; nothing that nests is walked through."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(value if not isinstance(value, str) or len(value) <= 80 else value[:79] + "…")


def from_base64(kind: str, key: str, text: str) -> bytes:
    """The bytes of the member `key`: of base64 in either alphabet (RFC 4648 sections 4 and 5), padded or not, also of
    padded pieces that stand one after the other.
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
    """Raise when `value` cannot be passed on: what can be read may be nested too deeply to be written."""
    try:
        orjson.dumps({key: value})  # an event's body may wrap it once more
    except orjson.JSONEncodeError as error:
        raise MessageError(kind, f"the {key} cannot be passed on: {error}") from error
