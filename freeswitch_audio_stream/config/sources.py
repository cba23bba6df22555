"""Where programs are given their settings: the environment, files, and options of the command line.

In the environment and in files, an empty text counts as not given, and one that cannot be used is passed over with a
complaint. An option is part of the command: one that cannot be used is refused.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence

from .given import Given
from .table import Setting, Table, is_known


@dataclass(frozen=True)
class Environment:
    """Variables of the process, or those of an environment file that other programs share."""

    variables: Mapping[str, str] = field(repr=False)
    origin: str = "environment variable {}"
    """How a variable is called in sentences; ``{}`` stands for its name."""

    def read(self, table: Table[Any]) -> Iterator[Given]:
        for row in table.rows:
            text = self.variables.get(row.variable, "")
            if text:
                yield Given(row, text, self.origin.format(row.variable))

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        prefixes = tuple(table.variable_prefix for table in tables if table.variable_prefix)  # else all were ours
        known = {row.variable for table in tables for row in table.rows}
        for name in sorted(self.variables):
            if name.startswith(prefixes) and name not in known:
                yield f"{self.origin.format(name)} is no setting: it is ignored"


@dataclass(frozen=True)
class ConfigurationFile:
    """Names and texts of a file that is the program's own; settings go by any of their names."""

    texts: Mapping[str, str] = field(repr=False)
    place: str
    """The file as it is called in sentences."""
    entry: str = "line"
    """What one name and text is called in such a file."""

    def read(self, table: Table[Any]) -> Iterator[Given]:
        for name, text in self.texts.items():
            row = table.find(name)
            if row is not None and text:
                yield Given(row, text, self.place)

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        for name in self.texts:
            if not is_known(name, tables):
                yield f"{self.place} has a {self.entry} {name!r} that is no setting: it is ignored"


@dataclass(frozen=True)
class Options:
    """Options of the command line, as the parser that `add_options` was called with leaves them."""

    texts: Mapping[str, Any] = field(repr=False)
    """By attribute: ``vars()`` of the parser's namespace. None and what is missing count as not given."""

    def read(self, table: Table[Any]) -> Iterator[Given]:
        for row in table.rows:
            text = self.texts.get(row.attribute)
            if text is not None:
                yield Given(row, text, f"option --{row.name}", strict=True)

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        return iter(())  # the parser has refused those


def add_options(parser: ArgumentParser, table: Table[Any]) -> None:
    """Add an option for each row of a table that can be one; their texts are unchecked until `resolve` reads them.

    An option of a flag may stand alone, which means true.
    """
    for row in table.rows:
        if not row.is_option:
            continue
        alone: dict[str, Any] = {"nargs": "?", "const": "true"} if isinstance(row.default, bool) else {}
        parser.add_argument(f"--{row.name}", dest=row.attribute, metavar=row.unit.upper() or "VALUE",
                            help=_help(row).replace("%", "%%"), **alone)


def _help(row: Setting) -> str:
    default = "empty" if row.default == "" else str(row.default)
    if isinstance(row.default, bool):
        default = default.lower()
    caution = "; other users of this machine can see an option, but not a variable" if row.secret else ""
    return f"{row.doc} ({row.valid}; default {default}; variable {row.variable}{caution})"
