"""The README says what the code does: its tables are compared with the code, its examples are tried."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator, cast
from xml.etree import ElementTree

import pytest

from freeswitch_audio_stream import __version__, commands, module
from freeswitch_audio_stream.audio import ALL_RATES, RATES, Encoding, Track
from freeswitch_audio_stream.commands import community as community_grammar
from freeswitch_audio_stream.commands import parts, tokens, urls
from freeswitch_audio_stream.commands.words import LONGEST_WORD
from freeswitch_audio_stream.config import (ALIASES, CA_NONE, OWN_DEFAULTS, STREAM, TABLES, VARIABLES, Dialect, Setting,
                                            StreamSettings, Value, parse_xml, resolve_stream, split_prefix)
from freeswitch_audio_stream.config.prefix import LONGEST_PREFIX
from freeswitch_audio_stream.config.table import LONGEST_TEXT
from freeswitch_audio_stream.engine import end_reason, ending, registry, stream
from freeswitch_audio_stream.engine.connection import close_frame, link, reconnecting
from freeswitch_audio_stream.engine.conversation import message_sender as sender
from freeswitch_audio_stream.engine.events import community_reports, overrun_report
from freeswitch_audio_stream.engine.events.community_reports import CommunityReporter
from freeswitch_audio_stream.engine.events.packet_report import PacketReport
from freeswitch_audio_stream.engine.events.reports import EVENTS, MODULE, Reporter
from freeswitch_audio_stream.engine.plan import plan as planning
from freeswitch_audio_stream.engine.states import TRANSITIONS
from freeswitch_audio_stream.errors import ConnectError, RefusedError
from freeswitch_audio_stream.protocols import ENCAPSULATIONS, PROTOCOLS, audiosocket, community, stream_api
from freeswitch_audio_stream.protocols.messages import (ACCOUNT_VARIABLES, MediaTemplate, OutMessage, Running,
                                                        StreamAudio, StreamInfo)
from freeswitch_audio_stream.realtime import path_format
from freeswitch_audio_stream.realtime.counters import Packets
from freeswitch_audio_stream.realtime.media import dtmf
from freeswitch_audio_stream.realtime.wire import incoming, outgoing
from freeswitch_audio_stream.transports import handshake
from freeswitch_audio_stream.web import connection_limits
from freeswitch_audio_stream.web import failure_limit as limits
from tests.conformance import test_autobahn as autobahn

CHECKOUT = Path(__file__).parent.parent
README = (CHECKOUT / "README.md").read_text()
PACKAGE = CHECKOUT / "freeswitch_audio_stream"
SHIM = CHECKOUT / "scripts" / "audio_stream.py"

Row = list[str]
Table = list[Row]


# Reading the README

def words(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def plain(cell: str) -> str:
    """A cell without its markup."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell).replace("`", "").replace("\\|", "|").strip()


def _cells(line: str) -> Row:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def table(first_header: str, *more: str) -> Table:
    """The rows of the one table whose header begins with these cells."""
    lines = README.split("\n")
    wanted = [first_header, *more]
    found = [number for number, line in enumerate(lines)
             if _cells(line)[:len(wanted)] == wanted and lines[number + 1].startswith("|---")]
    assert len(found) == 1, f"{len(found)} tables begin with {wanted}"
    return [_cells(line) for line in takewhile(lambda line: line.startswith("|"), lines[found[0] + 2:])]


def section(heading: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    level = heading.index(" ")
    after = README.split(f"\n{heading}\n")[1]
    return re.split(rf"^#{{1,{level}}} ", after, flags=re.MULTILINE)[0]


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


# Reading the code

def trees(*folders: str | Path) -> Iterator[ast.AST]:
    """The syntax of all that runs inside FreeSWITCH, or of these folders and files of the package."""
    for folder in folders or ("", SHIM):
        place = PACKAGE / folder
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            yield from ast.walk(ast.parse(file.read_text()))


def texts(node: ast.expr) -> list[str]:
    """The values that an expression may have, as far as they are constants."""
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def calls(name: str, *folders: str) -> Iterator[ast.Call]:
    """The calls of a function or method of that name."""
    for node in trees(*folders):
        if isinstance(node, ast.Call):
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if called == name:
                yield node


def first_texts(name: str, *folders: str) -> set[str]:
    """The first arguments of such calls."""
    return {text for call in calls(name, *folders) if call.args for text in texts(call.args[0])}


def keys(file: str, function: str) -> list[str]:
    """The keys of the dict that a method of the stream answers."""
    node, = (node for node in trees(f"engine/{file}.py")
             if isinstance(node, ast.FunctionDef) and node.name == function)
    answer = next(inner for inner in ast.walk(node) if isinstance(inner, ast.Dict))
    return [str(key.value) for key in answer.keys if isinstance(key, ast.Constant)]


@lru_cache(maxsize=None)
def sentences() -> str:
    """Every text of the code, a line each, with … for what is put in."""
    found = []
    for node in trees():
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…"
                                 for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return "\n".join(text.replace("\n", " ") for text in found)


def pattern(text: str) -> str:
    """A regular expression for a text in which … stands for anything."""
    return ".*".join(map(re.escape, text.split("…")))


def is_said(text: str) -> bool:
    """Whether the code has a text like this; it may be the end of a longer one."""
    ending = pattern(text.removeprefix("… "))
    return re.search(f"^(.*… )?{ending}$", sentences(), re.MULTILINE) is not None


# Settings

def text_of(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


SETTINGS = [row for table in TABLES for row in table.rows]


def find(name: str) -> Setting | None:
    return next(filter(None, (table.find(name) for table in TABLES)), None)


def default(row: Setting) -> str:
    return text_of(row.default)


def test_settings() -> None:
    rows = table("XML name", "Environment and channel variable", "Default", "Valid", "Scope", "Meaning")
    assert [[plain(cell) for cell in row[:5]] for row in rows] == [
        [row.name, row.variable, default(row), row.valid.replace("`", ""),
         "stream" if row in STREAM.rows else "module"] for row in SETTINGS]


