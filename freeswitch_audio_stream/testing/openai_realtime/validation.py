"""Whether a message is one of the protocol: the types of the package ``openai`` say it, and keys they do not know are
refused, too.
"""

from __future__ import annotations

from typing import Any, Iterator

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

_CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
_SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def check_client_message(message: str | bytes) -> None:
    """Raise ValueError where a client must not send this."""
    _check(_CLIENT, message)


def check_server_message(message: str | bytes) -> None:
    """Raise ValueError where a server does not send this."""
    _check(_SERVER, message)


def _check(adapter: TypeAdapter[Any], message: str | bytes) -> None:
    value = adapter.validate_json(message, strict=True)
    if unknown := sorted(_unknown(value, "")):
        raise ValueError(f"{getattr(value, 'type', 'the message')} has keys that nobody knows: {', '.join(unknown)}")


def _unknown(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (f"{path}{key}" for key in value.model_extra or {})
        for name in value.model_fields_set - set(value.model_extra or {}):
            yield from _unknown(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from _unknown(one, f"{path}{number}.")
