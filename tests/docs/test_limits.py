"""Limits, and the states of a stream."""

from __future__ import annotations

import re

import pytest

from freeswitch_audio_stream import commands, module
from freeswitch_audio_stream.commands import parts, urls
from freeswitch_audio_stream.commands.words import LONGEST_WORD
from freeswitch_audio_stream.config.prefix import LONGEST_PREFIX
from freeswitch_audio_stream.config.table import LONGEST_TEXT
from freeswitch_audio_stream.engine import ending, registry
from freeswitch_audio_stream.engine.connection import close_frame, link, reconnecting
from freeswitch_audio_stream.engine.conversation import message_sender as sender
from freeswitch_audio_stream.engine.dispatch import dispatcher
from freeswitch_audio_stream.engine.events import overrun_report
from freeswitch_audio_stream.engine.plan import plan as planning
from freeswitch_audio_stream.engine.states import TRANSITIONS
from freeswitch_audio_stream.engine.stream import end as stream_end
from freeswitch_audio_stream.protocols import reading
from freeswitch_audio_stream.realtime import path_format
from freeswitch_audio_stream.realtime.media import dtmf
from freeswitch_audio_stream.realtime.wire import incoming, outgoing
from freeswitch_audio_stream.transports import handshake
from freeswitch_audio_stream.web import connection_limits
from freeswitch_audio_stream.web import failure_limit as limits

from .pages import flat, plain, table, words
from .settings_rows import find


@pytest.mark.parametrize("what, number", [
    ("capture buffer", 40), ("playback queue", 60), ("`graceful-shutdown`", 60), ("streams", 1000),
    ("checkpoints that wait", path_format.MARKS),
    ("messages to the server that wait (not audio)", path_format.OUTBOX_BYTES >> 20),
    ("texts that wait for the first connection", sender.MAX_WAITING_BYTES >> 10),
    ("texts that wait for the first connection", outgoing.OUTBOX_HEADER),
    ("messages from the server that wait", path_format.INBOX_BYTES >> 10),
    ("message from the server", 8), ("message from the server", close_frame.CLOSE_TOO_BIG),
    ("control frame from the server", 125), ("control frame from the server", incoming._CLOSE_PROTOCOL_ERROR),
    ("name of a checkpoint", reading.LONGEST_NAME),
    ("uuid, stream id", commands._LONGEST_ID),
    ("URL", urls.LONGEST_URL), ("URL", LONGEST_PREFIX),
    ("value of a setting that is a text", LONGEST_TEXT),
    ("any other word of a command", LONGEST_WORD),
    ("metadata", parts.LONGEST_METADATA), ("text of `send_text`", parts.LONGEST_TEXT),
    ("reason of `stop` and `graceful-shutdown`", parts.LONGEST_REASON),
    ("first message to the server (metadata, ids and the channel variables in it)", planning.LONGEST_OPENING),
    ("header of the server's handshake answer", handshake.MAX_HEAD_BYTES),
    ("digits that wait", dtmf._SLOTS // 2),
    ("`stop`, hangup", stream_end.DRAIN_SECONDS), ("`stop`, hangup", link.Link.close_seconds),
    ("capture buffer", overrun_report._WATCH_SECONDS),
    ("attempts to connect again", reconnecting._CEILINGS[0]),
    ("attempts to connect again", reconnecting._CEILINGS[-1]),
    ("attempts to connect again", reconnecting._TIMEOUT),
    ("attempts to connect again", dispatcher.RECONNECTS_PER_SECOND),
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
    requests = pytest.importorskip("freeswitch_audio_stream.http_api.calls")
    for what, number in (("a request to the media server", protocol.REQUEST_SECONDS),
                         ("a request to the media server", requests.MAX_BODY_BYTES),
                         ("a client that does not take an answer of the media server", protocol.REQUEST_SECONDS),
                         ("calls of `POST /v1.0/calls` that ring", requests.MAX_RINGING)):
        test_limits(what, number)


def test_default_limits_of_connections() -> None:
    text = flat("reference/media-server.md")
    sentence, = re.findall(r"1024 make (\d+) and (\d+), 4000 and more make (\d+) and (\d+)", text)
    small, large = (connection_limits.choose_limits(0, 0, files) for files in (1024, 4000))
    assert [int(number) for number in sentence] == [small.in_all, small.from_an_address, large.in_all,
                                                    large.from_an_address]


def test_limits_are_the_defaults_of_their_settings() -> None:
    named = {"buffer-secs": 40, "playback-secs": 60, "graceful-secs": 60, "max-streams": 1000,
             "max-message-bytes": 8 << 20, "media-server-max-clients": 100, "media-server-max-clients-per-call": 8}
    assert named == {name: row.default for name in named if (row := find(name))}


def test_waits_between_attempts_to_connect_again() -> None:
    assert reconnecting._CEILINGS[3:8] == (2, 2, 2, 2, 4) and len(reconnecting._CEILINGS) == 11
    assert "2 s from the fourth on, then doubling from the eighth on to 30 s" in flat("explanation/life-of-a-stream.md")


def test_states() -> None:
    assert {plain(row[0]): set(words(row[2])) for row in table("State", "Meaning", "Leads to")} == {
        state.value: {after.value for after in steps.values()} - {state.value} for state, steps in TRANSITIONS.items()}
