"""Genesys' AudioHook: what a session says, what it takes, and how its connections are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any, Mapping, Sequence

import orjson
import pytest

from freeswitch_audio_stream.audio import Encoding, Track
from freeswitch_audio_stream.errors import MessageError, RefusedError, SettingError
from freeswitch_audio_stream.protocols import PROTOCOLS, ProtocolSession
from freeswitch_audio_stream.protocols.messages import (AllowAudio, CallAction, CallLater, ClearAudio, ControlCall,
                                                        DiscardAudio, Handshake, HangUp, Incoming, KeepAudio, Reconnect,
                                                        Reply, ReportError, TextReceived, TranscriptionReceived)

from .wire import UUID, info, read, session

HOOK = PROTOCOLS["audiohook"]
PCMU = {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}
L16 = {**PCMU, "format": "L16"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Talk:
    """A session, and what its server says to it."""

    def __init__(self, talk: ProtocolSession | None = None, **options: Any) -> None:
        self.session = talk or session("audiohook", **options)
        self.position = 0
        self.session.audio_ms = lambda: self.position
        self.elapsed = 0
        self.session.elapsed_ms = lambda: self.elapsed
        (message,) = self.session.opening()
        self.open = read(message, 1)
        self._seq = 0

    def say(self, kind: str, **parameters: Any) -> list[Incoming]:
        self._seq += 1
        return list(self.session.receive(orjson.dumps({
            "version": "2", "type": kind, "seq": self._seq, "clientseq": 1, "id": self.open["id"],
            "parameters": parameters})))


def replies(messages: Sequence[Incoming]) -> list[Any]:
    return [read(message.message) for message in messages if isinstance(message, Reply)]


def headers_for(url: str, secret: str = "", connection: int = 0, **identity: str) -> Mapping[str, str]:
    return HOOK.handshake(info("audiohook", **identity), Handshake(connection, url, "key", secret, 1000, 24 * "n"))


def opened(**options: Any) -> Talk:
    talk = Talk(**options)
    talk.say("opened", media=[talk.open["parameters"]["media"][0]])
    return talk


def test_open() -> None:
    talk = Talk(metadata='{"language":"en-US","inputVariables":{"a":"b"},"x":1}', caller_name="Ann")
    parameters = talk.open["parameters"]
    assert _UUID.fullmatch(talk.open["id"]) and _UUID.fullmatch(parameters["participant"].pop("id"))
    assert talk.open == {
        "version": "2", "type": "open", "seq": 1, "serverseq": 0, "position": "PT0.000S", "id": talk.open["id"],
        "parameters": {"organizationId": "00000000-0000-0000-0000-000000000000", "conversationId": UUID,
                       "participant": {"ani": "+4930123456", "aniName": "Ann", "dnis": "1000"}, "media": [PCMU, L16],
                       "language": "en-US", "inputVariables": {"a": "b"}, "customConfig": {"x": 1}}}
    assert "customConfig" not in Talk(metadata=None).open["parameters"]
    both = Talk(track=Track.BOTH, encoding=Encoding.MULAW).open["parameters"]["media"]
    assert both == [{**PCMU, "channels": ["external", "internal"]}]
    named = Talk(stream=UUID, account=UUID).open
    assert (named["id"], named["parameters"]["organizationId"]) == (UUID, UUID)


def test_what_it_carries() -> None:
    assert HOOK.carried(Track.BOTH, Encoding.ALAW, 8000) == (Track.STEREO, Encoding.MULAW)
    with pytest.raises(SettingError, match="start the stream with 8000"):
        HOOK.carried(Track.INBOUND, Encoding.L16, 16000)
    with pytest.raises(SettingError, match="no track mixed"):
        HOOK.carried(Track.MIXED, Encoding.L16, 8000)
    HOOK.check_text("de-DE")
    with pytest.raises(RefusedError, match="en-US"):
        HOOK.check_text("German")


@pytest.mark.parametrize("media, encoding", [(PCMU, Encoding.MULAW), (L16, Encoding.L16)])
def test_the_server_chooses_the_media(media: dict[str, Any], encoding: Encoding) -> None:
    assert Talk().say("opened", media=[media]) == [AllowAudio(encoding, 0), CallLater("ping", 1.0)]


def test_none_of_the_media() -> None:
    talk = Talk()
    assert talk.say("opened", media=[]) == [DiscardAudio(), CallLater("ping", 1.0)]
    assert not any(isinstance(message, AllowAudio) for message in talk.say("resume"))


def test_audio_that_the_server_does_not_want() -> None:
    allow, told, _ = Talk().say("opened", media=[PCMU], discardTo="PT1.5S")
    assert allow == AllowAudio(Encoding.MULAW, 1500)
    assert replies([told])[0]["parameters"] == {"start": "PT0.000S", "discarded": "PT1.500S"}
    for duration in ("1.5", 5):
        with pytest.raises(MessageError, match="write it like PT1.5S"):
            Talk().say("opened", media=[PCMU], discardTo=duration)


def test_start_paused() -> None:
    talk = Talk()
    discard, paused, _ = talk.say("opened", media=[PCMU], startPaused=True)
    assert discard == DiscardAudio(Encoding.MULAW)
    assert replies([paused])[0]["type"] == "paused"


def test_pause_and_resume() -> None:
    talk = opened()
    talk.position = 1000
    discard, paused = talk.say("pause")
    assert discard == DiscardAudio()
    assert {name: replies([paused])[0][name] for name in ("type", "position", "serverseq")} == {
        "type": "paused", "position": "PT1.000S", "serverseq": 2}
    talk.position = 1400
    assert replies(talk.say("pause")), "asked again, it says so again"
    talk.position = 2500
    resumed, allow = talk.say("resume")
    assert allow == AllowAudio()
    assert replies([resumed])[0]["parameters"] == {"start": "PT1.000S", "discarded": "PT1.500S"}
    assert replies(talk.say("resume"))[0]["parameters"]["discarded"] == "PT0.000S"


def test_ping() -> None:
    talk = opened()
    ping, again = talk.session.later("ping")
    assert replies([ping])[0]["type"] == "ping" and again == CallLater("ping", 5.0)
    assert replies([ping])[0]["parameters"] == {}
    talk.elapsed += 34
    assert not talk.say("pong")
    talk.elapsed += 5000
    assert not talk.say("pong"), "another that nobody asked for"
    assert replies(talk.session.later("ping"))[0]["parameters"] == {"rtt": "PT0.034S"}, "of the ping before"
    late = talk.session.later("ping")
    assert [message["type"] for message in replies(late)] == ["error", "close"]
    assert replies(late)[0]["parameters"]["code"] == 408
    assert ReportError("timeout", "pong has not come within 5 s") in late
    assert not talk.session.later("ping")


def test_a_server_that_does_not_open() -> None:
    talk = Talk()
    late = talk.session.later("opening")
    assert [message["type"] for message in replies(late)] == ["error", "close"]
    assert talk.session.later("closed") == [HangUp()]
    assert not opened().session.later("opening")


def test_the_end_is_said_once_and_answered() -> None:
    talk = opened()
    (close,) = talk.session.closing("hangup")
    assert read(close)["parameters"] == {"reason": "end"}
    assert not talk.session.closing("hangup") and not talk.say("disconnect", reason="completed")[1:]
    closed = talk.say("closed", outputVariables={"a": "b"})
    assert isinstance(closed[0], TextReceived) and closed[1] == HangUp()


def test_the_server_disconnects() -> None:
    talk = opened()
    said, keep, close, later = talk.say("disconnect", reason="completed", outputVariables=None)
    assert (said, keep, later) == (ControlCall(CallAction.HANG_UP, "completed"), KeepAudio(), CallLater("closed", 5.0))
    assert replies([close])[0]["parameters"] == {"reason": "disconnect"}
    assert talk.say("closed") == [HangUp()]
    error = opened().say("disconnect", reason="unauthorized", info="who?")[0]
    assert error == ReportError("disconnect", "the server disconnects: 'unauthorized', 'who?'")


def test_it_goes_on_in_another_session() -> None:
    talk = opened(account=UUID)
    assert replies(talk.say("reconnect"))[0]["parameters"] == {"reason": "reconnect"}
    assert talk.say("closed") == [Reconnect()]
    again = talk.session.again()
    assert again is not None
    following = Talk(again)
    assert following.open["parameters"]["continuedSessions"] == [
        {"id": talk.open["id"], "serverseq": 3, "clientseq": 2}]
    assert following.open["id"] != talk.open["id"]
    headers = headers_for("ws://h/", connection=1, account=UUID)
    assert headers["Audiohook-Session-Id"] == following.open["id"]
    assert session("audiohook").again() is None, "a session that has said nothing is none"


def test_events() -> None:
    transcript = {"id": "1", "isFinal": True}
    assert opened().say("event", entities=[{"type": "barge_in", "data": {}}, {"type": "transcript", "data": transcript},
                                           {"type": "other", "data": 1}]) == [
        ClearAudio(), TranscriptionReceived(transcript), TextReceived('{"type":"other","data":1}')]


def test_what_the_server_is_told() -> None:
    talk = opened()
    assert read(*talk.session.digit("5", 100))["parameters"] == {"digit": "5"}
    assert not Talk().session.digit("5", 100), "not before the session is open"
    assert read(*talk.session.text("de-DE"))["parameters"] == {"language": "de-DE"}
    assert read(*talk.session.refused(MessageError("x", "why")))["parameters"] == {"code": 400, "message": "why"}
    assert read(*talk.session.overflowed(60_000))["parameters"]["retryAfter"] == "PT60.000S"
    assert talk.say("error", code=429, message="slow down") == [
        ReportError("service", "the server reports the error 429: 'slow down'")]


def test_numbers_that_do_not_follow_are_told_of() -> None:
    talk = opened()
    body = {"version": "2", "type": "pong", "seq": 9, "id": talk.open["id"], "parameters": {}}
    assert talk.session.receive(orjson.dumps(body)) == [ReportError("seq", "pong has the number 9: 2 is next")]


@pytest.mark.parametrize("change, words", [
    ({"type": "open"}, "takes opened, pong"), ({"type": None}, "takes opened"), ({"id": "x"}, "for the session 'x'"),
    ({"parameters": [1]}, "no object"), ({"parameters": {"media": [{}]}}, "not offered"),
    ({"parameters": {"media": [PCMU, PCMU]}}, "not offered"), ({"parameters": {}}, "not offered"),
    ({"type": "closed"}, "the session is opening"), ({"type": "event"}, "no list of objects")])
def test_what_the_platform_would_not_take(change: dict[str, Any], words: str) -> None:
    talk = Talk()
    body = {"version": "2", "type": "opened", "seq": 1, "id": talk.open["id"], "parameters": {}, **change}
    with pytest.raises(MessageError, match=words):
        talk.session.receive(orjson.dumps(body))
    with pytest.raises(MessageError, match="the session is open"):
        opened().say("opened", media=[PCMU])


def test_handshake() -> None:
    plain = headers_for("wss://example.com/a?b=c")
    assert plain == {"Audiohook-Organization-Id": "00000000-0000-0000-0000-000000000000",
                     "Audiohook-Session-Id": Talk().open["id"], "Audiohook-Correlation-Id": UUID, "X-API-KEY": "key"}
    secret = base64.b64encode(b"secret").decode()
    signed = headers_for("wss://example.com:443/a?b=c", secret)
    inputs = signed["Signature-Input"]
    names = re.findall('"([^"]+)"', inputs[:inputs.index(")")])
    values = {name.lower(): value for name, value in plain.items()}
    values.update({"@request-target": "/a?b=c", "@authority": "example.com"})
    base = "".join(f'"{name}": {values[name]}\n' for name in names) + '"@signature-params": ' + inputs[len("sig1="):]
    expected = base64.b64encode(hmac.digest(b"secret", base.encode(), hashlib.sha256)).decode()
    assert signed["Signature"] == f"sig1=:{expected}:" and len(names) == 6
    assert '"@authority"' in headers_for("ws://[::1]:81", secret)["Signature-Input"]
