"""Wire protocols: messages, frames, close codes, conformance."""

from __future__ import annotations

import json
import re

from freeswitch_audio_stream.audio import Track
from freeswitch_audio_stream.engine.connection import close_frame
from freeswitch_audio_stream.protocols import ENCAPSULATIONS, PROTOCOLS, audiosocket, stream_api
from freeswitch_audio_stream.protocols.messages import ACCOUNT_VARIABLES, OutMessage
from freeswitch_audio_stream.realtime.wire import incoming
from tests.conformance import test_autobahn as autobahn

from .messages import filled, info
from .pages import blocks, pages, plain, section, table, words


def keys_of(message: OutMessage | None) -> set[str]:
    assert message is not None
    text = message.head + (b"" if message.tail is None else b"1" + message.tail)
    return set(json.loads(text)) - {"event"}


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


def test_kinds_of_audiosocket() -> None:
    rows = {plain(row[0]): row[2] for row in table("Kind", "To the server", "From the server")}
    assert [*rows] == ["0x00", "0x01", "0x03", "0x10 to 0x18", "0xFF", "other"]
    assert [int(number) for number in re.findall(r"\b\d{4,6}\b", rows["0x10 to 0x18"])] == list(audiosocket.RATES)
    encapsulations = table("Encapsulation", "To the server", "From the server")
    assert [plain(row[0]) for row in encapsulations] == [*ENCAPSULATIONS]


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
    text = pages()["reference/conformance.md"]
    assert all(case in text and case.startswith(f"{undefined}.") for case in autobahn.UNDEFINED)
    assert f"{autobahn.DEFAULT_MESSAGES} messages" in " ".join(text.split())


def test_json_examples() -> None:
    to_server, from_server = set(), set()
    for block in set(blocks("json")) - set(blocks("json", section("reference/community.md", "## On the wire"))):
        event = json.loads(block).get("event")
        if event in stream_api._READERS:
            from_server.add(event)
            assert stream_api.JSON.open(info()).receive(block.replace("…", "AAAAAAAA").encode())
        elif event:
            to_server.add(event)
    assert from_server == set(stream_api._READERS)
    assert to_server == {plain(row[0]) for row in table("Event", "Fields", "When")}


def test_every_protocol_is_described() -> None:
    described = {word for row in table("Encapsulation", "To the server") for word in words(row[0])}
    intro = pages()["reference/wire.md"].split("\n## ")[0]
    assert set(PROTOCOLS) - described <= set(words(intro))
