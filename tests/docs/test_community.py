"""The community dialect: commands, variables, messages, events and error codes."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace

import pytest

from freeswitch_audio_stream import commands
from freeswitch_audio_stream.audio import Track
from freeswitch_audio_stream.commands import community as community_grammar
from freeswitch_audio_stream.config import (OWN_DEFAULTS, VARIABLES, Dialect, Setting, StreamSettings, Value,
                                            resolve_stream)
from freeswitch_audio_stream.engine.events import community_reports
from freeswitch_audio_stream.engine.events.community_reports import CommunityReporter
from freeswitch_audio_stream.engine.events.reports import MODULE
from freeswitch_audio_stream.errors import ConnectError
from freeswitch_audio_stream.protocols import community
from freeswitch_audio_stream.protocols.messages import StreamAudio

from .code import texts, trees
from .messages import filled, info
from .pages import Row, blocks, plain, section, table, words
from .settings_rows import find


def text_of(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def default(row: Setting) -> str:
    return text_of(row.default)


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


def test_actions_of_the_community_module() -> None:
    rows = table("Syntax", "What it does")
    assert [plain(row[0]).split()[0] for row in rows] == [*commands.COMMUNITY_ACTIONS]
    for row in rows:
        assert plain(row[0]) in community_grammar.USAGE


def test_its_actions_cannot_be_stream_ids() -> None:
    text = section("howto/change-over.md", "## What differs")
    sentence, = re.findall(r"^- (.*?) cannot\s+be stream ids", text, re.DOTALL | re.MULTILINE)
    assert words(sentence)[-len(commands.COMMUNITY_ACTIONS):] == [*commands.COMMUNITY_ACTIONS]


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
    for node in trees("engine/conversation/playback/player.py", "engine/events/community_reports.py"):
        if isinstance(node, ast.Dict):
            members = {str(key.value): value for key, value in zip(node.keys, node.values)
                       if isinstance(key, ast.Constant)}
            told |= {(event, *sorted(members)) for event in texts(members.get("event", ast.Constant(None)))}
    file, *others = (json.loads(plain(row[0])) for row in table("Body of play", "Fires when"))
    assert {(body["event"], *sorted(body)) for body in others} == told
    assert "event" not in file and "file" in file


def test_json_examples_of_the_community_module() -> None:
    audio, digit, play = blocks("json", section("reference/community.md", "## On the wire"))
    template = community.COMMUNITY.media(replace(info(), base64=True), Track.INBOUND)
    assert audio.strip().encode() == filled(template, "…".encode())
    assert digit.strip().encode() == community.COMMUNITY.open(info()).digit("5", 250)[0].head
    received, = community.COMMUNITY.open(info()).receive(play.replace("…", "AAAAAAAA").encode())
    assert isinstance(received, StreamAudio)


def test_kinds_and_rates_of_streamed_audio() -> None:
    text = section("reference/community.md", "## On the wire")
    sentence, = re.findall(r"`audioDataType` is .*?Further", text, re.DOTALL)
    assert tuple(re.findall(r"raw|wav|mp3|ogg|pcm[ua]", sentence)[:6]) == community.KINDS
    assert tuple(map(int, re.findall(r"\d{4,5}", sentence))) == community.RAW_RATES
