"""Settings of any program: a table of its own, given in a file, in the environment and as options."""

from __future__ import annotations

import ast
from argparse import ArgumentError, ArgumentParser
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream import config
from freeswitch_audio_stream.config import (ConfigurationFile, Environment, Given, Options, Setting, Source, Table,
                                            add_options, parse_environment_file, resolve, setting)
from freeswitch_audio_stream.config.readers import ip_address
from freeswitch_audio_stream.errors import SettingError


@dataclass(frozen=True)
class RecorderSettings:
    """As a program beside FreeSWITCH would have them."""

    address: str = setting("127.0.0.1", "The address on which it listens.", pattern_rule="an IPv4 or IPv6 address",
                           read=ip_address)
    port: int = setting(8080, "Its TCP port.", minimum=1, maximum=65535)
    chunk_ms: int = setting(200, "Audio in one file.", unit="ms", minimum=20, maximum=1000, step=20)
    rate: int = setting(8000, "Rate of what is kept; 100% of the audio.", unit="Hz", choices=("8000", "16000"))
    store: str = setting("sqlite", "Where sessions are kept.", choices=("sqlite", "postgresql"))
    compress: bool = setting(False, "Keep audio as FLAC.")
    api_key: str = setting("", "What clients must show.", secret=True, pattern="([!-~]{8,64})?",
                           pattern_rule="8 to 64 visible ASCII characters")


@dataclass(frozen=True)
class StoreSettings:
    """A second table of the same program."""

    bucket: str = setting("", "Where audio is kept.")


PREFIX = "TEST_RECORDER_"
RECORDER = Table(RecorderSettings, PREFIX)
STORE = Table(StoreSettings, PREFIX)
PATH = "/etc/recorder.conf"


def sources(file: str = "", environment: dict[str, str] | None = None, options: str = "") -> list[Source]:
    parser = ArgumentParser(exit_on_error=False)
    add_options(parser, RECORDER)
    add_options(parser, STORE)
    return [ConfigurationFile(parse_environment_file(file, PATH), PATH), Environment(environment or {}),
            Options(vars(parser.parse_args(options.split())))]


def resolved(file: str = "", environment: dict[str, str] | None = None,
             options: str = "") -> tuple[RecorderSettings, list[str]]:
    return resolve(RECORDER, sources(file, environment, options), [STORE])


# Whose word counts

def test_nothing_given_is_the_defaults() -> None:
    assert resolved() == (RecorderSettings(), [])
    assert resolve(RECORDER, []) == (RecorderSettings(), [])


@pytest.mark.parametrize("file, environment, options, expected", [
    ("", "", "", 8080), ("port=1", "", "", 1), ("port=1", "2", "", 2), ("port=1", "2", "--port 3", 3),
    ("", "", "--port=3", 3), ("port=1", "many", "", 1), ("port=", "", "", 8080), ("port=many", "2", "", 2)])
def test_the_nearest_counts(file: str, environment: str, options: str, expected: int) -> None:
    settings, complaints = resolved(file, {"TEST_RECORDER_PORT": environment}, options)
    assert settings == RecorderSettings(port=expected)
    assert bool(complaints) == ("many" in file + environment)


@pytest.mark.parametrize("attribute, text, value", [
    ("address", "::0:1", "::1"), ("port", " 99 ", 99), ("chunk_ms", "40", 40), ("rate", "16000", 16000),
    ("store", "PostgreSQL", "postgresql"), ("compress", "yes", True), ("api_key", "swordfish", "swordfish")])
def test_each_kind_of_row_from_each_source(attribute: str, text: str, value: object) -> None:
    row = RECORDER.find(attribute)
    assert row is not None
    expected = {**asdict(RecorderSettings()), attribute: value}
    for given_in in (sources(f"{row.name} = '{text}'"), sources(f"export {row.variable}=\"{text}\" # why"),
                     sources(environment={row.variable: text}), sources(options=f"--{row.name} {text}"),
                     [Environment(parse_environment_file(f"{row.variable}='{text}'", ".env"))]):
        settings, complaints = resolve(RECORDER, given_in)
        assert (asdict(settings), complaints) == (expected, [])


def test_a_flag_alone_is_true() -> None:
    assert resolved(options="--compress --port 9")[0] == RecorderSettings(compress=True, port=9)
    assert resolved(environment={"TEST_RECORDER_COMPRESS": "true"}, options="--compress off")[0] == RecorderSettings()


# What cannot be used

@pytest.mark.parametrize("attribute, text, remedy", [
    ("address", "nowhere", "is not an address: use an IPv4 or IPv6 address"),
    ("port", "many", "is not a whole number: use whole numbers from 1 to 65535"),
    ("rate", "44100", "is unknown: use 8000 or 16000 Hz"), ("store", "etcd", "is unknown: use sqlite or postgresql"),
    ("compress", "perhaps", "is neither true nor false: use true or false"),
    ("api_key", "short", "is not possible: use 8 to 64 visible ASCII characters")])
