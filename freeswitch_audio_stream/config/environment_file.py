"""Environment files, such as ``.env`` and systemd's ``EnvironmentFile``: names and values, unchecked.

One ``NAME=value`` a line, ``export`` before it or not. Empty lines and lines that begin with # or ; say nothing. A
value without quotes ends before a blank with # behind it; in single quotes it is literal; in double quotes a
backslash takes the meaning from ", \\, $ and `. Nothing is expanded, and no value goes over several lines.
"""

from __future__ import annotations

import re

from ..errors import SettingError

_LINE = re.compile(r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_-]*)\s*=\s*
                   (?:'(?P<literal>[^']*)'|"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<plain>(?!['"])(?:(?!(?<=\s)\#).)*?))
                   (?:\s*(?<=\s)\#.*)?\s*""", re.VERBOSE)
_ESCAPE = re.compile(r'\\(["\\$`])')
_RULE = "write NAME=value, and a value with quotes or with a # after a blank in quotes"


def parse_environment_file(text: str, place: str) -> dict[str, str]:
    """Return the values of an environment file by name; of a name that comes twice, the later.

    `place` is what the file is called in errors. Raise SettingError for a line that is none of them, without
    showing it: it may hold a secret.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise SettingError(f"line {number} of {place} is not understood: {_RULE}")
        literal, quoted, plain = match.group("literal", "quoted", "plain")
        values[match["name"]] = literal if literal is not None else plain if quoted is None \
            else _ESCAPE.sub(r"\1", quoted)
    return values
