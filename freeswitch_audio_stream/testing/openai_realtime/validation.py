"""Whether a message is one of the protocol: the types of the package ``openai`` say it, and keys they do not know are
refused, too.
"""

from __future__ import annotations

from typing import Any

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import TypeAdapter

from ..unknown_keys import unknown_keys

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
    if unknown := sorted(unknown_keys(value)):
        raise ValueError(f"{getattr(value, 'type', 'the message')} has keys that nobody knows: {', '.join(unknown)}")
