"""What a server wants done with the call: an event, and done where the settings allow it."""

from __future__ import annotations

from typing import Iterator

import pytest

from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.platform_servers import Server

from .harness import Platform, until

JAMBONZ = "{protocol=jambonz,call-control='hangup,transfer,dtmf,answer',transfer-destinations='2000@sales,3000'}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def begin(platform: Platform, server: Server, prefix: str) -> EmbeddedCall:
    call = platform.call(app="playback")
    platform.start(call, prefix + server.url)
    until(lambda: server.texts)
    return call


def test_what_is_allowed_is_done(platform: Platform, server: Server, ran: list[str]) -> None:
    call = begin(platform, server, JAMBONZ)
    for kind, argument, done in (("transfer", "2000", f"uuid_transfer {call.uuid} 2000 XML sales"),
                                 ("transfer", "2000@sales", f"uuid_transfer {call.uuid} 2000 XML sales"),
                                 ("dtmf", "12#w", f"uuid_send_dtmf {call.uuid} 12#w"),
                                 ("transfer", "3000", f"uuid_transfer {call.uuid} 3000")):
        ran.clear()
        server.send({"type": kind, "data": {"value": argument}})
        until(lambda: ran == [done])
        told = platform.events("call_control", call)[-1]
        assert (told["argument"], told["done"]) == (argument, True) and not told.get("reason")
    error = platform.event("stream_error", call, kind="call_control")["error"]
    assert error == "uuid_transfer has failed: -ERR no such extension"
    server.send({"type": "disconnect"})
    assert platform.event("stream_stopped", call)["reason"] in ("server_closed", "hangup")
    assert call.join(30), "the call was hung up"


@pytest.mark.parametrize("kind, argument, reason", [
    ("transfer", "4000", "transfer-destinations does not name"), ("transfer", "", "transfer-destinations"),
    ("transfer", "2000 XML other", "transfer-destinations"), ("dtmf", "12;x", "1 to 64 digits"),
    ("dtmf", "", "digits")])
def test_what_is_not_named_is_left(platform: Platform, server: Server, ran: list[str], kind: str, argument: str,
                                   reason: str) -> None:
    call = begin(platform, server, JAMBONZ)
    server.send({"type": kind, "data": {"value": argument}})
    told = platform.event("call_control", call)
    assert told["done"] is False and reason in told["reason"]
    assert not ran


def test_nothing_is_allowed_by_default(platform: Platform, server: Server, ran: list[str]) -> None:
    call = begin(platform, server, "{protocol=asterisk}")
    for command, word in (("HANGUP", "hangup"), ("ANSWER", "answer")):
        server.send(command)
        until(lambda: f"call-control does not allow {word}" in {
            event["reason"] for event in platform.events("call_control", call)})
    assert not ran and platform.status(call)["state"] == "streaming"


def test_a_call_is_answered(platform: Platform, server: Server, ran: list[str]) -> None:
    call = begin(platform, server, "{protocol=asterisk-json,call-control=answer}")
    server.send({"command": "ANSWER"})
    until(lambda: ran == [f"uuid_answer {call.uuid}"])


@pytest.mark.parametrize("prefix, words", [
    ("call-control=reboot", "hangup, transfer, dtmf and answer"), ("transfer-destinations='1000 XML x'", "extensions")])
def test_settings_that_say_something_else_are_refused(platform: Platform, prefix: str, words: str) -> None:
    call = platform.call(app="playback")
    answer = platform.run(f"{call.uuid} s start {{{prefix}}}ws://127.0.0.1:9/ inbound 8000 0 1")
    assert answer.startswith("-ERR") and words in answer