def test_every_setting_has_a_meaning() -> None:
    assert all(row[5] for row in table("XML name"))


def test_the_settings_file_knows_the_same_settings() -> None:
    file = CHECKOUT / "conf" / "autoload_configs" / "audio_stream.conf.xml"
    assert set(parse_xml(file.read_text())) == {plain(row[0]) for row in table("XML name")}


def test_channel_variables() -> None:
    listed = [plain(row[0]) for row in table("Variable", "Direction")]
    aliases = [alias for names in ALIASES.values() for alias in names]
    of_the_switch = first_texts("variable", "module.py")
    assert set(listed) == {*ACCOUNT_VARIABLES, "MOD_AUDIO_STREAM_…", *aliases, *of_the_switch, module.RESULT_VARIABLE}


def test_the_tls_settings_are_those_that_loosen_something() -> None:
    listed = {plain(row[0]) for row in table("Setting", "Accepts", "Still refused")}
    options, = calls("TlsOptions", "engine")
    used = {find(node.attr) for node in ast.walk(options) if isinstance(node, ast.Attribute)}
    flags = {row.name for row in used if row and isinstance(row.default, bool)}
    assert listed == flags | {f"tls-ca-file={CA_NONE}"}


# The community dialect's settings

def of_the_community(**variables: str) -> StreamSettings:
    """The settings of a stream whose call has these channel variables."""
    settings, warnings = resolve_stream({}, {}, variables.get, {}, Dialect.COMMUNITY)
    assert warnings == []
    return settings


def test_variables_of_the_community_module() -> None:
    rows = table("Variable", "Setting", "Default", "Meaning")
    assert [(plain(row[0]), plain(row[1])) for row in rows] == [
        (variable.name, variable.attribute.replace("_", "-")) for variable in VARIABLES[Dialect.COMMUNITY]]


@pytest.mark.parametrize("row", table("Variable", "Setting", "Default", "Meaning"), ids=lambda row: plain(row[0]))
def test_their_defaults(row: Row) -> None:
    name, setting, given = (plain(cell) for cell in row[:3])
    assert of_the_community(**{name: given}) == of_the_community()
    if given == "false":
        attribute = setting.replace("-", "_")
        assert getattr(of_the_community(**{name: "true"}), attribute) != getattr(of_the_community(), attribute)


def test_defaults_of_its_own() -> None:
    rows = table("Setting", "Default with a stream id", "Default without one")
    assert {plain(row[0]).replace("-", "_") for row in rows} == set(OWN_DEFAULTS[Dialect.COMMUNITY])
    for row in rows:
        setting = find(plain(row[0]))
        assert setting and plain(row[1]) == default(setting)
        own = OWN_DEFAULTS[Dialect.COMMUNITY][setting.attribute]
        assert "".join(words(row[2])[:1]) == text_of(own)


