"""From what is given, and where, to the values of a table.

This is the door for any program with settings: it writes a `Table`, lists its sources from the least to the most
important (`sources` has those that programs share), and calls `resolve`:

    settings, complaints = resolve(RECORDER, [
        ConfigurationFile(parse_environment_file(text, path), path), Environment(os.environ), Options(vars(arguments))])

Nothing here knows what a source is.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, Protocol, Sequence

from ..errors import SettingError
from .given import Given
from .table import Table, Value, Values


class Source(Protocol):
    """One place where settings are given, such as the environment."""

    def read(self, table: Table[Any]) -> Iterator[Given]:
        """Yield what this place gives for the rows of a table; may raise SettingError."""

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        """Yield a sentence for each name in this place that was meant for these tables, and that none of them has."""


def resolve(table: Table[Values], sources: Iterable[Source], others: Sequence[Table[Any]] = (),
            defaults: Mapping[str, Value] | None = None) -> tuple[Values, list[str]]:
    """Return the table's values, each valid, and a sentence for each text that was clamped or passed over.

    What a later source gives replaces what an earlier one gave, and a text that cannot be used replaces nothing.
    `others` are tables that are given in the same places, whose names are therefore no mistakes. `defaults`, by
    attribute, come before those of the table. Raise SettingError for a text that cannot be used where the source
    is strict about it, and where a source raises it.
    """
    values: dict[str, Any] = dict(defaults or {})
    complaints: list[str] = []
    for source in sources:
        for given in source.read(table):
            _take(given, values, complaints)
        complaints.extend(source.unknown((table, *others)))
    return table.values(**values), complaints


def _take(given: Given, values: dict[str, Any], complaints: list[str]) -> None:
    try:
        values[given.setting.attribute], warnings = given.value()
    except SettingError as error:
        if given.strict:
            raise
        warnings = [f"{error}; it is ignored"]
    complaints.extend(warnings)
