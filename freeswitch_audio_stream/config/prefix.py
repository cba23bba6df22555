"""``{name=value,…}`` in front of a URL: names and values, unchecked.

Values end at a comma or brace that is neither quoted nor escaped.
"""

from __future__ import annotations

import re
from typing import Iterable

from ..errors import SettingError

LONGEST_PREFIX = 65_536
"""Characters."""

_PREFIX_PIECE = re.compile(r"\\([\\,'{}])|'((?:\\.|[^'\\])*)'|([,}])|(.)", re.DOTALL)
_PREFIX_RULE = ("write {name=value,name=value} directly before the URL, "
                "and values with a comma, brace or quote in single quotes")
_QUOTED_ESCAPE = re.compile(r"\\([\\'])")


def split_prefix(url: str) -> tuple[dict[str, str], str]:
    """Return the ``{name=value,…}`` in front of a URL, unchecked, and what follows; ``({}, url)`` without one.

    A comma or brace that belongs to a value is written after a backslash, or the value in single quotes;
    within quotes, a backslash precedes a quote or backslash. Raise SettingError when no brace closes it or a
    part lacks its "=".
    """
    if not url.startswith("{"):
        return {}, url
    values: dict[str, str] = {}
    part = ""
    for piece in _PREFIX_PIECE.finditer(url, 1, LONGEST_PREFIX):
        escaped, quoted, end, plain = piece.groups()
        if quoted is not None:
            part += _QUOTED_ESCAPE.sub(r"\1", quoted)
        elif end is None:
            part += escaped or plain
        else:
            values.update(_assignment(part))
            part = ""
            if end == "}":
                return values, url[piece.end():]
    if len(url) > LONGEST_PREFIX:
        raise SettingError(f"the URL prefix is not closed within {LONGEST_PREFIX} characters: {_PREFIX_RULE}, or set "
                           "long values as channel variables")
    raise SettingError(f"the URL prefix is not closed: {_PREFIX_RULE}")


def _assignment(part: str) -> Iterable[tuple[str, str]]:
    if not part.strip():
        return ()
    name, equals, value = part.partition("=")
    if not equals or not name.strip():
        raise SettingError(f"a part of the URL prefix is not name=value: {_PREFIX_RULE}")
    return ((name.strip(), value),)
