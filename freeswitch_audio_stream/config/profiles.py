"""Agent profiles: files ``NAME.json`` in a folder, each a JSON object. The module's streams and the gateway have them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from ..errors import SettingError

LONGEST_FILE = 1 << 20
"""Bytes of a profile: instructions and tools are long, but not that long."""
NAME_RULE = "use 1 to 128 letters, digits and ._-, the first a letter or digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_name(name: str) -> bool:
    """Return whether a profile can have this name."""
    return _NAME.fullmatch(name) is not None


def read_file(file: Path) -> Any:
    """Return the JSON value of a file; raise SettingError. Blocks."""
    try:
        if file.stat().st_size > LONGEST_FILE:
            raise SettingError(f"{file} has more than {LONGEST_FILE} bytes: shorten it")
        return orjson.loads(file.read_bytes())
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise SettingError(f"{file} is not JSON: {error}") from error


def read_profile(folder: str, name: str) -> dict[str, Any]:
    """Return the profile `name` of a folder; raise SettingError, with the names that there are, if it cannot be used.
    Blocks.
    """
    if not folder:
        raise SettingError(f"there is no folder of agent profiles for {name}: name it in agents-dir")
    file = Path(folder) / f"{name}.json"
    if not file.is_file():
        known = sorted(one.stem for one in Path(folder).glob("*.json"))
        raise SettingError(f"there is no agent profile {name} in {folder}: "
                           + (f"use one of {', '.join(known)}" if known else "there is none at all"))
    body = read_file(file)
    if not isinstance(body, dict):
        raise SettingError(f"{file} is no JSON object: write {{\"protocol\": …}} and what the agent needs further")
    return body
