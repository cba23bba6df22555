"""Settings: what there is to set, and whose word counts.

A value may be given in five places; each overrides the ones before it: the default,
``audio_stream.conf.xml``, the environment, a channel variable, and a ``{name=value,…}`` prefix on the URL of
``start``. A stream must not fail for a slip in a file that somebody wrote long ago, so only a prefix, which
is part of the command, is refused; elsewhere a value that cannot be used is warned about and passed over. A
number out of range is warned about and clamped anywhere.

Nothing here looks at a file, the environment or a channel: they are arguments. Any thread may call it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence, Union
from xml.etree import ElementTree

from .errors import SettingError
from .protocols import PROTOCOLS

FILE = "audio_stream.conf"
"""The configuration as FreeSWITCH knows it; on disk the name ends in ``.xml``."""

_VARIABLE_PREFIX = "MOD_AUDIO_STREAM_"

Value = Union[int, bool, str]


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings; the type of `default` (int, bool, str) is the type of the value."""

    attribute: str
    """Its name in `Settings`; words joined by underscores."""
    default: Value
    doc: str
    """One sentence for the table in the README."""
    unit: str = ""
    minimum: int = 0
    maximum: int = 0
    """Of a number, inclusive."""
    step: int = 1
    """A number is a multiple of it."""
    choices: tuple[str, ...] = ()
    """Of a text; empty: any text that `pattern` matches."""
    pattern: str = r"[^\x00-\x1f\x7f]*"
    pattern_rule: str = "text without control characters"
    module_wide: bool = False
    """The same for all streams, so that only the file and the environment can set it."""
    secret: bool = False
    """Never to be shown, logged or answered."""
    channel_aliases: tuple[str, ...] = ()
    """Further channel variables, looked at when that of the setting's own name is not set."""

    @property
    def variable(self) -> str:
        """The environment variable, and the channel variable."""
        return _VARIABLE_PREFIX + self.attribute.upper()

    @property
    def xml_name(self) -> str:
        """The ``name`` of its ``<param>``; prefixes know it, too."""
        return self.attribute.replace("_", "-")

    @property
    def valid(self) -> str:
        """What may be given, as words for a person."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, int):
            words = f"multiples of {self.step}" if self.step > 1 else "whole numbers"
            return f"{words} from {self.minimum} to {self.maximum}" + (f" {self.unit}" if self.unit else "")
        return _one_of(self.choices) if self.choices else self.pattern_rule


def _one_of(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def _setting(default: Any, doc: str, **row: Any) -> Any:
    """A field of `Settings` that carries its row; the password must not appear in its ``repr``."""
    return field(default=default, repr=not row.get("secret"),
                 metadata={"default": default, "doc": doc, **row})


@dataclass(frozen=True)
class Settings:
    """The settings of one stream, each valid; see `SETTINGS` for meaning, unit and range."""

    protocol: str = _setting(
        "json", "How the stream travels: json (JSON messages, audio in base64) or binary (the same messages, "
        "audio as binary frames).", choices=tuple(PROTOCOLS))
    chunk_ms: int = _setting(
        20, "Audio in one media message, exact whatever the ptime of the call's codec.",
        unit="ms", minimum=10, maximum=1000, step=10)
    resampler: str = _setting(
        "fir", "How rates are converted: fir (at most 3 ms of delay) or soxr (higher quality, 30 ms).",
        choices=("fir", "soxr"))
    buffer_secs: int = _setting(
        40, "Captured audio kept while the server does not take it; beyond that, the newest is dropped.",
        unit="s", minimum=1, maximum=40)
    playback_secs: int = _setting(
        60, "Audio from the server that may wait to be played; beyond that, the newest is dropped.",
        unit="s", minimum=1, maximum=600)
    graceful_secs: int = _setting(
        60, "Time graceful-shutdown has to send and play what is buffered.", unit="s", minimum=1, maximum=600)
    heartbeat_secs: int = _setting(
        60, "Interval of the heartbeat event; 0 sends none.", unit="s", minimum=0, maximum=3600)
    ping_secs: int = _setting(
        20, "Interval of WebSocket pings; 0 sends none.", unit="s", minimum=0, maximum=3600)
    max_message_bytes: int = _setting(
        8 << 20, "The largest message taken from the server; a larger one ends the stream, close code 1009.",
        unit="bytes", minimum=1024, maximum=128 << 20)
    subprotocol_name: str = _setting(
        "audio.freeswitch.org", "The WebSocket subprotocol offered to the server; in a URL prefix, an empty "
        "value offers none.", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]*",
        pattern_rule="letters, digits and !#$%&'*+.^_`|~- (a token of RFC 7230)")
    http_auth_user: str = _setting(
        "", "The user name of HTTP basic authentication; empty sends no credentials.",
        pattern=r"[^\x00-\x1f\x7f:]*", pattern_rule="text without colons and control characters",
        channel_aliases=("MOD_AUDIO_BASIC_AUTH_USERNAME",))
    http_auth_password: str = _setting(
        "", "The password of HTTP basic authentication; it is never shown.", secret=True,
        channel_aliases=("MOD_AUDIO_BASIC_AUTH_PASSWORD",))
    tls_ca_file: str = _setting(
        "", "A PEM file of the certificate authorities to trust; empty: those of the system.")
    allow_selfsigned: bool = _setting(
        False, "Accept a self-signed server certificate; everything else is still verified.")
    skip_server_cert_hostname_check: bool = _setting(
        False, "Accept a server certificate for another host name; everything else is still verified.")
    allow_expired: bool = _setting(
        False, "Accept a server certificate that has expired; everything else is still verified.")
    service_threads: int = _setting(
        2, "Threads that send and receive for all streams together.",
        minimum=1, maximum=5, module_wide=True)
    max_streams: int = _setting(
        1000, "Streams at once; a start beyond that is refused.", minimum=1, maximum=4000, module_wide=True)


SETTINGS: tuple[Setting, ...] = tuple(Setting(row.name, **row.metadata) for row in fields(Settings))
"""The table; in the order of the documentation."""

_BY_NAME = {setting.attribute: setting for setting in SETTINGS}


def find(name: str) -> Setting | None:
    """The setting of that attribute, XML name or variable, in any case; None when there is none."""
    return _BY_NAME.get(name.strip().lower().replace("-", "_").removeprefix(_VARIABLE_PREFIX.lower()))


_TRUE = frozenset(("true", "yes", "on", "1"))
_FALSE = frozenset(("false", "no", "off", "0"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")


@dataclass(frozen=True)
class _Given:
    """A setting's value as somebody wrote it, and where."""

    setting: Setting
    text: str
    origin: str

    def __str__(self) -> str:
        value = "(not shown)" if self.setting.secret else repr(self.text[:80])
        return f"setting {self.setting.xml_name} = {value} from {self.origin}"

    def value(self) -> tuple[Value, str]:
        """The value, and a warning or ""; raises SettingError when the text means nothing."""
        default = self.setting.default
        if isinstance(default, bool):
            return self._flag(), ""
        return self._number() if isinstance(default, int) else (self._text(), "")

    def _unusable(self, what: str) -> SettingError:
        return SettingError(f"{self} is {what}: use {self.setting.valid}")

    def _flag(self) -> bool:
        word = self.text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise self._unusable("neither true nor false")
        return word in _TRUE

    def _number(self) -> tuple[int, str]:
        if not _INTEGER.fullmatch(self.text.strip()):
            raise self._unusable("not a whole number")
        row, asked = self.setting, int(self.text)
        used = min(max(asked, row.minimum), row.maximum) // row.step * row.step
        return used, "" if used == asked else f"{self} is not among {row.valid}: {used} is used"

    def _text(self) -> str:
        choices = self.setting.choices
        if choices and self.text.strip().lower() not in choices:
            raise self._unusable("unknown")
        if not choices and not re.fullmatch(self.setting.pattern, self.text):
            raise self._unusable("not possible")
        return self.text.strip().lower() if choices else self.text