def test_what_means_nothing_is_passed_over_or_refused_with_the_same_sentence(attribute: str, text: str,
                                                                             remedy: str) -> None:
    row = RECORDER.find(attribute)
    assert row is not None
    shown = "(not shown)" if row.secret else f"'{text}'"
    expected = f"setting {row.name} = {shown} from {{}} {remedy}"
    for file, environment, where in ((f"{row.name}={text}", None, PATH),
                                     ("", {row.variable: text}, f"environment variable {row.variable}")):
        settings, complaints = resolved(file, environment)
        assert settings == RecorderSettings()
        assert complaints == [expected.format(where) + "; it is ignored"]
    with pytest.raises(SettingError) as refused:
        resolved(options=f"--{row.name} {text}")
    assert str(refused.value) == expected.format(f"option --{row.name}")


@pytest.mark.parametrize("text, used", [("0", 20), ("2000", 1000), ("59", 40), ("-5", 20)])
def test_out_of_range_is_clamped_with_a_complaint(text: str, used: int) -> None:
    for given_in in (sources(f"chunk-ms={text}"), sources(environment={"TEST_RECORDER_CHUNK_MS": text}),
                     sources(options=f"--chunk-ms={text}")):
        settings, (complaint,) = resolve(RECORDER, given_in)
        assert settings == RecorderSettings(chunk_ms=used)
        assert complaint.endswith(f"is not among multiples of 20 from 20 to 1000 ms: {used} is used")


def test_names_that_are_no_settings() -> None:
    environment = {"TEST_RECORDER_PROT": "1", "PORT": "2", "MOD_AUDIO_STREAM_CHUNK_MS": "20"}
    settings, complaints = resolved("prot=1\nbucket=x\nTEST_RECORDER_BUCKET=y", environment)
    assert settings == RecorderSettings()
    assert complaints == [f"{PATH} has a line 'prot' that is no setting: it is ignored",
                          "environment variable TEST_RECORDER_PROT is no setting: it is ignored"]
    with pytest.raises((SystemExit, ArgumentError)):  # the second from Python 3.13 on
        resolved(options="--prot 1")


def test_tables_of_one_program_are_given_in_the_same_places() -> None:
    given_in = sources("port=1\nbucket=a", {"TEST_RECORDER_BUCKET": "b", "TEST_RECORDER_PORT": "2"}, "--bucket c")
    assert resolve(RECORDER, given_in, [STORE]) == (RecorderSettings(port=2), [])
    assert resolve(STORE, given_in, [RECORDER]) == (StoreSettings(bucket="c"), [])
    _, complaints = resolve(STORE, given_in)
    assert len(complaints) == 2, "without the other table, its names are mistakes"


def test_an_environment_file_that_programs_share() -> None:
    shared = parse_environment_file("OTHER=1\nTEST_RECORDER_PORT=7\nTEST_RECORDER_PROT=8\n", ".env")
    settings, complaints = resolve(RECORDER, [Environment(shared, "variable {} in .env"),
                                              Environment({"TEST_RECORDER_RATE": "16000"})])
    assert settings == RecorderSettings(port=7, rate=16000)
    assert complaints == ["variable TEST_RECORDER_PROT in .env is no setting: it is ignored"]


def test_a_secret_is_shown_nowhere() -> None:
    text = "sword\x00fish"
    settings, _ = resolved(environment={"TEST_RECORDER_API_KEY": "swordfish"})
    assert settings.api_key == "swordfish" and "swordfish" not in repr(settings)
    all_sources = sources("api-key=swordfish", {"TEST_RECORDER_API_KEY": "swordfish"}, "--api-key swordfish")
    for source in all_sources:
        found, = source.read(RECORDER)
        assert found.text == "swordfish" and "swordfish" not in repr(source) + repr(found) + str(found)
    for given_in in ([ConfigurationFile({"api-key": text}, PATH)], [Environment({"TEST_RECORDER_API_KEY": text})]):
        _, (complaint,) = resolve(RECORDER, given_in)
        assert "sword" not in complaint
    with pytest.raises(SettingError) as refused:
        resolve(RECORDER, [Options({"api_key": text})])
    assert "sword" not in str(refused.value)


# A source of a program's own, and defaults of its own

class Registry:
    """A place that only this program has, which is strict about one setting."""

    def read(self, table: Table[Any]) -> Iterator[Given]:
        for row in table.rows:
            if row.attribute in ("port", "store"):
                yield Given(row, "x", "the registry", strict=row.attribute == "store", exact=True)

    def unknown(self, tables: Sequence[Table[Any]]) -> Iterator[str]:
        yield "the registry is odd"


def test_a_source_of_its_own() -> None:
    settings, complaints = resolve(STORE, [Registry()], defaults={"bucket": "own"})
    assert (settings, complaints) == (StoreSettings(bucket="own"), ["the registry is odd"])
    with pytest.raises(SettingError, match="setting store = 'x' from the registry is unknown"):
        resolve(RECORDER, [Registry()])


