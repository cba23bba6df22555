"""From what was given, and where, to the settings of a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import Any, Callable, Iterator, Mapping

from ..errors import SettingError
from .dialects import FIXED, OWN_DEFAULTS, VARIABLES, Dialect, ForeignVariable, Value
from .file import FILE
from .table import SETTINGS, VARIABLE_PREFIX, Setting, Settings, find

ChannelVariables = Callable[[str], "str | None"]

# As FreeSWITCH has them.
_TRUE = frozenset(("true", "yes", "on", "1", "t", "enabled", "active", "allow"))
_FALSE = frozenset(("false", "no", "off", "0", "f", "disabled", "inactive", "disallow"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")


@dataclass(frozen=True)
class _Given:
    """A setting's value as somebody wrote it, and where."""

    setting: Setting
    text: str
    origin: str
    inverted: bool = False
    exact: bool = False
    needed: bool = False
    """See `ForeignVariable` and `Setting`."""
    warning: str = ""
    """About the text, whatever becomes of it."""

    def __str__(self) -> str:
        value = "(not shown)" if self.setting.secret else repr(self.text[:80])
        return f"setting {self.setting.xml_name} = {value} from {self.origin}"

    def value(self) -> tuple[Value, str]:
        """The value, and a warning or ""; raises SettingError when the text means nothing."""
        row = self.setting
        if isinstance(row.default, bool):
            return self._flag(), ""
        if row.choices:
            return type(row.default)(self._choice()), ""
        return self._number() if isinstance(row.default, int) else (self._text(), "")

    def _unusable(self, what: str) -> SettingError:
        return SettingError(f"{self} is {what}: use {self.setting.valid}")

    def _flag(self) -> bool:
        word = self.text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise self._unusable("neither true nor false")
        return (word in _TRUE) is not self.inverted

    def _number(self) -> tuple[int, str]:
        if not _INTEGER.fullmatch(self.text.strip()):
            raise self._unusable("not a whole number")
        row, asked = self.setting, int(self.text)
        used = min(max(asked, row.minimum), row.maximum) // row.step * row.step
        if self.exact and (asked < row.minimum or asked % row.step):
            raise self._unusable("not possible")
        return used, "" if used == asked else f"{self} is not among {row.valid}: {used} is used"

    def _choice(self) -> str:
        word = self.text.strip().lower()
        if word not in self.setting.choices:
            raise self._unusable("unknown")
        return word

    def _text(self) -> str:
        if not re.fullmatch(self.setting.pattern, self.text):
            raise self._unusable("not possible")
        try:
            return self.setting.read(self.text)
        except ValueError as error:
            raise self._unusable(str(error)) from error


def resolve(xml: Mapping[str, str], env: Mapping[str, str], channel: ChannelVariables,
            prefix: Mapping[str, str], dialect: Dialect = Dialect.STREAM_API) -> tuple[Settings, list[str]]:
    """The settings of a stream, and a sentence for each value that was clamped or passed over.

    `xml` is what `parse_xml` gave, `env` the environment, `channel` looks up a channel variable (and is
    called up to three times for each setting), `prefix` is what `split_prefix` gave. An empty value counts as
    not given, save in a prefix. Raises SettingError for a name or value in `prefix` that cannot be used, and
    for a value in a channel variable that the call needs.
    """
    values: dict[str, Any] = dict(OWN_DEFAULTS[dialect])
    warnings: list[str] = []
    for given in _lenient(xml, env, channel, dialect, warnings):
        try:
            _take(given, values, warnings)
        except SettingError as error:
            if given.needed:
                raise
            warnings.append(f"{error}; it is ignored")
    for given in _from_prefix(prefix, dialect):
        _take(given, values, warnings)
    return Settings(**values), warnings


def _take(given: _Given, values: dict[str, Any], warnings: list[str]) -> None:
    values[given.setting.attribute], warning = given.value()
    if given.warning:
        warnings.append(f"{given}: {given.warning}")
    if warning:
        warnings.append(warning)


def _lenient(xml: Mapping[str, str], env: Mapping[str, str], channel: ChannelVariables, dialect: Dialect,
             warnings: list[str]) -> Iterator[_Given]:
    own = OWN_DEFAULTS[dialect]
    for given in chain(_from_xml(xml, warnings), _from_environment(env, warnings)):
        if given.text and given.setting.attribute not in own:
            yield given
    yield from _from_channel(channel, dialect)


def _from_xml(xml: Mapping[str, str], warnings: list[str]) -> Iterator[_Given]:
    for name, text in xml.items():
        setting = find(name)
        if setting is None:
            warnings.append(f"{FILE}.xml has a param {name!r} that is no setting: it is ignored")
        else:
            yield _Given(setting, text, f"{FILE}.xml")


def _from_environment(env: Mapping[str, str], warnings: list[str]) -> Iterator[_Given]:
    for setting in SETTINGS:
        yield _Given(setting, env.get(setting.variable, ""), f"environment variable {setting.variable}")
    known = {setting.variable for setting in SETTINGS}
    warnings.extend(f"environment variable {name} is no setting: it is ignored"
                    for name in sorted(env) if name.startswith(VARIABLE_PREFIX) and name not in known)


def _from_channel(channel: ChannelVariables, dialect: Dialect) -> Iterator[_Given]:
    for setting in SETTINGS:
        if setting.module_wide or setting.attribute in FIXED[dialect]:
            continue
        for variable in _channel_variables(setting, dialect):
            text = channel(variable.name)
            if text:
                yield _from_variable(setting, variable, text)
                break


def _from_variable(setting: Setting, variable: ForeignVariable, text: str) -> _Given:
    text, warning = variable.translate(text) if variable.translate else (text, "")
    return _Given(setting, text, f"channel variable {variable.name}", variable.inverted, variable.exact,
                  setting.needed, warning)


def _channel_variables(setting: Setting, dialect: Dialect) -> Iterator[ForeignVariable]:
    """The first that is set counts."""
    yield from (variable for variable in VARIABLES[dialect] if variable.attribute == setting.attribute)
    for name in (setting.variable, *setting.channel_aliases):
        yield ForeignVariable(name, setting.attribute)


def _from_prefix(prefix: Mapping[str, str], dialect: Dialect) -> Iterator[_Given]:
    for name, text in prefix.items():
        setting = find(name)
        if setting is None:
            known = ", ".join(row.xml_name for row in SETTINGS if not row.module_wide)
            raise SettingError(f"the URL prefix sets {name[:80]!r}, which is no setting: use one of {known}")
        if setting.module_wide:
            raise SettingError(f"the URL prefix sets {setting.xml_name}, which is the same for all streams: "
                               f"set it in {FILE}.xml or as environment variable {setting.variable}")
        if setting.attribute in FIXED[dialect]:
            fixed = OWN_DEFAULTS[dialect][setting.attribute]
            raise SettingError(f"the URL prefix sets {setting.xml_name}, which is always {fixed} for a stream "
                               "without a stream id: put a stream id before start")
        yield _Given(setting, text, "the URL prefix")
