"""StreamSettings: the tables, the order of the layers, clamping, refusal, the prefix, the shipped file."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import ALL_RATES
from freeswitch_audio_stream.config import (CA_NONE, HTTP_SERVER, MODULE, OWN_DEFAULTS, STREAM, TABLES, VARIABLES,
                                            Dialect, HttpServerSettings, Setting, StreamSettings, Table, parse_xml,
                                            resolve_shared, resolve_stream, split_prefix)
from freeswitch_audio_stream.config.variables import ALIASES, NEEDED
from freeswitch_audio_stream.engine.plan.plan import Plan
from freeswitch_audio_stream.errors import SettingError

SHIPPED = Path(__file__).parents[2] / "conf" / "autoload_configs" / "audio_stream.conf.xml"
SETTINGS = [row for table in TABLES for row in table.rows]


def find(name: str) -> Setting | None:
    return next(filter(None, (table.find(name) for table in TABLES)), None)


def resolved(*, xml: dict[str, str] | None = None, env: dict[str, str] | None = None,
             channel: dict[str, str] | None = None,
             prefix: dict[str, str] | None = None,
             dialect: Dialect = Dialect.STREAM_API) -> tuple[StreamSettings, list[str]]:
    return resolve_stream(xml or {}, env or {}, (channel or {}).get, prefix or {}, dialect)


def community(**layers: dict[str, str]) -> tuple[StreamSettings, list[str]]:
    return resolved(**layers, dialect=Dialect.COMMUNITY)  # type: ignore[arg-type]


def everything(*, xml: dict[str, str] | None = None,
               env: dict[str, str] | None = None) -> tuple[dict[str, Any], list[str]]:
    """What is set by the file and the environment in all tables, and the warnings, each once."""
    values: dict[str, Any] = {}
    warnings: list[str] = []
    for settings, told in (resolved(xml=xml, env=env), *(resolve_shared(table, xml or {}, env or {})
                                                         for table in (MODULE, HTTP_SERVER))):
        values.update(asdict(settings))
        warnings += told
    return values, list(dict.fromkeys(warnings))


DEFAULTS, _ = everything()


def param(name: str, value: str) -> str:
    return (f'<configuration name="audio_stream.conf"><settings><param name="{name}" value="{value}"/>'
            "</settings></configuration>")


def written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# The table

def test_nothing_given_is_the_defaults_without_a_warning() -> None:
    assert resolved() == (StreamSettings(), [])
    for table in (MODULE, HTTP_SERVER):
        assert resolve_shared(table, {}, {}) == (table.values(), [])


@pytest.mark.parametrize("attribute, default", [
    ("buffer_secs", 40), ("service_threads", 2), ("io_nap_us", 1000), ("subprotocol_name", "audio.freeswitch.org"),
    ("allow_selfsigned", False), ("skip_server_cert_hostname_check", False), ("allow_expired", False),
    ("http_auth_user", ""), ("http_auth_password", ""), ("tls_ca_file", ""), ("protocol", "json"),
    ("heartbeat_secs", 60), ("chunk_ms", 20), ("playback_secs", 60), ("resampler", "fir"),
    ("graceful_secs", 60), ("ping_secs", 20), ("max_streams", 1000), ("max_message_bytes", 8388608),
    ("format", "binary"), ("deflate", False), ("dtmf", True), ("dtmf_inband", False), ("playback", True),
    ("sample_rate", 0), ("connect_timeout", 10), ("reconnect", True), ("reconnect_max", 0),
    ("play_events", "run"),
    ("suppress_log", False), ("extra_headers", ""), ("origin", ""), ("tls_cert_file", ""), ("tls_key_file", ""),
])
def test_defaults(attribute: str, default: Any) -> None:
    assert DEFAULTS[attribute] == default


def test_rows_and_fields_are_the_same() -> None:
    for table in TABLES:
        assert {row.attribute: row.default for row in table.rows} == asdict(table.values())


def test_no_setting_is_in_two_tables() -> None:
    assert len({row.attribute for row in SETTINGS}) == len(SETTINGS) == len(DEFAULTS)


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.attribute)
def test_each_row_is_complete(row: Setting) -> None:
    assert row.doc.endswith(".")
    assert row.variable == "MOD_AUDIO_STREAM_" + row.attribute.upper()
    assert all(find(name) is row for name in (row.attribute, row.name, row.variable))
    assert row.valid
    # Every default is itself a valid value.
    if written(row.default):
        assert everything(env={row.variable: written(row.default)}) == (DEFAULTS, [])


def test_the_shipped_file_has_every_setting_at_its_default() -> None:
    assert parse_xml(SHIPPED.read_text()) == {row.name: written(row.default) for row in SETTINGS}


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
    assert resolved(xml={"subprotocol-name": ""}, env={name: ""}, channel={name: ""}) == (StreamSettings(), [])
    settings, _ = resolved(prefix={"subprotocol-name": ""})
    assert settings.subprotocol_name == ""


def test_the_whole_module_is_not_set_by_one_call() -> None:
    env = {"MOD_AUDIO_STREAM_MAX_STREAMS": "7"}
    settings, warnings = resolve_shared(MODULE, {}, env)
    assert (settings.max_streams, warnings) == (7, [])
    assert resolved(env=env, channel={"MOD_AUDIO_STREAM_MAX_STREAMS": "8"}) == (StreamSettings(), [])


@pytest.mark.parametrize("row", [*MODULE.rows, *HTTP_SERVER.rows], ids=lambda row: row.attribute)
def test_a_prefix_that_sets_what_is_the_same_for_all_streams(row: Setting) -> None:
    for name in (row.name, row.attribute, row.variable):
        with pytest.raises(SettingError, match=f"{row.name}, which is the same for all .* variable {row.variable}$"):
            resolved(prefix={name: "8"})


def test_a_call_is_asked_for_no_more_than_its_stream_has() -> None:
    asked: list[str] = []
    resolve_stream({}, {}, asked.append, {})  # type: ignore[func-returns-value]
    aliases = [alias for names in ALIASES.values() for alias in names]
    assert sorted(asked) == sorted([*(row.variable for row in STREAM.rows), *aliases])


# Whose settings they are

def test_a_stream_has_no_secret_of_the_server() -> None:
    secrets = {row.attribute for row in HTTP_SERVER.rows if row.secret}
    assert secrets == {"media_server_tokens", "media_server_token_secret"}
    of_a_stream = {field.name for field in fields(StreamSettings)}
    assert not secrets & of_a_stream
    assert not {name for name in of_a_stream if name.startswith("media_server")}
    assert get_type_hints(Plan)["settings"] is StreamSettings


SECRET = "swordfish" + 32 * "s"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.values.__name__)
def test_no_secret_is_shown(table: Table[Any]) -> None:
    given = {row.attribute: SECRET for row in table.rows if row.secret}
    assert SECRET not in repr(table.values(**given)) + str(table.values(**given))
    for attribute in given:  # the same where it cannot be used
        row = table.find(attribute)
        assert row is not None
        _, warnings = everything(env={row.variable: SECRET + "\0"})
        assert SECRET not in "".join(warnings)


def test_what_one_table_has_is_no_unknown_name_for_another() -> None:
    xml = {row.name: written(row.default) for row in SETTINGS}
    env = {row.variable: written(row.default) for row in SETTINGS}
    for table in (MODULE, HTTP_SERVER):
        assert resolve_shared(table, xml, env) == (table.values(), [])
    assert resolved(xml=xml, env=env) == (StreamSettings(), [])


def test_names_of_attributes_are_those_of_settings() -> None:
    assert NEEDED | ALIASES.keys() <= {row.attribute for row in STREAM.rows}


@pytest.mark.parametrize("name, text, value", [
    ("media_server_address", " 127.0.0.1 ", "127.0.0.1"), ("media_server_address", "::0:1", "::1"),
    ("media_server_tokens", f" {16 * 'a'}   {'b' * 256}", f" {16 * 'a'}   {'b' * 256}"),
    ("media_server_dial_string", "{a=b}sofia/gateway/x/{destination}", "{a=b}sofia/gateway/x/{destination}"),
    ("media_server_key_file", "NONE", ""), ("media_server_port", "65536", 65535),
])
def test_settings_of_the_media_server(name: str, text: str, value: object) -> None:
    settings, _ = resolve_shared(HTTP_SERVER, {}, {f"MOD_AUDIO_STREAM_{name.upper()}": text})
    assert getattr(settings, name) == value
    assert resolved(channel={f"MOD_AUDIO_STREAM_{name.upper()}": text})[0] == StreamSettings()


@pytest.mark.parametrize("name, text", [
    ("media_server_address", "localhost"), ("media_server_address", "1.2.3"), ("media_server_address", "::1::"),
    ("media_server_tokens", 15 * "a"), ("media_server_tokens", f"{20 * 'a'} short"),
    ("media_server_tokens", f"{20 * 'a'},{20 * 'b'}"), ("media_server_token_secret", 31 * "s"),
    ("media_server_dial_string", "sofia/gateway/x/"), ("media_server_dial_string", "user/{destination} &park"),
])
def test_settings_of_the_media_server_that_cannot_be_used(name: str, text: str) -> None:
    settings, (warning,) = resolve_shared(HTTP_SERVER, {}, {f"MOD_AUDIO_STREAM_{name.upper()}": text})
    assert settings == HttpServerSettings() and name.replace("_", "-") in warning
    assert (text in warning) is ("token" not in name), "secrets are not shown"


# Values

@pytest.mark.parametrize("name, text, value", [
    ("buffer_secs", "60", 40), ("buffer_secs", "0", 1), ("buffer_secs", "-3", 1),
    ("buffer_secs", "9" * 300, 40),
    ("service_threads", "6", 5), ("io_nap_us", "1001", 1000), ("heartbeat_secs", "3601", 3600), ("chunk_ms", "25", 20),
    ("chunk_ms", "5", 10),
    ("chunk_ms", "1005", 1000), ("max_message_bytes", "1", 1024), ("reconnect_max", "1000001", 1000000),
    ("connect_timeout", "0", 1), ("connect_timeout", "301", 300),
])
def test_out_of_range_is_warned_and_clamped(name: str, text: str, value: int) -> None:
    row = find(name)
    assert row is not None
    values, warnings = everything(env={row.variable: text})
    assert values[name] == value
    assert len(warnings) == 1
    for part in (row.name, row.variable, f"{value} is used", row.valid):
        assert part in warnings[0]
    if row in STREAM.rows:
        settings, warnings = resolved(prefix={name: text})
        assert getattr(settings, name) == value and len(warnings) == 1


@pytest.mark.parametrize("text, value", [
    ("true", True), ("TRUE", True), ("yes", True), ("on", True), (" 1 ", True),
    ("false", False), ("No", False), ("off", False), ("0", False), ("enabled", True), ("disabled", False),
])
def test_flags(text: str, value: bool) -> None:
    settings, warnings = resolved(channel={"MOD_AUDIO_STREAM_ALLOW_EXPIRED": text})
    assert (settings.allow_expired, warnings) == (value, [])


@pytest.mark.parametrize("name, text, remedy", [
    ("buffer_secs", "many", "from 1 to 40"), ("buffer_secs", "2.5", "from 1 to 40"),
    ("buffer_secs", "٣", "from 1 to 40"), ("buffer_secs", "9" * 5000, "from 1 to 40"),
    ("allow_expired", "maybe", "true or false"),
    ("protocol", "morse", "json, binary, community, rtp, sln, audiosocket, recorder"),
    ("resampler", "linear", "fir or soxr"), ("subprotocol_name", "two words", "token"),
    ("http_auth_user", "a:b", "colons"), ("http_auth_password", "a\r\nX: y", "control"),
    ("tls_ca_file", "/etc/\0", "NONE or a path"), ("tls_key_file", "/etc/\n", "NONE or a path"),
    ("format", "text", "binary or base64"), ("sample_rate", "9000", "48000 or 64000 Hz"),
    ("sample_rate", "16k", "16000"), ("sample_rate", "-8000", "8000"), ("reconnect_max", "ever", "1000000"),
])
def test_what_means_nothing_is_passed_over_or_refused(name: str, text: str, remedy: str) -> None:
    row = find(name)
    assert row is not None
    for layer, key in (("xml", row.name), ("env", row.variable), ("channel", row.variable)):
        settings, (warning,) = resolved(**{layer: {key: text}})
        assert settings == StreamSettings()
        assert row.name in warning and remedy in warning
    with pytest.raises(SettingError) as refused:
        resolved(prefix={name: text})
    text_shown = str(refused.value)
    assert row.name in text_shown and remedy in text_shown and "URL prefix" in text_shown
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


# Headers

@pytest.mark.parametrize("text, headers", [
    ("{}", {}), ('{"X-Name": "value"}', {"X-Name": "value"}), ("  ", {}),
    (' {"Authorization":"Bearer a.b=","x_y":"ü\\t"}\n', {"Authorization": "Bearer a.b=", "x_y": "ü\t"}),
])
def test_headers(text: str, headers: dict[str, str]) -> None:
    settings, warnings = resolved(channel={"MOD_AUDIO_STREAM_EXTRA_HEADERS": text})
    assert (settings.headers, warnings) == (headers, [])
    assert StreamSettings().headers == {}


@pytest.mark.parametrize("value", ["a.b", "a, b", "x,y , z"])
def test_a_header_of_subprotocols(value: str) -> None:
    text = f'{{"X":"y","sec-WebSocket-Protocol":"{value}"}}'
    settings, warnings = resolved(channel={"MOD_AUDIO_STREAM_EXTRA_HEADERS": text})
    assert (settings.headers, settings.subprotocols, warnings) == ({"X": "y"}, value, [])
    assert StreamSettings(subprotocol_name="own").subprotocols == "own"


BAD_HEADERS = [
    ("X-Name: value", "not JSON"), ("{", "not JSON"), ("[]", "not a JSON object"), ('"x"', "not a JSON object"),
    ("\udcff", "not JSON"), ("[" * 16_384, "not JSON"), ("[" * 16_385, "longer than 16384 characters"),
    ('{"a": 1}', "header a is no text"), ('{"a": null}', "header a is no text"), ('{"a": {}}', "header a is no"),
    ('{"a": "x\\r\\nB: y"}', "no text in one line"), ('{"a": "x\\ny"}', "no text in one line"),
    ('{"a": "\\u0000"}', "no text in one line"), ('{"a\\r\\nb": "x"}', "cannot be the name of a header"),
    ('{"": "x"}', "cannot be the name"), ('{"a b": "x"}', "cannot be the name"), ('{"a:": "x"}', "cannot be"),
    ('{"ü": "x"}', "cannot be the name"), ('{"UPGRADE": "x"}', "header UPGRADE belongs to the handshake"),
    *((f'{{"{name}": "x"}}', "belongs to the handshake") for name in (
        "Upgrade", "connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions",
        "Content-Length", "Transfer-Encoding")),
    *((f'{{"Sec-WebSocket-Protocol": "{value}"}}', "no list of subprotocols") for value in ("", "a b", "a,", "ü")),
]


@pytest.mark.parametrize("text, reason", BAD_HEADERS, ids=range(len(BAD_HEADERS)))
def test_bad_headers_refuse_the_call_that_sets_them_and_are_passed_over_elsewhere(text: str, reason: str) -> None:
    name = "MOD_AUDIO_STREAM_EXTRA_HEADERS"
    for layers, where in (({"channel": {name: text}}, name), ({"prefix": {"extra-headers": text}}, "URL prefix")):
        with pytest.raises(SettingError) as refused:
            resolved(**layers)
        assert "extra-headers" in str(refused.value) and where in str(refused.value)
        assert reason in str(refused.value) and "use a JSON object" in str(refused.value)
        assert len(str(refused.value)) < 400 and str(refused.value).isprintable()
    if reason not in PASSED_OVER:
        with pytest.raises(SettingError, match="STREAM_EXTRA_HEADERS"):
            community(channel={"STREAM_EXTRA_HEADERS": text})
    settings, (warning,) = resolved(env={name: text})
    assert settings == StreamSettings() and reason in warning


PASSED_OVER = {"header a is no text", "header a is no", "header UPGRADE belongs to the handshake",
               "belongs to the handshake"}


@pytest.mark.parametrize("text, names", [
    ('{"a": 1, "X": "y"}', "'a'"), ('{"X": "y", "b": true, "c": null}', "'b', 'c'"),
    ('{"X": "y", "d": {"e": []}}', "'d'"),
    ('{"X": "y", "Connection": "Upgrade", "sec-websocket-key": "mine"}', "'Connection', 'sec-websocket-key'"),
])
def test_headers_that_the_community_module_does_not_send_are_passed_over(text: str, names: str) -> None:
    settings, (warning,) = community(channel={"STREAM_EXTRA_HEADERS": text})
    assert settings.headers == {"X": "y"}
    assert "STREAM_EXTRA_HEADERS" in warning and warning.endswith(f": {names}") and "mine" not in warning


def test_a_host_of_ones_own() -> None:
    settings, warnings = community(channel={"STREAM_EXTRA_HEADERS": '{"Host":"example.com"}'})
    assert (settings.headers, warnings) == ({"Host": "example.com"}, [])


@pytest.mark.parametrize("text, origin", [
    ("https://example.com", "https://example.com"), ("https://{host}", "https://{host}"), ("none", "NONE"),
    ("null", "null")])
def test_origins(text: str, origin: str) -> None:
    for settings, warnings in (resolved(xml={"origin": text}), community(env={"MOD_AUDIO_STREAM_ORIGIN": text})):
        assert (settings.origin, warnings) == (origin, [])
    with pytest.raises(SettingError, match="an origin, such as https://example.com"):
        resolved(prefix={"origin": "two words"})


def test_values_of_headers_are_never_shown() -> None:
    settings, _ = resolved(env={"MOD_AUDIO_STREAM_EXTRA_HEADERS": '{"Authorization": "swordfish"}'})
    assert settings.headers == {"Authorization": "swordfish"} and "swordfish" not in repr(settings)
    _, (warning,) = resolved(env={"MOD_AUDIO_STREAM_EXTRA_HEADERS": '{"Authorization": "swordfish\\n"}'})
    assert "swordfish" not in warning


# TLS files

@pytest.mark.parametrize("text, ca, own", [
    ("/etc/ssl/ca.pem", "/etc/ssl/ca.pem", "/etc/ssl/ca.pem"), ("SYSTEM", "", "SYSTEM"), ("NONE", CA_NONE, ""),
    ("system", "", "system"), (" none ", CA_NONE, ""),
])
def test_tls_files(text: str, ca: str, own: str) -> None:
    settings, warnings = resolved(xml={"tls-ca-file": text, "tls-cert-file": text, "tls-key-file": text})
    assert (settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file) == (ca, own, own)
    assert warnings == []


def test_a_call_can_return_to_the_authorities_of_the_system() -> None:
    settings, _ = resolved(xml={"tls-ca-file": "/etc/ca.pem"}, prefix={"tls-ca-file": "SYSTEM"})
    assert settings.tls_ca_file == ""


@pytest.mark.parametrize("rate", [0, *ALL_RATES])
def test_every_rate_of_binary_audio(rate: int) -> None:
    settings, warnings = resolved(xml={"sample-rate": str(rate)})
    assert (settings.sample_rate, warnings) == (rate, [])


# The community dialect

COMMUNITY = StreamSettings(protocol="community", deflate=True, dtmf=False, playback=False, heartbeat_secs=0,
                           ping_secs=0, subprotocol_name="")


def test_the_community_module_has_its_own_defaults() -> None:
    assert community() == (COMMUNITY, [])
    assert all(find(name) for own in OWN_DEFAULTS.values() for name in own)


@pytest.mark.parametrize("variable, text, attribute, value", [
    ("STREAM_MESSAGE_DEFLATE", "true", "deflate", False), ("STREAM_MESSAGE_DEFLATE", "false", "deflate", True),
    ("STREAM_HEART_BEAT", "15", "ping_secs", 15), ("STREAM_SUPPRESS_LOG", "true", "suppress_log", True),
    ("STREAM_BUFFER_SIZE", "20", "chunk_ms", 20), ("STREAM_BUFFER_SIZE", "10", "chunk_ms", 10),
    ("STREAM_BUFFER_SIZE", "1000", "chunk_ms", 1000), ("STREAM_BUFFER_SIZE", "60ms", "chunk_ms", 60),
    ("STREAM_BUFFER_SIZE", " 100 ms", "chunk_ms", 100), ("STREAM_BUFFER_SIZE", "40.5", "chunk_ms", 40),
    ("STREAM_EXTRA_HEADERS", '{"a":"b"}', "extra_headers", '{"a":"b"}'),
    ("STREAM_NO_RECONNECT", "true", "reconnect", False), ("STREAM_NO_RECONNECT", "false", "reconnect", True),
    ("STREAM_RECONNECT_MAX", "7", "reconnect_max", 7),
    ("STREAM_TLS_CA_FILE", "SYSTEM", "tls_ca_file", ""), ("STREAM_TLS_CA_FILE", "NONE", "tls_ca_file", CA_NONE),
    ("STREAM_TLS_CA_FILE", "/ca", "tls_ca_file", "/ca"), ("STREAM_TLS_KEY_FILE", "/key", "tls_key_file", "/key"),
    ("STREAM_TLS_CERT_FILE", "/crt", "tls_cert_file", "/crt"),
    ("STREAM_TLS_DISABLE_HOSTNAME_VALIDATION", "true", "skip_server_cert_hostname_check", True),
    ("STREAM_PLAYBACK", "true", "playback", True), ("STREAM_SAMPLE_RATE", "24000", "sample_rate", 24000),
    ("STREAM_FORMAT", "base64", "format", "base64"), ("STREAM_DTMF", "true", "dtmf", True),
    ("STREAM_DTMF_INBAND", "true", "dtmf_inband", True),
])
def test_channel_variables_of_the_community_module(variable: str, text: str, attribute: str, value: Any) -> None:
    settings, warnings = community(channel={variable: text})
    assert settings == replace(COMMUNITY, **{attribute: value}) and warnings == []
    assert resolved(channel={variable: text}) == (StreamSettings(), [])
    # They are nearer than the variable of the setting's own name, and a prefix is nearer still.
    row = find(attribute)
    assert row is not None
    settings, _ = community(channel={row.variable: written(row.default), variable: text})
    assert getattr(settings, attribute) == value
    settings, _ = community(channel={variable: text}, prefix={attribute: written(getattr(COMMUNITY, attribute))})
    assert settings == COMMUNITY


def test_every_channel_variable_of_the_specification_is_known() -> None:
    names = {row.name for row in VARIABLES[Dialect.COMMUNITY]}
    assert names >= {"STREAM_MESSAGE_DEFLATE", "STREAM_HEART_BEAT", "STREAM_SUPPRESS_LOG", "STREAM_BUFFER_SIZE",
                     "STREAM_EXTRA_HEADERS", "STREAM_NO_RECONNECT", "STREAM_TLS_CA_FILE", "STREAM_TLS_KEY_FILE",
                     "STREAM_TLS_CERT_FILE", "STREAM_TLS_DISABLE_HOSTNAME_VALIDATION"}
    assert all(find(row.attribute) for row in VARIABLES[Dialect.COMMUNITY])


@pytest.mark.parametrize("variable, text", [
    ("STREAM_BUFFER_SIZE", "25"), ("STREAM_BUFFER_SIZE", "0"), ("STREAM_BUFFER_SIZE", "1015"),
    ("STREAM_BUFFER_SIZE", "-20"), ("STREAM_BUFFER_SIZE", "many"), ("STREAM_BUFFER_SIZE", "ms60"),
    ("STREAM_HEART_BEAT", "often"), ("STREAM_MESSAGE_DEFLATE", "maybe"), ("STREAM_SAMPLE_RATE", "9000"),
    ("STREAM_FORMAT", "json"), ("STREAM_NO_RECONNECT", "2.5"), ("STREAM_TLS_CA_FILE", "a\nb"),
])
def test_what_the_community_module_cannot_use_is_warned_about(variable: str, text: str) -> None:
    settings, (warning,) = community(channel={variable: text})
    assert settings == COMMUNITY
    assert variable in warning and "use " in warning


def test_out_of_range_is_clamped_there_too() -> None:
    settings, (warning,) = community(channel={"STREAM_HEART_BEAT": "4000"})
    assert settings.ping_secs == 3600 and "STREAM_HEART_BEAT" in warning
    settings, (warning,) = community(channel={"STREAM_BUFFER_SIZE": "2000ms"})
    assert settings.chunk_ms == 1000 and "STREAM_BUFFER_SIZE" in warning and "1000 is used" in warning


def test_the_file_and_the_environment_leave_those_defaults_alone() -> None:
    assert community(xml=parse_xml(SHIPPED.read_text())) == (COMMUNITY, [])
    names = OWN_DEFAULTS[Dialect.COMMUNITY]
    assert {"chunk_ms", "ping_secs", "deflate", "protocol"} <= names.keys()
    env = {row.variable: written(row.default) for row in SETTINGS if row.attribute in names}
    assert community(env=env) == (COMMUNITY, [])
    settings, _ = community(xml={"chunk-ms": "100", "buffer-secs": "7", "reconnect": "false", "ping-secs": "5"})
    assert settings == replace(COMMUNITY, buffer_secs=7, reconnect=False)


def test_a_call_sets_them_under_both_names() -> None:
    channel = {"MOD_AUDIO_STREAM_CHUNK_MS": "40", "MOD_AUDIO_STREAM_PING_SECS": "9"}
    settings, _ = community(channel=channel, prefix={"deflate": "false"})
    assert settings == replace(COMMUNITY, chunk_ms=40, ping_secs=9, deflate=False)


def test_the_community_module_has_one_protocol() -> None:
    assert community(channel={"MOD_AUDIO_STREAM_PROTOCOL": "json"}) == (COMMUNITY, [])
    with pytest.raises(SettingError, match="protocol, which is always community .* put a stream id before start"):
        community(prefix={"protocol": "json"})


NAMES = st.sampled_from([name for row in SETTINGS for name in (row.attribute, row.name, row.variable)])
FOREIGN = st.sampled_from([row.name for row in VARIABLES[Dialect.COMMUNITY]])
VALUES_GIVEN = st.text() | st.integers().map(str) | st.sampled_from(["true", "NONE", '{"a":"b"}', '{"a":1}', "[]"])
TEXTS = st.dictionaries(NAMES | FOREIGN | st.text(max_size=5), VALUES_GIVEN, max_size=5)


def is_valid(row: Setting, value: Any) -> bool:
    if row.choices:
        return str(value) in row.choices and type(value) is type(row.default)
    if isinstance(row.default, int) and not isinstance(row.default, bool):
        return bool(row.minimum <= value <= row.maximum) and value % row.step == 0
    return type(value) is type(row.default)


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(Dialect))
def test_whatever_is_given_the_settings_are_valid(xml: dict[str, str], env: dict[str, str],
                                                  channel: dict[str, str], prefix: dict[str, str],
                                                  dialect: Dialect) -> None:
    try:
        settings, warnings = resolve_stream(xml, env, channel.get, prefix, dialect)
    except SettingError as error:
        assert prefix and "URL prefix" in str(error) or "_EXTRA_HEADERS" in str(error)
    else:
        assert all(isinstance(value, str) for value in settings.headers.values())
        assert all(is_valid(row, getattr(settings, row.attribute)) for row in STREAM.rows)
        assert all(warnings)
    values, warnings = everything(xml=xml, env=env)
    assert all(is_valid(row, values[row.attribute]) for row in SETTINGS)
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