# Commands

def test_actions() -> None:
    rows = table("Action", "Syntax", "What it does", "Answer")
    assert [plain(row[0]) for row in rows] == [*commands.ACTIONS, "list"]
    for row in rows:
        assert plain(row[1]) in commands.USAGE
        assert plain(row[0]) == plain(row[1]).split()[0]
    assert {plain(row[3]) for row in rows[:-2]} == {"+OK Success"}
    assert is_said("+OK Success")


def test_actions_of_the_community_module() -> None:
    rows = table("Syntax", "What it does")
    assert [plain(row[0]).split()[0] for row in rows] == [*commands.COMMUNITY_ACTIONS]
    for row in rows:
        assert plain(row[0]) in community_grammar.USAGE


def test_its_actions_cannot_be_stream_ids() -> None:
    sentence, = re.findall(r"^- (.*?) cannot\s+be stream ids", section("### What differs"), re.DOTALL | re.MULTILINE)
    assert words(sentence)[-len(commands.COMMUNITY_ACTIONS):] == [*commands.COMMUNITY_ACTIONS]


def test_rates() -> None:
    rate = next(row[1] for row in table("Word", "Meaning") if row[0] == "rate")
    assert [int(number) for number in re.findall(r"\b\d{4,5}\b", rate)] == list(RATES)
    for word in (*re.findall(r"\b\d{4,5}\b", rate), *words(rate)):
        assert commands.parse(f"u s start ws://h both {word} 0 0")
    play = next(row[2] for row in table("Event", "Fields", "What it does") if "media.play" in row[0])
    assert [int(number) for number in re.findall(r"\b\d{4,5}\b", play)] == list(ALL_RATES)
    binary = next(row[3] for row in table("Variable", "Setting") if "STREAM_SAMPLE_RATE" in row[0])
    assert [int(number) for number in re.findall(r"\b\d{4,5}\b", binary)] == list(ALL_RATES)


def test_codecs() -> None:
    codec = next(row[1] for row in table("Word", "Meaning") if row[0] == "codec")
    for word in words(codec):
        start = commands.parse(f"u s start ws://h both {word} 8k 0 0")
        assert isinstance(start, commands.Start)
        assert start.encoding is (Encoding.L16 if "16" in word else Encoding.MULAW)


def test_status() -> None:
    assert [plain(row[0]) for row in table("Key of status", "Meaning")] == keys("lifecycle", "status")


@pytest.mark.parametrize("row", table("Answer", "What to do"), ids=lambda row: plain(row[0])[:40])
def test_answers_are_given_somewhere(row: Row) -> None:
    assert is_said(words(row[0])[0])


