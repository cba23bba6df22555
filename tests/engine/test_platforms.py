"""Telephony platforms' protocols through the whole module: speech, an answer, marks, clear, digits and the end."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
import orjson
import pytest

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode
from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.platform_servers import KINDS, Server, heard, marks

from .harness import Platform, audible, find, noise, until


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


SPEECH, ANSWER = noise(8000), noise(4000, 2)


def through(samples: Samples, encoding: Encoding) -> Samples:
    return decode(encode(samples, encoding), encoding)


@pytest.mark.parametrize("name", KINDS)
def test_a_conversation(platform: Platform, server: Server, name: str) -> None:
    kind = KINDS[name]
    call = platform.call(app="playback")
    platform.start(call, f"{{protocol={name}}}{server.url}")
    until(lambda: server.texts)
    offered = server.connections[0].connection.request.headers.get("Sec-WebSocket-Protocol")
    assert offered == {"jambonz": "audio.drachtio.org, audio.jambonz.org", "asterisk": "media",
                       "asterisk-json": "media"}.get(name)
    call.say(through(SPEECH, kind.encoding))
    until(lambda: find(heard(server, kind), through(SPEECH, kind.encoding)) >= 0)

    # Audio, a mark and more audio behind it: the mark is told when what was before it has been heard.
    server.send(kind.play(encode(ANSWER, kind.encoding)))
    server.send(kind.mark("first"))
    server.send(kind.play(encode(ANSWER, kind.encoding)))
    server.send(kind.mark("second"))
    until(lambda: marks(server, kind) == ["first", "second"])
    twice = np.concatenate([through(ANSWER, kind.encoding)] * 2)
    assert find(audible(call.heard()), audible(twice)) >= 0

    call.dtmf("5")
    until(lambda: "5" in map(kind.digit, server.texts))
    platform.tell(call, "stop done")
    platform.event("stream_stopped", call)
    assert not platform.events("stream_error", call)
    server.wait_for_close()
    events = [message.get("event") for message in server.texts if isinstance(message, dict)]
    assert (events[-1:] == ["stop"]) == kind.ends


@pytest.mark.parametrize("name", KINDS)
def test_clear_spares_what_comes_right_behind_it(platform: Platform, server: Server, name: str) -> None:
    kind = KINDS[name]
    call = platform.call(app="playback")
    platform.start(call, f"{{protocol={name}}}{server.url}")
    until(lambda: server.texts)
    for number in range(3):
        before = len(audible(call.heard()))
        server.send(kind.play(encode(noise(320_000, 7, 900), kind.encoding)))
        server.send(kind.mark(f"cut{number}"))
        until(lambda: len(audible(call.heard())) > before + 1000)
        server.send(kind.clear)
        server.send(kind.play(encode(ANSWER, kind.encoding)))
        server.send(kind.mark(f"end{number}"))
        until(lambda: marks(server, kind)[-1:] == [f"end{number}"])
        assert find(call.heard(), through(ANSWER, kind.encoding)) >= 0
        assert len(audible(call.heard())) < before + 240_000, "the rest was not heard"
    returned = [mark for mark in marks(server, kind) if mark.startswith("cut")]
    assert len(returned) == (3 if kind.returns_cleared else 0)


@pytest.mark.parametrize("name", KINDS)
def test_what_the_platform_would_not_say_is_an_error_and_no_end(platform: Platform, server: Server, name: str) -> None:
    kind = KINDS[name]
    call = platform.call(app="playback")
    platform.start(call, f"{{protocol={name}}}{server.url}")
    until(lambda: server.texts)
    server.send('{"event":"media.play","type":"x","action":"x","command":"x"}')
    assert platform.event("stream_error", call)["error"]
    if kind.play(b"") != b"":
        server.send(b"\x00\x01" * 80)
        assert "has none" in platform.event("stream_error", call, kind="binary")["error"]
    server.send(kind.play(encode(ANSWER, kind.encoding)))
    server.send(kind.mark("on"))
    until(lambda: "on" in marks(server, kind))
    told = {"telnyx": '"error"', "asterisk": "ERROR ", "asterisk-json": '"ERROR"'}.get(name)
    if told is not None:
        assert any(told in (message if isinstance(message, str) else orjson.dumps(message).decode())
                   for message in server.texts), "the platform tells its server, too"


def test_asterisk_tells_of_its_queue_and_holds_it(platform: Platform, server: Server) -> None:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=asterisk-json}" + server.url)
    until(lambda: server.texts)
    server.send({"command": "PAUSE_MEDIA"})
    server.send({"command": "GET_STATUS"})
    until(lambda: _statuses(server))
    assert _statuses(server)[0]["media_paused"] is True
    server.send(encode(ANSWER, Encoding.L16))
    server.send({"command": "REPORT_QUEUE_DRAINED"})
    server.send({"command": "GET_STATUS"})
    until(lambda: len(_statuses(server)) == 2)
    assert _statuses(server)[1]["queue_length"] == 25
    assert not _drained(server)
    server.send({"command": "CONTINUE_MEDIA"})
    until(lambda: _drained(server))
    assert find(call.heard(), ANSWER) >= 0


def _statuses(server: Server) -> list[Any]:
    return [message for message in server.texts if message.get("event") == "STATUS"]


def _drained(server: Server) -> bool:
    return any(message.get("event") == "QUEUE_DRAINED" for message in server.texts)


def test_asterisk_says_when_its_queue_is_high_and_when_it_is_no_longer(platform: Platform, server: Server) -> None:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=asterisk-json,playback-secs=2}" + server.url)
    until(lambda: server.texts)
    for _ in range(2):
        server.send(encode(noise(15_200), Encoding.L16))  # 1.9 s; told from 1.8 s on, and below 1.6 s
        server.send({"command": "REPORT_QUEUE_DRAINED"})
        until(lambda: _drained(server))
        flow = [message["event"] for message in server.texts if message.get("event") in ("MEDIA_XOFF", "MEDIA_XON")]
        assert flow[-2:] == ["MEDIA_XOFF", "MEDIA_XON"]
        server.connections[0].messages.clear()
    assert not platform.events("stream_error", call)


def test_asterisk_sends_and_takes_audio_as_its_server_wants(platform: Platform, server: Server) -> None:
    call = platform.call(app="playback")
    platform.start(call, "{protocol=asterisk-json}" + server.url)
    until(lambda: server.texts)
    server.send({"command": "SET_MEDIA_DIRECTION", "direction": "out"})
    until(lambda: platform.status(call)["framesSkipped"])
    call.say(SPEECH)
    server.send(encode(ANSWER, Encoding.L16))
    until(lambda: find(call.heard(), ANSWER) >= 0)
    server.send({"command": "SET_MEDIA_DIRECTION", "direction": "in"})
    before = len(heard(server, KINDS["asterisk-json"]))
    until(lambda: len(heard(server, KINDS["asterisk-json"])) > before)
    server.send(encode(noise(4000, 9), Encoding.L16))
    call.say(SPEECH)
    until(lambda: find(heard(server, KINDS["asterisk-json"]), SPEECH) >= 0)
    assert find(call.heard(), noise(4000, 9)) < 0
    server.send({"command": "SET_MEDIA_DIRECTION", "direction": "both"})
    server.send({"command": "GET_STATUS"})
    until(lambda: _statuses(server))
    server.send(encode(noise(4000, 10), Encoding.L16))
    until(lambda: find(call.heard(), noise(4000, 10)) >= 0)


def test_what_a_server_wants_done_with_the_call(platform: Platform, server: Server) -> None:
    call: EmbeddedCall = platform.call(app="playback")
    platform.start(call, "{protocol=plivo}" + server.url)
    until(lambda: server.texts)
    server.send({"event": "sendDTMF", "dtmf": "12#"})
    body = platform.event("call_control", call)
    assert (body["action"], body["argument"], body["done"]) == ("send_digits", "12#", False)


def test_ids_come_from_settings(platform: Platform, server: Server) -> None:
    call = platform.call(app="playback", variables={"caller_id_number": "+4930123456", "destination_number": "1000"})
    platform.start(call, "{protocol=exotel,platform-account-id=a,platform-call-id=c,platform-stream-id=s}"
                   + server.url, metadata='{"k":"v"}')
    until(lambda: len(server.texts) > 1)
    start = server.texts[1]["start"]
    assert {name: start[name] for name in ("account_sid", "call_sid", "stream_sid", "from", "to")} == {
        "account_sid": "a", "call_sid": "c", "stream_sid": "s", "from": "+4930123456", "to": "1000"}
    assert start["custom_parameters"] == {"k": "v"}
