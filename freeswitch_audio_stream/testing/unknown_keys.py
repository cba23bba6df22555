"""What a message has that its type does not know: pydantic keeps such members, and says nothing."""

from __future__ import annotations

from typing import Any, Iterator

from pydantic import BaseModel


def unknown_keys(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of members that the model of `value`, or of anything in it, does not declare."""
    if isinstance(value, BaseModel):
        yield from (f"{path}{key}" for key in value.model_extra or {})
        for name in value.model_fields_set - set(value.model_extra or {}):
            yield from unknown_keys(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from unknown_keys(one, f"{path}{number}.")