@pytest.mark.parametrize("line", [
    "u s start http://h both 8k 5 1", "u s start ws://h left 8k 5 1", "u s start ws://h both 11025 5 1",
    "u s start ws://h both 8k -1 1", "u s start ws://h both 8k 5 2", "u s start ws://h both 8k 5 1 {oops",
    f"u {257 * 's'} status", f"u {chr(0xDC80)} status",
    "u s start {chunk-ms=20 ws://h both 8k 5 1", "u s start {chunk-ms}ws://h both 8k 5 1",
    "u start http://h mono", "u start ws://h both", "u start ws://h mono 64k", "u start ws://h mono {}",
    "u s external_media_start ws://h", "u s external_media_start ws://h g729",
    "u s external_media_start audiosocket://h:1 rtp", "u s external_media_start []",
    'u s external_media_start {"url":1}',
], ids=ascii)
def test_answers_to_wrong_commands_are_listed(line: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        commands.parse(line)
    answers = [words(row[0])[0] for row in table("Answer", "What to do")]
    assert len([answer for answer in answers if re.fullmatch(pattern(answer), str(refusal.value))]) == 1


# Events

def fields_of_events() -> dict[str, set[str]]:
    fields: dict[str, set[str]] = {name: set() for name in EVENTS}
    for call in calls("fire", "engine"):
        for name in texts(call.args[0]):
            fields[name] |= {keyword.arg for keyword in call.keywords if keyword.arg} - {"timestamp"}
    return fields


def test_events() -> None:
    rows = table("Event", "Fires when", "Fields")
    assert [plain(row[0]) for row in rows] == list(EVENTS)
    assert {plain(row[0]): set(words(row[2])) for row in rows} == fields_of_events()


def test_reasons() -> None:
    rows = table("Reason", "Cause", "`reason` on the wire")
    ends_of_calls = {text for node in trees("module.py")
                     if isinstance(node, ast.FunctionDef) and node.name == "end_reason"
                     for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value
                     for text in texts(inner.value)}
    used = (first_texts("finish", "engine") | first_texts("stop", "engine") | first_texts("set_reason", "engine")
            | ends_of_calls)
    assert {plain(row[0]) for row in rows} == used
    assert {plain(row[0]): words(row[2])[0] for row in rows if words(row[2])} == end_reason.WIRE_REASONS


def test_kinds_of_errors() -> None:
    # _name is what reports a bad name of a checkpoint, under the kind it is given.
    used = (first_texts("error", "engine") | first_texts("MessageError", "protocols")
            | first_texts("_name", "protocols"))
    assert {plain(row[0]) for row in table("Kind", "Cause")} == used


def test_statistics() -> None:
    assert [plain(row[0]) for row in table("Key of statistics", "Meaning")] == keys("stream_statistics", "fields")


def test_statistics_of_rtp() -> None:
    path_of_rtp: Any = SimpleNamespace(format=SimpleNamespace(encapsulation="rtp"),
                                       packets=lambda: Packets(*range(5)))
    counters = PacketReport(path_of_rtp, Reporter(cast(Any, None), "s")).statistics()
    assert [plain(row[0]) for row in table("Key of RTP statistics", "Meaning")] == list(counters)
    assert list(counters.values()) == [*range(5)]


def test_kinds_of_audiosocket() -> None:
    rows = {plain(row[0]): row[2] for row in table("Kind", "To the server", "From the server")}
    assert [*rows] == ["0x00", "0x01", "0x03", "0x10 to 0x18", "0xFF", "other"]
    assert [int(number) for number in re.findall(r"\b\d{4,6}\b", rows["0x10 to 0x18"])] == list(audiosocket.RATES)
    encapsulations = table("Encapsulation", "To the server", "From the server")
    assert [plain(row[0]) for row in encapsulations] == [*ENCAPSULATIONS]


def test_the_module_is_named_as_it_is() -> None:
    assert f"`Event-Subclass: {MODULE}::<name>`" in README


# The community dialect's events

class Fired:
    """Stands for a call; keeps the bodies of its events by name."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}

    def emit(self, event: str, body: str) -> None:
        self.bodies[event.removeprefix(f"{MODULE}::")] = body


def shape(value: object) -> object:
    """A JSON value without its leaves."""
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def test_events_of_the_community_module() -> None:
    rows = {plain(row[0]): row[2] for row in table("Event", "Fires when", "Body")}
    assert set(rows) == {*community_reports.EVENTS, "dtmf"}
    fired = Fired()
    reporter = CommunityReporter(fired, commands.COMMUNITY_ID)  # type: ignore[arg-type]
    reporter.fire("connection_established")
    reporter.fire("connection_closed", code=1000, reason="…", willReconnect=False)
    reporter.not_connected(ConnectError("…"), "ws://h")
    reporter.fire("dtmf", digit="5", duration=250)
    assert set(fired.bodies) == set(rows) - {"json", "play"}
    for name, body in fired.bodies.items():
        assert shape(json.loads(body)) == shape(json.loads(words(rows[name])[0]))


def test_error_codes() -> None:
    codes = {code for _, code in community_reports._CODES} | {
        community_reports.IO_ERROR, community_reports.INVALID_HEADER, community_reports.PING_TIMEOUT,
        community_reports.PROTOCOL}
    assert {int(plain(row[0])) for row in table("Code", "Means")} == codes


def test_bodies_of_play() -> None:
    told = set()
    for node in trees("engine/player.py", "engine/community_reports.py"):
        if isinstance(node, ast.Dict):
            members = {str(key.value): value for key, value in zip(node.keys, node.values)
                       if isinstance(key, ast.Constant)}
            told |= {(event, *sorted(members)) for event in texts(members.get("event", ast.Constant(None)))}
    file, *others = (json.loads(plain(row[0])) for row in table("Body of play", "Fires when"))
    assert {(body["event"], *sorted(body)) for body in others} == told
    assert "event" not in file and "file" in file


# The wire

def info() -> StreamInfo:
    account = {name: "x" for name in ACCOUNT_VARIABLES}
    return StreamInfo("demo", "u", Track.BOTH, Encoding.L16, 8000, 2, None, account)


def keys_of(message: OutMessage | None) -> set[str]:
    assert message is not None
    text = message.head + (b"" if message.tail is None else b"1" + message.tail)
    return set(json.loads(text)) - {"event"}


def filled(template: MediaTemplate, payload: bytes = b"") -> bytes:
    """The message, with 1 in its running fields."""
    return b"".join(part if isinstance(part, bytes) else payload if part is Running.PAYLOAD else b"1"
                    for part in template.parts)


def test_messages_to_the_server() -> None:
    rows = {plain(row[0]): row for row in table("Event", "Fields", "When")}
    protocol, account = PROTOCOLS["json"], set(ACCOUNT_VARIABLES)
    media = protocol.media(info(), Track.INBOUND)
    sent = {
        "start": keys_of(protocol.open(info()).opening()[0]) - account,
        "media": set(json.loads(filled(media))) - {"event"},
        "dtmf": keys_of(protocol.open(info()).digit("5", 250)[0]),
        "checkpoint": keys_of(protocol.open(info()).checkpoint("a", "played")[0]),
        "stop": keys_of(protocol.open(info()).closing("r")[0]),
    }
    assert {name: set(words(row[1])) for name, row in rows.items()} == sent
    at_times = keys_of(PROTOCOLS["binary"].open(info()).opening()[0]) - sent["start"]
    assert at_times == account | {"channels"}
    assert at_times <= set(words(rows["start"][2]))


def test_messages_from_the_server() -> None:
    rows = table("Event", "Fields", "What it does")
    assert [plain(row[0]) for row in rows] == list(stream_api._READERS)


def test_close_codes() -> None:
    rows = {int(row[0]): row for row in table("Code", "Sent by us when")}
    assert set(rows) == {close_frame.CLOSE_NORMAL, close_frame.CLOSE_GOING_AWAY, close_frame.CLOSE_ABNORMAL,
                         close_frame.CLOSE_BAD_DATA, close_frame.CLOSE_TOO_BIG, incoming._CLOSE_PROTOCOL_ERROR,
                         close_frame.read_close(b"").code}
    never = {code for code, row in rows.items() if row[1] == "never"}
    assert never == {code for code in rows if not close_frame.may_be_sent(code)}


def test_websocket_conformance() -> None:
    rows = table("Group", "What it is about", "Cases")
    assert {int(row[0]): int(row[2]) for row in rows} == autobahn.GROUPS
    assert {int(row[0]) for row in rows if row[4] == "declined"} == set(autobahn.COMPRESSION)
    (undefined,) = {int(row[0]) for row in rows if row[3] not in ("pass", "declined")}
    text = section("## WebSocket conformance")
    assert all(case in text and case.startswith(f"{undefined}.") for case in autobahn.UNDEFINED)
    assert f"{autobahn.DEFAULT_MESSAGES} messages" in " ".join(text.split())


def test_json_examples() -> None:
    to_server, from_server = set(), set()
    for block in set(blocks("json")) - set(blocks("json", section("### On its wire"))):
        event = json.loads(block).get("event")
        if event in stream_api._READERS:
            from_server.add(event)
            assert stream_api.JSON.open(info()).receive(block.replace("…", "AAAAAAAA").encode())
        elif event:
            to_server.add(event)
    assert from_server == set(stream_api._READERS)
    assert to_server == {plain(row[0]) for row in table("Event", "Fields", "When")}


def test_json_examples_of_the_community_module() -> None:
    audio, digit, play = blocks("json", section("### On its wire"))
    template = community.COMMUNITY.media(replace(info(), base64=True), Track.INBOUND)
    assert audio.strip().encode() == filled(template, "…".encode())
    assert digit.strip().encode() == community.COMMUNITY.open(info()).digit("5", 250)[0].head
    received, = community.COMMUNITY.open(info()).receive(play.replace("…", "AAAAAAAA").encode())
    assert isinstance(received, StreamAudio)


def test_kinds_and_rates_of_streamed_audio() -> None:
    sentence, = re.findall(r"`audioDataType` is .*?Further", section("### On its wire"), re.DOTALL)
    assert tuple(re.findall(r"raw|wav|mp3|ogg|pcm[ua]", sentence)[:6]) == community.KINDS
    assert tuple(map(int, re.findall(r"\d{4,5}", sentence))) == community.RAW_RATES


# The media server

def test_routes_and_refusals_of_the_media_server() -> None:
    app = pytest.importorskip("freeswitch_audio_stream.http_api.app")
    routes = [words(row[0])[0] for row in table("Route", "What it does")]
    made = {f"{node.func.attr.upper()} {node.args[0].value}" for node in trees("media_server/app.py")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "post")
            and node.args and isinstance(node.args[0], ast.Constant) and str(node.args[0].value).startswith("/")}
    assert set(routes) == made
    statuses = {int(row[0]) for row in table("Status", "When")}
    assert statuses == {400, *app._REFUSALS, *app._CALL_REFUSALS}


def test_commands_that_make_tokens() -> None:
    rows = table("Token command", "What it does", "Answers")
    call, conference = (words(row[0])[0] for row in rows)
    assert f"{call} | {conference.removeprefix('uuid_audio_stream ')}" == tokens.USAGE
    assert str(tokens.LONGEST_SECONDS) in rows[0][1]


def test_fields_of_the_body_that_makes_calls() -> None:
    requests = pytest.importorskip("freeswitch_audio_stream.http_api.calls")
    rows = table("Field of the body", "Meaning")
    assert [plain(row[0]) for row in rows] == list(requests.CallRequest.model_fields)
    assert set(requests.ACTIONS) <= set(words(rows[2][1]))


# Limits, states, texts

@pytest.mark.parametrize("what, number", [
    ("capture buffer", 40), ("playback queue", 60), ("`graceful-shutdown`", 60), ("streams", 1000),
    ("checkpoints that wait", path_format.MARKS),
    ("messages to the server that wait (not audio)", path_format.OUTBOX_BYTES >> 20),
    ("texts that wait for the first connection", sender.MAX_WAITING_BYTES >> 10),
    ("texts that wait for the first connection", outgoing.OUTBOX_HEADER),
    ("messages from the server that wait", path_format.INBOX_BYTES >> 10),
    ("message from the server", 8), ("message from the server", close_frame.CLOSE_TOO_BIG),
    ("control frame from the server", 125), ("control frame from the server", incoming._CLOSE_PROTOCOL_ERROR),
    ("name of a checkpoint", stream_api.LONGEST_NAME),
    ("uuid, stream id", commands._LONGEST_ID),
    ("URL", urls.LONGEST_URL), ("URL", LONGEST_PREFIX),
    ("value of a setting that is a text", LONGEST_TEXT),
    ("any other word of a command", LONGEST_WORD),
    ("metadata", parts.LONGEST_METADATA), ("text of `send_text`", parts.LONGEST_TEXT),
    ("reason of `stop` and `graceful-shutdown`", parts.LONGEST_REASON),
    ("first message to the server (metadata, ids and the channel variables in it)", planning.LONGEST_OPENING),
    ("header of the server's handshake answer", handshake.MAX_HEAD_BYTES),
    ("digits that wait", dtmf._SLOTS // 2),
    ("`stop`, hangup", stream._DRAIN_SECONDS), ("`stop`, hangup", link._CLOSE_SECONDS),
    ("capture buffer", overrun_report._WATCH_SECONDS),
    ("attempts to connect again", reconnecting._CEILINGS[0]),
    ("attempts to connect again", reconnecting._CEILINGS[-1]),
    ("attempts to connect again", reconnecting._TIMEOUT),
    ("sound files of protocol `community`", ending._SOUNDS_SECONDS),
    ("text that is compressed", link._WORTH_DEFLATING),
    ("unload, shutdown of FreeSWITCH", module.SHUTDOWN_SECONDS),
    ("clients of the media server", 100), ("clients of the media server", 8),
    ("wrong tokens from one address", limits.BURST), ("wrong tokens from one address", limits.REFILL_SECONDS),
    ("wrong tokens from one address", limits.MAX_ADDRESSES),
    ("connections to the media server, but for attached clients", connection_limits.USUAL),
    ("unload, shutdown of FreeSWITCH", registry._SHUTDOWN_DRAIN_SECONDS),
])
def test_limits(what: str, number: float) -> None:
    row, = (row for row in table("What", "Limit", "What happens at it") if row[0] == what)
    assert re.search(rf"(?<![\d.]){number:.15g}(?!\.?\d)", " ".join(row[1:]))


def test_limits_of_requests_to_the_media_server() -> None:
    protocol = pytest.importorskip("freeswitch_audio_stream.web.http_protocol")
    calls = pytest.importorskip("freeswitch_audio_stream.http_api.calls")
    for what, number in (("a request to the media server", protocol.REQUEST_SECONDS),
                         ("a request to the media server", calls.MAX_BODY_BYTES),
                         ("a client that does not take an answer of the media server", protocol.REQUEST_SECONDS),
                         ("calls of `POST /v1.0/calls` that ring", calls.MAX_RINGING)):
        test_limits(what, number)


def test_default_limits_of_connections() -> None:
    sentence, = re.findall(r"1024 make (\d+) and (\d+), 4000 and more make (\d+) and (\d+)", " ".join(README.split()))
    small, large = (connection_limits.choose_limits(0, 0, files) for files in (1024, 4000))
    assert [int(number) for number in sentence] == [small.in_all, small.from_an_address, large.in_all,
                                                    large.from_an_address]


def test_limits_are_the_defaults_of_their_settings() -> None:
    named = {"buffer-secs": 40, "playback-secs": 60, "graceful-secs": 60, "max-streams": 1000,
             "max-message-bytes": 8 << 20, "media-server-max-clients": 100, "media-server-max-clients-per-call": 8}
    assert named == {name: row.default for name in named if (row := find(name))}


def test_waits_between_attempts_to_connect_again() -> None:
    assert reconnecting._CEILINGS[3:8] == (2, 2, 2, 2, 4) and len(reconnecting._CEILINGS) == 11
    assert "2 s from the fourth on, then doubling from the eighth on to 30 s" in " ".join(README.split())


def test_states() -> None:
    assert {plain(row[0]): set(words(row[2])) for row in table("State", "Meaning", "Leads to")} == {
        state.value: {after.value for after in steps.values()} for state, steps in TRANSITIONS.items()}


@pytest.mark.parametrize("row", table("Text", "Do") + table("The log says", "Do"),
                         ids=lambda row: plain(row[0])[:40])
def test_texts_of_troubleshooting_are_told_somewhere(row: Row) -> None:
    assert is_said(plain(row[0]))


# Examples

def test_python_examples_compile() -> None:
    assert len(blocks("python")) == 3
    for block in blocks("python"):
        compile(block, "README.md", "exec")


def test_the_event_socket_example_listens_to_every_event() -> None:
    example = next(block for block in blocks("python") if "NAMES" in block)
    names = next(node for node in ast.parse(example).body if isinstance(node, ast.Assign))
    assert ast.literal_eval(names.value) == EVENTS


def test_xml_examples_are_well_formed() -> None:
    for block in blocks("xml"):
        ElementTree.fromstring(block)


def lines_of_commands() -> list[str]:
    """What the examples have FreeSWITCH do, as the command gets it."""
    from_shell = re.findall(r"'uuid_audio_stream ([^'\n]+)'", "\n".join(blocks("sh")))
    from_dialplan = [action.get("data", "") for block in blocks("xml")
                     for action in ElementTree.fromstring(block).iter("action")
                     if action.get("application") == module.API_NAME]
    from_python = re.findall(r'api uuid_audio_stream ([^"\n]+)"', "\n".join(blocks("python")))
    return [re.sub(r"\$?\{uuid\}|<uuid>", "1f0c", line) for line in from_shell + from_dialplan + from_python]


def test_there_are_commands_in_the_examples() -> None:
    assert len(lines_of_commands()) >= 8


@pytest.mark.parametrize("line", lines_of_commands())
def test_commands_of_the_examples_are_right(line: str) -> None:
    command = commands.parse(line)
    if isinstance(command, commands.Start):
        assert all(find(name) for name in command.prefix)


def test_prefixes_in_the_text_are_right() -> None:
    prefixes = re.findall(r"`(\{[a-z-]+=[^`]*\})wss?://…`", README)
    assert len(prefixes) == 3
    for prefix in prefixes:
        names, rest = split_prefix(f"{prefix}wss://host")
        assert rest == "wss://host"
        assert names and all(find(name) for name in names)


@pytest.mark.parametrize("name", ["demo", "test", "install"])
def test_scripts_that_it_names_are_there(name: str) -> None:
    assert (CHECKOUT / "scripts" / name).stat().st_mode & 0o111


def test_links_within_it_lead_somewhere() -> None:
    headings = {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
                for heading in re.findall(r"^#+ (.*)$", README, re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]*)\)", README))
    assert links and links <= headings


def test_the_version_is_the_newest_of_the_changelog() -> None:
    versions = re.findall(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__
