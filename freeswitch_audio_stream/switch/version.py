"""Which releases of the switch we know: from 1.10.7, the first with mod_python3, and all of version 1
since.
"""

from __future__ import annotations

import re

from ..errors import UnsupportedVersion
from .library import Library
from .text import decode

OLDEST = (1, 10, 7)
FIRST_UNKNOWN = (2, 0, 0)


def check(library: Library) -> str:
    """The version, such as ``1.10.12-release``; raise UnsupportedVersion outside OLDEST … FIRST_UNKNOWN."""
    parts = [decode(part()) for part in (library.switch_version_major, library.switch_version_minor,
                                         library.switch_version_micro)]
    version = ".".join(parts)
    numbers = tuple(_leading_number(part) for part in parts)
    if not OLDEST <= numbers < FIRST_UNKNOWN:
        oldest = ".".join(map(str, OLDEST))
        raise UnsupportedVersion(f"FreeSWITCH {version or 'of unknown version'} is not supported: "
                                 f"{oldest} or a later 1.x is needed")
    return version


def _leading_number(text: str) -> int:
    match = re.match(r"\d+", text)
    return int(match.group()) if match else -1
