"""Whose word counts inside FreeSWITCH: the places where the module's own tables are given.

The module and its HTTP server are set by the file and the environment. A stream has two places more, which belong to
its call: channel variables, and the prefix of its URL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Collection, Iterator, Mapping, Sequence

from ..errors import SettingError
from .dialects import FIXED, OWN_DEFAULTS, VARIABLES, Dialect, ForeignVariable
from .file import FILE
from .given import Given, flag_of
from .http_server_settings import HTTP_SERVER
from .module_settings import MODULE
from .resolution import Source, resolve
from .sources import ConfigurationFile, Environment
from .stream_settings import STREAM, StreamSettings
from .table import Setting, Table, Value, Values
from .variables import ALIASES, NEEDED

LookUp = Callable[[str], "str | None"]
"""Return the text of a channel variable; None when it is not set."""

TABLES: tuple[Table[Any], ...] = (STREAM, MODULE, HTTP_SERVER)
"""All that is set in the module's file and environment; in the order of the documentation."""


def resolve_shared(table: Table[Values], xml: Mapping[str, str],
                   env: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Return the values of `MODULE` or `HTTP_SERVER`, and a sentence for each text that was clamped or passed over.

    `xml` is what `parse_xml` returned, `env` the environment. An empty text counts as not given.
    """
    return resolve(table, _shared_sources(xml, env), _others(table))


def resolve_stream(xml: Mapping[str, str], env: Mapping[str, str], channel: LookUp, prefix: Mapping[str, str],
                   dialect: Dialect = Dialect.STREAM_API,
                   defaults: Mapping[str, Value] | None = None) -> tuple[StreamSettings, list[str]]:
    """Return the settings of a stream, and a sentence for each text that was clamped or passed over.

    `xml` is what `parse_xml` returned, `env` the environment, `channel` looks up a channel variable (and is called up
    to three times for each setting), `prefix` is what `split_prefix` returned. An empty text counts as not given, save
    in a prefix. `defaults`, by attribute, come before those of the table and of the dialect. Raise SettingError for a
    name or text in `prefix` that cannot be used, and for a text in a channel variable that the call needs.
    """
    own = OWN_DEFAULTS[dialect]
    shared = (_Without(source, own.keys()) for source in _shared_sources(xml, env))
    sources: list[Source] = [*shared, _ChannelVariables(channel, dialect), _UrlPrefix(prefix, dialect)]
    return resolve(STREAM, sources, _others(STREAM), {**own, **(defaults or {})})


def _shared_sources(xml: Mapping[str, str], env: Mapping[str, str]) -> tuple[Source, Source]:
    return ConfigurationFile(xml, f"{FILE}.xml", "param"), Environment(env)


def _others(table: Table[Any]) -> list[Table[Any]]:
    return [other for other in TABLES if other is not table]


@dataclass(frozen=True)
class _Without:
    """A source that says nothing of some settings."""

    source: Source
    attributes: Collection[str]

    def read(self, table: Table[Any]) -> Iterator[Given]:
        return (given for given in self.source.read(table) if given.setting.attribute not in self.attributes)

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        return self.source.unknown(tables)


@dataclass(frozen=True)
class _ChannelVariables:
    """The variables of one call; whatever is not asked for is none of ours."""

    look_up: LookUp
    dialect: Dialect

    def read(self, table: Table[Any]) -> Iterator[Given]:
        for row in table.rows:
            if row.attribute in FIXED[self.dialect]:
                continue
            for variable in self._variables(row):
                text = self.look_up(variable.name)
                if text:
                    yield _given(row, variable, text)
                    break

    def _variables(self, row: Setting) -> Iterator[ForeignVariable]:
        """Yield those that mean a setting; the first that is set counts."""
        yield from (variable for variable in VARIABLES[self.dialect] if variable.attribute == row.attribute)
        for name in (row.variable, *ALIASES.get(row.attribute, ())):
            yield ForeignVariable(name, row.attribute)

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        return iter(())


def _given(row: Setting, variable: ForeignVariable, text: str) -> Given:
    text, warning = variable.translate(text) if variable.translate else (text, "")
    flag = flag_of(text) if variable.inverted else None
    text = text if flag is None else str(not flag).lower()
    return Given(row, text, f"channel variable {variable.name}", row.attribute in NEEDED, variable.exact, warning)


@dataclass(frozen=True)
class _UrlPrefix:
    """``{name=value,…}`` in front of the URL: part of the command, which is refused if it cannot be used."""

    texts: Mapping[str, str] = field(repr=False)
    dialect: Dialect

    def read(self, table: Table[Any]) -> Iterator[Given]:
        for name, text in self.texts.items():
            row = table.find(name)
            if row is None:
                raise SettingError(self._stranger(name, table))
            if row.attribute in FIXED[self.dialect]:
                fixed = OWN_DEFAULTS[self.dialect][row.attribute]
                raise SettingError(f"the URL prefix sets {row.name}, which is always {fixed} for a stream "
                                   "without a stream id: put a stream id before start")
            yield Given(row, text, "the URL prefix", strict=True)

    def _stranger(self, name: str, table: Table[Any]) -> str:
        for other in _others(table):
            row = other.find(name)
            if row is not None:
                return (f"the URL prefix sets {row.name}, which is the same for all streams: "
                        f"set it in {FILE}.xml or as environment variable {row.variable}")
        known = ", ".join(row.name for row in table.rows)
        return f"the URL prefix sets {name[:80]!r}, which is no setting: use one of {known}"

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        return iter(())  # they are refused when it is read