def test_exact_numbers_are_not_clamped() -> None:
    row = RECORDER.find("chunk-ms")
    assert row is not None
    with pytest.raises(SettingError, match="is not possible: use multiples of 20"):
        Given(row, "30", "here", exact=True).value()


def test_a_source_may_warn_of_a_text_that_can_be_used() -> None:
    row = RECORDER.find("chunk-ms")
    assert row is not None
    assert Given(row, "40", "here", warning="odd").value() == (40, ["setting chunk-ms = '40' from here: odd"])
    _, warnings = Given(row, "41", "here", warning="odd").value()
    assert len(warnings) == 2 and warnings[1].endswith("40 is used")


def test_the_door_knows_no_source() -> None:
    """What a recorder uses must not bring channels, dialects or XML with it."""
    folder = Path(config.__file__).parent
    general = {"table", "given", "resolution", "sources", "environment_file"}
    for name in general:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.module in general | {"errors"}, f"{name} imports {node.module}"


# The table

@pytest.mark.parametrize("row", [
    {"default": 5}, {"default": 5, "minimum": 6, "maximum": 7}, {"default": 5, "maximum": 20, "step": 10},
    {"default": "a", "choices": ("b",)}, {"default": 5, "choices": ("6",)}])
def test_a_default_that_could_not_be_given_is_a_mistake(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the row port has the default"):
        Setting("port", "PORT", doc="A row.", **row)


def test_each_name_of_a_row_is_found() -> None:
    for row in RECORDER.rows:
        for name in (row.attribute, row.name, row.variable, row.name.upper(), f" {row.attribute} "):
            assert RECORDER.find(name) is row
    assert RECORDER.find("") is RECORDER.find(PREFIX) is RECORDER.find("MOD_AUDIO_STREAM_PORT") is None


def test_the_help_of_options_says_all_there_is_to_know() -> None:
    parser = ArgumentParser(prog="recorder")
    add_options(parser, RECORDER)
    text = " ".join(parser.format_help().split())
    for row in RECORDER.rows:
        default = {"": "empty", False: "false"}.get(row.default, row.default)  # type: ignore[arg-type]
        assert f"{row.doc} ({row.valid}; default {default}; variable {row.variable}" in text
    assert text.count("other users of this machine can see an option") == 1
    add_options(parser := ArgumentParser(), config.STREAM)
    assert "%" in parser.format_help()


# Environment files

@pytest.mark.parametrize("line, values", [
    ("A=b", {"A": "b"}), ("  export  A = b c \t", {"A": "b c"}), ("", {}), ("  # A=b", {}), ("; A=b", {}),
    ("A=", {"A": ""}), ("A=''", {"A": ""}), ('A=""', {"A": ""}), ("A=b#c", {"A": "b#c"}), ("A=b #c", {"A": "b"}),
    ("A= # c", {"A": ""}), ("A='b #c' # d", {"A": "b #c"}), (r"A='b\n$x'", {"A": r"b\n$x"}),
    (r'A="b \"c\" \\ \$x \`d\` \n"', {"A": r'b "c" \ $x `d` \n'}), ("A=b=c", {"A": "b=c"}), ("A=it's", {"A": "it's"}),
    ("a-b_c=1\r", {"a-b_c": "1"}), ("\ufeffA=b", {"A": "b"}), ("A=1\nA=2", {"A": "2"}),
    ('A={"b":"c"}', {"A": '{"b":"c"}'}),
    (r"A=C:\new", {"A": r"C:\new"}), ("A=${B}", {"A": "${B}"})])
def test_environment_file(line: str, values: dict[str, str]) -> None:
    assert parse_environment_file(line, PATH) == values
    assert parse_environment_file(f"FIRST=1\n{line.lstrip(chr(0xfeff))}\nLAST=2\n", PATH) == {
        "FIRST": "1", **values, "LAST": "2"}


@pytest.mark.parametrize("line", ["swordfish", "=swordfish", "1A=swordfish", "A B=swordfish", "A='swordfish",
                                  'A="swordfish', "A='sword'fish", 'A="sword"fish', "A: swordfish", '"A"=swordfish'])
def test_a_line_that_is_not_understood_is_named_and_not_shown(line: str) -> None:
    with pytest.raises(SettingError, match=f"^line 3 of {PATH} is not understood: write NAME=value") as refused:
        parse_environment_file(f"# one\n\n{line}\n", PATH)
    assert "sword" not in str(refused.value)


@given(st.text(alphabet=st.characters() | st.sampled_from("A=#'\"\\ \n")))
def test_no_text_makes_the_reader_raise_anything_else(text: str) -> None:
    try:
        parse_environment_file(text, PATH)
    except SettingError:
        pass


@given(st.text(alphabet=st.characters(exclude_characters="\n")))
def test_what_is_written_in_double_quotes_comes_out(value: str) -> None:
    quoted = "".join("\\" + c if c in '"\\$`' else c for c in value)
    assert parse_environment_file(f'A="{quoted}"', PATH) == {"A": value}
