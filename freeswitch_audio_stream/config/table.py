"""Rows and tables of settings: what there is to set, and what may be given.

A program writes its table as a frozen dataclass whose fields are made by `setting`, and turns it into a `Table`:

    @dataclass(frozen=True)
    class RecorderSettings:
        port: int = setting(8080, "Its TCP port.", minimum=1, maximum=65535)
        api_key: str = setting("", "What clients must show.", secret=True)

    RECORDER = Table(RecorderSettings, "AUDIO_STREAM_RECORDER_")

`resolution.resolve` makes such values of what is given in several places.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable, Collection, Generic, Iterable, Sequence, TypeVar, Union

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = Union[int, bool, str]
Values = TypeVar("Values", bound="DataclassInstance")
LONGEST_TEXT = 16_384
"""Characters in the value of a setting that is a text."""


@dataclass(frozen=True)
class Setting:
    """One row of a table; the type of `default` (int, bool, str) is the type of the value."""

    attribute: str
    """Its name in the dataclass of the values; words joined by underscores."""
    variable: str
    """Its name as an environment variable."""
    default: Value
    doc: str
    """What it means, in sentences for the documentation."""
    unit: str = ""
    minimum: int = 0
    maximum: int = 0
    """Of a number without `choices`, inclusive."""
    step: int = 1
    """A number is a multiple of it."""
    choices: Collection[str] = ()
    """Of a text or number; empty: any text that `pattern` matches, any number of the range."""
    pattern: str = r"[^\x00-\x1f\x7f]*"
    pattern_rule: str = "text without control characters"
    read: Callable[[str], str] = str
    """Return the value of a text that `pattern` matches; raise ValueError with what the text is instead."""
    secret: bool = False
    """Never to be shown, logged or answered."""
    is_option: bool = True
    """Whether it can be given on the command line, which other users of the machine can see."""

    def __post_init__(self) -> None:
        """Raise ValueError for a row whose default could not be given, which is a mistake in the program."""
        if isinstance(self.default, bool):
            return
        if self.choices:
            is_valid = str(self.default) in self.choices
        else:
            is_valid = not isinstance(self.default, int) or self.in_range(self.default) == self.default
        if not is_valid:
            raise ValueError(f"the row {self.attribute} has the default {self.default!r}, which is not among its "
                             f"values ({self.valid}): correct the row")

    @property
    def name(self) -> str:
        """Its name in configuration files, options and URL prefixes; words joined by hyphens."""
        return self.attribute.replace("_", "-")

    @property
    def valid(self) -> str:
        """What may be given, as words for a person."""
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(self.default, bool):
            return "true or false"
        if self.choices:
            return _one_of(list(self.choices)) + unit
        if isinstance(self.default, int):
            words = f"multiples of {self.step}" if self.step > 1 else "whole numbers"
            return f"{words} from {self.minimum} to {self.maximum}{unit}"
        return self.pattern_rule

    def in_range(self, number: int) -> int:
        """Return the number that is used where `number` is asked for."""
        return min(max(number, self.minimum), self.maximum) // self.step * self.step


def _one_of(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def setting(default: Value, doc: str, **row: Any) -> Any:
    """Return a dataclass field that carries its row; `row` is what `Setting` has further.

    The value of a secret does not appear in the ``repr`` of the dataclass.
    """
    return field(default=default, repr=not row.get("secret"), metadata={"default": default, "doc": doc, **row})


@dataclass(frozen=True)
class Table(Generic[Values]):
    """Settings that are resolved together; immutable, and good for any thread."""

    values: type[Values]
    """The frozen dataclass of their values."""
    variable_prefix: str
    """What the names of their environment variables begin with; a variable that begins so and is no setting is
    complained about.
    """

    @cached_property
    def rows(self) -> tuple[Setting, ...]:
        """One row for each field, in the order of the documentation."""
        return tuple(Setting(row.name, self.variable_prefix + row.name.upper(), **row.metadata)
                     for row in fields(self.values))

    def find(self, name: str) -> Setting | None:
        """Return the row of that attribute, name or variable, in any case; None when there is none."""
        return self._by_name.get(name.strip().lower().replace("-", "_"))

    @cached_property
    def _by_name(self) -> dict[str, Setting]:
        return {name: row for row in self.rows for name in (row.attribute, row.variable.lower())}


def is_known(name: str, tables: Iterable[Table[Any]]) -> bool:
    """Return whether a table has a setting of that attribute, name or variable."""
    return any(table.find(name) for table in tables)
