"""Settings: the table, the order of the layers, clamping, refusal, the prefix, the shipped file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.config import (SETTINGS, Setting, Settings, find, parse_xml, resolve,
                                            split_prefix)
from freeswitch_audio_stream.errors import SettingError

SHIPPED = Path(__file__).parents[1] / "conf" / "autoload_configs" / "audio_stream.conf.xml"


def resolved(*, xml: dict[str, str] | None = None, env: dict[str, str] | None = None,
             channel: dict[str, str] | None = None,
             prefix: dict[str, str] | None = None) -> tuple[Settings, list[str]]:
    return resolve(xml or {}, env or {}, (channel or {}).get, prefix or {})


def param(name: str, value: str) -> str:
    return (f'<configuration name="audio_stream.conf"><settings><param name="{name}" value="{value}"/>'
            "</settings></configuration>")


def written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# The table

def test_nothing_given_is_the_defaults_without_a_warning() -> None:
    assert resolved() == (Settings(), [])


@pytest.mark.parametrize("attribute, default", [
    ("buffer_secs", 40), ("service_threads", 2), ("subprotocol_name", "audio.freeswitch.org"),
    ("allow_selfsigned", False), ("skip_server_cert_hostname_check", False), ("allow_expired", False),
    ("http_auth_user", ""), ("http_auth_password", ""), ("tls_ca_file", ""), ("protocol", "json"),
    ("heartbeat_secs", 60), ("chunk_ms", 20), ("playback_secs", 60), ("resampler", "fir"),
    ("graceful_secs", 60), ("ping_secs", 20), ("max_streams", 1000), ("max_message_bytes", 8388608),
])
def test_defaults(attribute: str, default: Any) -> None:
    assert getattr(Settings(), attribute) == default


def test_rows_and_fields_are_the_same() -> None:
    assert {row.attribute: row.default for row in SETTINGS} == asdict(Settings())


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.attribute)
def test_each_row_is_complete(row: Setting) -> None:
    assert row.doc.endswith(".")
    assert row.variable == "MOD_AUDIO_STREAM_" + row.attribute.upper()
    assert {find(row.attribute), find(row.xml_name), find(row.variable)} == {row}
    assert row.valid
    # Every default is itself a valid value.
    if written(row.default):
        settings, warnings = resolved(env={row.variable: written(row.default)})
        assert (settings, warnings) == (Settings(), [])


def test_the_shipped_file_has_every_setting_at_its_default() -> None:
    assert parse_xml(SHIPPED.read_text()) == {row.xml_name: written(row.default) for row in SETTINGS}


def test_the_shipped_file_tells_every_meaning_and_range() -> None:
    text = " ".join(SHIPPED.read_text().split())
    for row in SETTINGS:
        assert row.doc in text
        if row.maximum:
            assert f"from {row.minimum} to {row.maximum}" in text


# Layers

def test_each_layer_overrides_the_ones_before() -> None:
    variable = "MOD_AUDIO_STREAM_BUFFER_SECS"
    layers: dict[str, dict[str, str]] = {}
    for seconds, (layer, name) in enumerate(
            (("xml", "buffer-secs"), ("env", variable), ("channel", variable), ("prefix", "buffer_secs")), 5):
        layers[layer] = {name: str(seconds)}
        settings, warnings = resolved(**layers)
        assert (settings.buffer_secs, warnings) == (seconds, [])


def test_credentials_have_a_second_channel_variable_that_comes_second() -> None:
    channel = {"MOD_AUDIO_BASIC_AUTH_USERNAME": "second", "MOD_AUDIO_BASIC_AUTH_PASSWORD": "secret"}
    settings, _ = resolved(channel=channel)
    assert (settings.http_auth_user, settings.http_auth_password) == ("second", "secret")
    settings, _ = resolved(channel={**channel, "MOD_AUDIO_STREAM_HTTP_AUTH_USER": "first"})
    assert (settings.http_auth_user, settings.http_auth_password) == ("first", "secret")


def test_an_empty_value_is_not_given_except_in_a_prefix() -> None:
    name = "MOD_AUDIO_STREAM_SUBPROTOCOL_NAME"
    assert resolved(xml={"subprotocol-name": ""}, env={name: ""}, channel={name: ""}) == (Settings(), [])
    settings, _ = resolved(prefix={"subprotocol-name": ""})
    assert settings.subprotocol_name == ""


def test_the_whole_module_is_not_set_by_one_call() -> None:
    settings, warnings = resolved(env={"MOD_AUDIO_STREAM_MAX_STREAMS": "7"},
                                  channel={"MOD_AUDIO_STREAM_MAX_STREAMS": "8"})
    assert (settings.max_streams, warnings) == (7, [])
    with pytest.raises(SettingError, match="MOD_AUDIO_STREAM_MAX_STREAMS"):
        resolved(prefix={"max-streams": "8"})


# Values

@pytest.mark.parametrize("name, text, value", [
    ("buffer_secs", "60", 40), ("buffer_secs", "0", 1), ("buffer_secs", "-3", 1),
    ("buffer_secs", "9" * 300, 40),
    ("service_threads", "6", 5), ("heartbeat_secs", "3601", 3600), ("chunk_ms", "25", 20),
    ("chunk_ms", "5", 10),
    ("chunk_ms", "1005", 1000), ("max_message_bytes", "1", 1024),
])
def test_out_of_range_is_warned_and_clamped(name: str, text: str, value: int) -> None:
    row = find(name)
    assert row is not None
    settings, warnings = resolved(env={row.variable: text})
    assert getattr(settings, name) == value
    assert len(warnings) == 1
    for part in (row.xml_name, row.variable, f"{value} is used", row.valid):
        assert part in warnings[0]
    if not row.module_wide:
        settings, warnings = resolved(prefix={name: text})
        assert getattr(settings, name) == value and len(warnings) == 1


@pytest.mark.parametrize("text, value", [
    ("true", True), ("TRUE", True), ("yes", True), ("on", True), (" 1 ", True),
    ("false", False), ("No", False), ("off", False), ("0", False),
])
def test_flags(text: str, value: bool) -> None:
    settings, warnings = resolved(channel={"MOD_AUDIO_STREAM_ALLOW_EXPIRED": text})
    assert (settings.allow_expired, warnings) == (value, [])


@pytest.mark.parametrize("name, text, remedy", [
    ("buffer_secs", "many", "from 1 to 40"), ("buffer_secs", "2.5", "from 1 to 40"),
    ("buffer_secs", "٣", "from 1 to 40"), ("buffer_secs", "9" * 5000, "from 1 to 40"),
    ("allow_expired", "maybe", "true or false"), ("protocol", "morse", "json or binary"),
    ("resampler", "linear", "fir or soxr"), ("subprotocol_name", "two words", "token"),
    ("http_auth_user", "a:b", "colons"), ("http_auth_password", "a\r\nX: y", "control"),
    ("tls_ca_file", "/etc/\0", "control"),
])
def test_what_means_nothing_is_passed_over_or_refused(name: str, text: str, remedy: str) -> None:
    row = find(name)
    assert row is not None
    for layer, key in (("xml", row.xml_name), ("env", row.variable), ("channel", row.variable)):
        settings, (warning,) = resolved(**{layer: {key: text}})
        assert settings == Settings()
        assert row.xml_name in warning and remedy in warning
    with pytest.raises(SettingError) as refused:
        resolved(prefix={name: text})
    text_shown = str(refused.value)
    assert row.xml_name in text_shown and remedy in text_shown and "URL prefix" in text_shown
    assert len(text_shown) < 500


def test_a_value_that_means_nothing_leaves_the_layer_below() -> None:
    settings, _ = resolved(xml={"chunk-ms": "100"}, env={"MOD_AUDIO_STREAM_CHUNK_MS": "long"})
    assert settings.chunk_ms == 100


def test_names_that_are_no_settings() -> None:
    _, warnings = resolved(xml={"bufer-secs": "1"}, env={"MOD_AUDIO_STREAM_BUFER_SECS": "1", "PATH": "/bin"})
    assert len(warnings) == 2
    assert "'bufer-secs'" in warnings[0] and "MOD_AUDIO_STREAM_BUFER_SECS" in warnings[1]
    with pytest.raises(SettingError, match="'bufer_secs'.*use one of .*buffer-secs"):
        resolved(prefix={"bufer_secs": "1"})


def test_the_password_is_never_shown() -> None:
    settings, _ = resolved(env={"MOD_AUDIO_STREAM_HTTP_AUTH_PASSWORD": "swordfish"})
    assert settings.http_auth_password == "swordfish"
    assert "swordfish" not in repr(settings)
    _, warnings = resolved(env={"MOD_AUDIO_STREAM_HTTP_AUTH_PASSWORD": "swordfish\n"})
    assert "(not shown)" in warnings[0] and "swordfish" not in warnings[0]


NAMES = st.sampled_from([name for row in SETTINGS for name in (row.attribute, row.xml_name, row.variable)])
TABLES = st.dictionaries(NAMES | st.text(max_size=5), st.text() | st.integers().map(str), max_size=5)


def is_valid(row: Setting, value: Any) -> bool:
    if row.choices:
        return value in row.choices
    if isinstance(row.default, int) and not isinstance(row.default, bool):
        return bool(row.minimum <= value <= row.maximum) and value % row.step == 0
    return type(value) is type(row.default)


@given(TABLES, TABLES, TABLES, TABLES)
def test_whatever_is_given_the_settings_are_valid(xml: dict[str, str], env: dict[str, str],
                                                  channel: dict[str, str], prefix: dict[str, str]) -> None:
    try:
        settings, warnings = resolve(xml, env, channel.get, prefix)
    except SettingError as error:
        assert prefix and "URL prefix" in str(error)
    else:
        assert all(is_valid(row, getattr(settings, row.attribute)) for row in SETTINGS)
        assert all(warnings)


# The file

@pytest.mark.parametrize("text, expected", [
    (param("buffer-secs", "10"), {"buffer-secs": "10"}),
    (f"<document><section>{param('a', '1')}</section></document>", {"a": "1"}),
    ('<configuration name="other.conf"><settings><param name="a" value="1"/></settings></configuration>', {}),
    ('<configuration name="audio_stream.conf"/>', {}),
    (param("a", "x &amp; y"), {"a": "x & y"}),
])
def test_xml(text: str, expected: dict[str, str]) -> None:
    assert parse_xml(text) == expected


@pytest.mark.parametrize("text", [
    "", "<", "<a>", "plain", "\0", '<?xml version="1.0" encoding="nonsense"?><a', "<a>\ud800</a>"])
def test_what_is_not_xml_is_an_error_that_names_the_file(text: str) -> None:
    with pytest.raises(SettingError, match=r"audio_stream\.conf\.xml"):
        parse_xml(text)


@given(st.text(alphabet=st.characters() | st.sampled_from("<>/&;\"'=!-[]")))
def test_no_text_makes_the_xml_reader_raise_anything_else(text: str) -> None:
    for document in (text, param("a", text), f"<?xml{text}?><a/>"):
        try:
            parse_xml(document)
        except SettingError:
            pass


# The prefix

@pytest.mark.parametrize("text, values, url", [
    ("ws://h/", {}, "ws://h/"),
    ("", {}, ""),
    ("{}ws://h/", {}, "ws://h/"),
    ("{chunk_ms=40}ws://h/", {"chunk_ms": "40"}, "ws://h/"),
    ("{a=1, b = 2,}ws://h/{c=3}", {"a": "1", "b": " 2"}, "ws://h/{c=3}"),
    ("{a=x=y}u", {"a": "x=y"}, "u"),
    (r"{a=x\,y\}z\\}u", {"a": "x,y}z\\"}, "u"),
    (r"{a=C:\new}u", {"a": r"C:\new"}, "u"),
    ("{a='x, y}',b='}'}u", {"a": "x, y}", "b": "}"}, "u"),
    (r"{a='it\'s'}u", {"a": "it's"}, "u"),
    ("{a=it's}u", {"a": "it's"}, "u"),
    ("{a=}u", {"a": ""}, "u"),
])
def test_prefix(text: str, values: dict[str, str], url: str) -> None:
    assert split_prefix(text) == (values, url)


@pytest.mark.parametrize("text", ["{", "{a=1", "{a='}'", "{a}u", "{=1}u", "{a=1,b}u", "{a=1\\}u"])
def test_a_prefix_that_is_none(text: str) -> None:
    with pytest.raises(SettingError, match="write {name=value,name=value}"):
        split_prefix(text)


VALUES = st.dictionaries(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.text(), max_size=4)


def escaped(value: str) -> str:
    return "".join("\\" + c if c in "\\,'{}" else c for c in value)


def quoted(value: str) -> str:
    return "'" + "".join("\\" + c if c in "\\'" else c for c in value) + "'"


@given(VALUES, st.sampled_from([escaped, quoted]), st.text())
def test_what_is_written_into_a_prefix_comes_out(values: dict[str, str], write: Any, url: str) -> None:
    text = "{" + ",".join(f"{name}={write(value)}" for name, value in values.items()) + "}" + url
    assert split_prefix(text) == (values, url)


@given(st.text(alphabet=st.characters() | st.sampled_from("{}=,'\\")))
def test_no_text_makes_the_prefix_reader_raise_anything_else(text: str) -> None:
    try:
        split_prefix("{" + text)
    except SettingError:
        pass
