"""Settings: places, names, defaults, ranges and channel variables."""

from __future__ import annotations

import ast
import re

from freeswitch_audio_stream import module
from freeswitch_audio_stream.config import ALIASES, CA_NONE, STREAM, Setting, Value, parse_xml, split_prefix
from freeswitch_audio_stream.protocols.messages import ACCOUNT_VARIABLES

from .code import calls, first_texts
from .pages import CHECKOUT, pages, plain, table
from .settings_rows import SETTINGS, find


def text_of(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def default(row: Setting) -> str:
    return text_of(row.default)


def settings_of_the_page() -> dict[str, dict[str, str]]:
    """What the page says of each setting, by its name: the items of its list, and its meaning."""
    found = {}
    for part in re.split(r"^### ", pages()["reference/settings.md"], flags=re.MULTILINE)[1:]:
        name, rest = plain(part.split("\n", 1)[0]), part.split("\n## ")[0].split("\n", 1)[1]
        items = dict(re.findall(r"^- (\w+): (.*)$", rest, re.MULTILINE))
        found[name] = {**items, "Meaning": rest.split("\n- ")[0].strip()}
    return found


def test_settings() -> None:
    told = [(name, *(plain(items[key]) for key in ("Variable", "Default", "Valid", "Scope")))
            for name, items in settings_of_the_page().items()]
    assert told == [(row.name, row.variable, default(row) or "empty", row.valid.replace("`", ""),
                     "stream" if row in STREAM.rows else "module") for row in SETTINGS]


def test_every_setting_has_a_meaning() -> None:
    assert [name for name, items in settings_of_the_page().items() if len(items["Meaning"]) < 10] == []


def test_the_settings_file_knows_the_same_settings() -> None:
    file = CHECKOUT / "conf" / "autoload_configs" / "audio_stream.conf.xml"
    assert set(parse_xml(file.read_text())) == set(settings_of_the_page())


def test_channel_variables() -> None:
    listed = [plain(row[0]) for row in table("Variable", "Direction")]
    aliases = [alias for names in ALIASES.values() for alias in names]
    of_the_switch = first_texts("variable", "module.py")
    of_the_call = first_texts("variable", "engine")
    assert set(listed) == {*ACCOUNT_VARIABLES, "MOD_AUDIO_STREAM_…", *aliases, *of_the_switch, *of_the_call,
                           module.RESULT_VARIABLE}


def test_the_tls_settings_are_those_that_loosen_something() -> None:
    listed = {plain(row[0]) for row in table("Setting", "Accepts", "Still refused")}
    options, = calls("TlsOptions", "engine")
    used = {find(node.attr) for node in ast.walk(options) if isinstance(node, ast.Attribute)}
    flags = {row.name for row in used if row and isinstance(row.default, bool)}
    assert listed == flags | {f"tls-ca-file={CA_NONE}"}


def test_prefixes_in_the_text_are_right() -> None:
    prefixes = re.findall(r"`(\{[a-z-]+=[^`]*\})wss?://…`", "\n".join(pages().values()))
    assert len(prefixes) >= 3
    for prefix in prefixes:
        names, rest = split_prefix(f"{prefix}wss://host")
        assert rest == "wss://host"
        assert names and all(find(name) for name in names)
