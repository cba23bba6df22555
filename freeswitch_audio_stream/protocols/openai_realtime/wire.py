"""Reading and writing of the service's messages."""

from __future__ import annotations

from typing import Any, Mapping

import orjson

from ...errors import MessageError
from ..reading import shown
from .events import Send

Message = Mapping[str, Any]


def send(kind: str, **fields: Any) -> Send:
    """Return a message of that type."""
    return Send(orjson.dumps({"type": kind, **fields}))


def read(message: bytes | str) -> dict[str, Any]:
    """Return a message as an object that has a ``type``; raise MessageError."""
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise MessageError("json", f"the message is not JSON: {error}") from error
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise MessageError("json", f"the message is {shown(event)}, and not an object with a type")
    return event


def text_of(event: Message, key: str) -> str:
    """Return a member that is a text; raise MessageError."""
    value = event.get(key)
    if not isinstance(value, str):
        kind = str(event.get("type", "item"))
        raise MessageError(kind, f"{key} of {kind} is {shown(value)}, and not a text")
    return value


def object_of(event: Message, key: str) -> dict[str, Any]:
    """Return a member that is an object; raise MessageError."""
    value = event.get(key)
    if not isinstance(value, dict):
        kind = str(event.get("type", "item"))
        raise MessageError(kind, f"{key} of {kind} is {shown(value)}, and not an object")
    return value
