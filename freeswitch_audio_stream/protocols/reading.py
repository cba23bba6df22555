"""What every protocol does with values of a server's JSON; `kind` is that of the MessageError raised."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from ..errors import MessageError


def shown(value: Any) -> str:
    """A foreign value as an error may repeat it: short, in one line; nothing that nests is walked through."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(value if not isinstance(value, str) or len(value) <= 80 else value[:79] + "…")


def from_base64(kind: str, key: str, text: str) -> bytes:
    """The bytes of the member `key`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError(kind, f"{key} of {kind} is not base64: {error}") from error


def check_writable(kind: str, key: str, value: dict[str, Any]) -> None:
    """Raise when `value` cannot be passed on: what can be read may be nested too deeply to be written."""
    try:
        orjson.dumps({key: value})  # an event's body may wrap it once more
    except orjson.JSONEncodeError as error:
        raise MessageError(kind, f"the {key} cannot be passed on: {error}") from error
