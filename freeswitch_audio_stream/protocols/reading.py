"""Checks of values in a server's JSON that several protocols need; `kind` is that of the MessageError raised."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import orjson

from ..audio import Encoding
from ..errors import MessageError

LONGEST_NAME = 1024
"""Characters in a checkpoint's name: it is kept until played and repeated in events and messages."""

_EITHER_ALPHABET = str.maketrans("-_.", "+/=")  # some pad the other alphabet with dots


def shown(value: Any) -> str:
    """Return `value` as an error message may quote it: in one line and short; of an object or list, only its type."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(value if not isinstance(value, str) or len(value) <= 80 else value[:79] + "…")


def json_object(message: bytes) -> dict[str, Any]:
    """Return the JSON object that `message` is; raise MessageError of the kind "json" if it is none."""
    try:
        body = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise MessageError("json", f"a message is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise MessageError("json", f"a message is not a JSON object but {shown(body)}")
    return body


def checkpoint_name(kind: str, name: Any) -> str:
    """Return `name`, as the name of a checkpoint; raise MessageError if it is no text of 1 to LONGEST_NAME characters.
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise MessageError(kind, f"{kind} names the checkpoint {shown(name)}: "
                                 f"use a text of 1 to {LONGEST_NAME} characters")
    return name


def whole_samples(kind: str, audio: bytes, encoding: Encoding) -> bytes:
    """Return `audio`; raise MessageError if it ends within a sample."""
    if len(audio) % encoding.sample_bytes:
        raise MessageError(kind, f"{kind} has {len(audio)} bytes of audio: use {encoding.sample_bytes} for each sample")
    return audio


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