def resolve(xml: Mapping[str, str], env: Mapping[str, str], channel: Callable[[str], str | None],
            prefix: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The settings of a stream, and a sentence for each value that was clamped or passed over.

    `xml` is what `parse_xml` gave, `env` the environment, `channel` looks up a channel variable (and is
    called once or twice for each setting), `prefix` is what `split_prefix` gave. An empty value counts as not
    given, save in a prefix. Raises SettingError for a name or value in `prefix` that cannot be used.
    """
    values: dict[str, Any] = {}
    warnings: list[str] = []
    for given in _lenient(xml, env, channel, warnings):
        try:
            _take(given, values, warnings)
        except SettingError as error:
            warnings.append(f"{error}; it is ignored")
    for given in _from_prefix(prefix):
        _take(given, values, warnings)
    return Settings(**values), warnings


def _take(given: _Given, values: dict[str, Any], warnings: list[str]) -> None:
    values[given.setting.attribute], warning = given.value()
    if warning:
        warnings.append(warning)


def _lenient(xml: Mapping[str, str], env: Mapping[str, str], channel: Callable[[str], str | None],
             warnings: list[str]) -> Iterator[_Given]:
    for givens in (_from_xml(xml, warnings), _from_environment(env, warnings), _from_channel(channel)):
        yield from (given for given in givens if given.text)


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
                    for name in sorted(env) if name.startswith(_VARIABLE_PREFIX) and name not in known)


def _from_channel(channel: Callable[[str], str | None]) -> Iterator[_Given]:
    for setting in SETTINGS:
        if setting.module_wide:
            continue
        for variable in (setting.variable, *setting.channel_aliases):
            text = channel(variable)
            if text:
                yield _Given(setting, text, f"channel variable {variable}")
                break


def _from_prefix(prefix: Mapping[str, str]) -> Iterator[_Given]:
    for name, text in prefix.items():
        setting = find(name)
        if setting is None:
            known = ", ".join(row.xml_name for row in SETTINGS if not row.module_wide)
            raise SettingError(f"the URL prefix sets {name[:80]!r}, which is no setting: use one of {known}")
        if setting.module_wide:
            raise SettingError(f"the URL prefix sets {setting.xml_name}, which is the same for all streams: "
                               f"set it in {FILE}.xml or as environment variable {setting.variable}")
        yield _Given(setting, text, "the URL prefix")


def parse_xml(text: str) -> dict[str, str]:
    """Names and values of the params in ``<configuration name="audio_stream.conf"><settings>``, unchecked.

    The configuration may stand alone or within a whole FreeSWITCH document. Raises SettingError when `text`
    is not XML.
    """
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise SettingError(f"{FILE}.xml is not well-formed XML ({error}): correct it and reload") from error
    return {param.get("name", ""): param.get("value", "")
            for configuration in root.iter("configuration") if configuration.get("name") == FILE
            for param in configuration.iterfind("settings/param")}


# The prefix: values end at a comma or brace that is neither quoted nor escaped.

_PREFIX_PIECE = re.compile(r"\\([\\,'{}])|'((?:\\.|[^'\\])*)'|([,}])|(.)", re.DOTALL)
_PREFIX_RULE = ("write {name=value,name=value} directly before the URL, "
                "and values with a comma, brace or quote in single quotes")
_QUOTED_ESCAPE = re.compile(r"\\([\\'])")


def split_prefix(url: str) -> tuple[dict[str, str], str]:
    """The ``{name=value,…}`` in front of a URL, unchecked, and what follows; ``({}, url)`` without one.

    A comma or brace that belongs to a value is written after a backslash, or the value in single quotes;
    within quotes, a backslash precedes a quote or backslash. Raises SettingError when no brace closes it or a
    part lacks its "=".
    """
    if not url.startswith("{"):
        return {}, url
    values: dict[str, str] = {}
    part = ""
    for piece in _PREFIX_PIECE.finditer(url, 1):
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
    raise SettingError(f"the URL prefix is not closed: {_PREFIX_RULE}")


def _assignment(part: str) -> Iterable[tuple[str, str]]:
    if not part.strip():
        return ()
    name, equals, value = part.partition("=")
    if not equals or not name.strip():
        raise SettingError(f"a part of the URL prefix is not name=value: {_PREFIX_RULE}")
    return ((name.strip(), value),)
