"""One value as somebody wrote it: from its text to the value, or to the sentence that says what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import SettingError
from .table import LONGEST_TEXT, Setting, Value

# As FreeSWITCH has them.
_TRUE = frozenset(("true", "yes", "on", "1", "t", "enabled", "active", "allow"))
_FALSE = frozenset(("false", "no", "off", "0", "f", "disabled", "inactive", "disallow"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")


@dataclass(frozen=True)
class Given:
    """A setting's value as somebody wrote it, and where."""

    setting: Setting
    text: str = field(repr=False)
    origin: str
    """Where it was written, as words that follow "from"."""
    strict: bool = False
    """A text that cannot be used is an error, not passed over."""
    exact: bool = False
    """A number that is too small, or no multiple of the step, cannot be used; else it is brought into the range."""
    warning: str = ""
    """About a text that can be used, whatever its value."""

    def __str__(self) -> str:
        value = "(not shown)" if self.setting.secret else repr(self.text[:80])
        return f"setting {self.setting.name} = {value} from {self.origin}"

    def value(self) -> tuple[Value, list[str]]:
        """Return the value, and warnings about it; raise SettingError when the text means nothing."""
        value, clamped = self._read()
        about_the_text = f"{self}: {self.warning}" if self.warning else ""
        return value, [warning for warning in (about_the_text, clamped) if warning]

    def _read(self) -> tuple[Value, str]:
        row = self.setting
        if isinstance(row.default, bool):
            return self._flag(), ""
        if row.choices:
            return type(row.default)(self._choice()), ""
        return self._number() if isinstance(row.default, int) else (self._text(), "")

    def _unusable(self, what: str) -> SettingError:
        return SettingError(f"{self} is {what}: use {self.setting.valid}")

    def _flag(self) -> bool:
        flag = flag_of(self.text)
        if flag is None:
            raise self._unusable("neither true nor false")
        return flag

    def _number(self) -> tuple[int, str]:
        if not _INTEGER.fullmatch(self.text.strip()):
            raise self._unusable("not a whole number")
        asked = int(self.text)
        used = self.setting.in_range(asked)
        if self.exact and (asked < self.setting.minimum or asked % self.setting.step):
            raise self._unusable("not possible")
        return used, "" if used == asked else f"{self} is not among {self.setting.valid}: {used} is used"

    def _choice(self) -> str:
        word = self.text.strip().lower()
        if word not in self.setting.choices:
            raise self._unusable("unknown")
        return word

    def _text(self) -> str:
        if len(self.text) > LONGEST_TEXT:
            raise self._unusable(f"longer than {LONGEST_TEXT} characters")
        if not re.fullmatch(self.setting.pattern, self.text):
            raise self._unusable("not possible")
        try:
            return self.setting.read(self.text)
        except ValueError as error:
            raise self._unusable(str(error)) from error


def flag_of(text: str) -> bool | None:
    """Return what a word for true or false says; None when it is no such word."""
    word = text.strip().lower()
    return word in _TRUE if word in _TRUE | _FALSE else None
