"""What there is to choose of a speech agent: options with names, and readers of their values.

The names are those of an agent profile; values are checked as far as they can be without the service. A reader returns
a value as it is kept, and raises ValueError with what would be valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Mapping

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
"""The JSON schema of a function without parameters."""

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOOL_KEYS = {"name", "description", "parameters"}


@dataclass(frozen=True)
class Option:
    """One option of a profile."""

    meaning: str
    read: Callable[[Any], Any]
    """Returns the value as it is kept; raises ValueError with what would be valid."""


def text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ValueError("write a text")
    return value


def word(value: Any) -> str:
    """Return a text that is not empty."""
    if not text(value):
        raise ValueError("write a text that is not empty")
    return text(value)


def flag(value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise ValueError("write true or false")
    return value


def number(least: float, most: float) -> Callable[[Any], float]:
    """Return a reader of numbers in that range."""
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise ValueError(f"write a number from {least} to {most}")
        return float(value)
    return read


def whole(least: int, most: int) -> Callable[[Any], int]:
    """Return a reader of whole numbers in that range."""
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return value
    return read


def one_of(*words: str) -> Callable[[Any], str]:
    """Return a reader of these words."""
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"write one of {', '.join(filter(None, words))}")
        return str(value)
    return read


def json_object(value: Any) -> Mapping[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise ValueError("write a JSON object")
    return value


def tools(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return functions that the model may call: each has a name, and may have a description and parameters."""
    if not isinstance(value, list):
        raise ValueError("write a list of objects")
    for tool in value:
        if not isinstance(tool, dict) or not _TOOL_NAME.fullmatch(str(tool.get("name"))):
            raise ValueError("each tool is an object with a name of 1 to 64 letters, digits and _-")
        if unknown := tool.keys() - _TOOL_KEYS:
            raise ValueError(f"the tool {tool['name']} has {', '.join(sorted(unknown))}, which is not known")
        if not isinstance(tool.get("parameters", {}), dict) or not isinstance(tool.get("description", ""), str):
            raise ValueError(f"the tool {tool['name']} has a description, which is a text, and parameters, which are "
                             "a JSON schema")
    names = [tool["name"] for tool in value]
    if len(set(names)) < len(names):
        raise ValueError("two tools have the same name")
    return tuple(value)


def read(given: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Any]:
    """Return the values of options; raise ValueError where one is unknown or its value cannot be used."""
    if unknown := given.keys() - options.keys():
        raise ValueError(f"there is no option {', '.join(sorted(unknown))}: use {', '.join(options)}")
    values = {}
    for name, value in given.items():
        try:
            values[name] = options[name].read(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return values
