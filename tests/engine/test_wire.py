"""What travels: the first word and the last, numbers without a gap, every message as specified."""

from __future__ import annotations

import base64
import threading

import numpy as np
import orjson
import pytest

from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.simulator import EmbeddedCall, Event
from freeswitch_audio_stream.testing.peers.raw_websocket import (BINARY, CLOSE, PING, PONG, TEXT, RawPeer, RawServer,
                                                                 frame)

from .harness import MODULE, PATIENCE, Platform, checkpoint, closed, find, noise, until

SPEECH = noise(80000)


def start(platform: Platform, server: RawServer, call: EmbeddedCall, prefix: str = "", **options: object) -> RawPeer:
    platform.start(call, prefix + server.url, **options)  # type: ignore[arg-type]
    return server.accept()


@pytest.mark.parametrize("prefix", ["", "{protocol=binary}"])
def test_start_is_the_first_thing_on_the_wire(platform: Platform, server: RawServer, prefix: str) -> None:
    """Be there audio from long ago and a hurried application: nothing comes before it."""
    call = platform.call(speech=SPEECH)

    def hurry(event: Event) -> None:
        if event.subclass == f"{MODULE}::connection_established":
            answers.append(platform.run(f'{call.uuid} s send_text {{"event":"hello"}}'))
    answers: list[str] = []
    platform.switch.event_system.listeners.append(hurry)
    platform.start(call, prefix + server.url)
    until(lambda: platform.status(call)["captureQueueMs"] > 500)
    call.dtmf("1")
    peer = server.accept()
    opcode, payload = peer.hear()
    platform.switch.event_system.listeners.remove(hurry)
    assert opcode == TEXT
    assert orjson.loads(payload) == {
        "event": "start", "sequence": 1, "uuid": call.uuid, "streamId": "s", "track": "inbound",
        "codec": "L16", "rate": 8000, "metadata": {}, **({"channels": 1} if prefix else {})}
    assert answers == ["+OK Success"]
    peer.hear_message("hello")
    peer.hear_until(lambda: peer.session.sample_count() > 4000)
    assert not peer.session.faults


def test_media_messages(platform: Platform, server: RawServer) -> None:
    call = platform.call(speech=SPEECH)
    peer = start(platform, server, call)
    peer.hear()
    for sequence in range(2, 50):
        message = orjson.loads(peer.hear()[1])
        assert list(message) == ["event", "sequence", "streamId", "audio"]
        assert (message["event"], message["sequence"], message["streamId"]) == ("media", sequence, "s")
        assert len(base64.b64decode(message["audio"], validate=True)) == 320


def test_media_messages_of_both_tracks(platform: Platform, server: RawServer) -> None:
    """One of each in turn, and each says whose it is."""
    call = platform.call(speech=SPEECH, app="echo")
    peer = start(platform, server, call, track="both")
    peer.hear()
    for sequence in range(2, 50):
        message = orjson.loads(peer.hear()[1])
        assert (message["sequence"], message["track"]) == (sequence, ["inbound", "outbound"][sequence % 2])


def test_binary_media(platform: Platform, server: RawServer) -> None:
    """Frames of nothing but samples, little-endian; with two tracks, one of each in turn."""
    call = platform.call(speech=SPEECH, app="echo")
    peer = start(platform, server, call, "{protocol=binary}", track="both")
    assert orjson.loads(peer.hear()[1])["channels"] == 2
    frames = [peer.hear() for _ in range(50)]
    assert {(opcode, len(payload)) for opcode, payload in frames} == {(BINARY, 640)}
    pairs = np.frombuffer(b"".join(payload for _, payload in frames), "<i2").reshape(-1, 2)
    begin = int(np.flatnonzero(pairs[:, 1])[0])
    for track in (pairs[:, 0], pairs[begin:, 1]):
        assert find(SPEECH, track) >= 0


def test_account_variables(platform: Platform, agent: Agent) -> None:
    account = {"stream_auth_id": "user", "stream_account_id": 'a "b" ü', "stream_subaccount_id": "7"}
    call = platform.call(variables=account)
    session = platform.connect(agent, call)
    assert {name: session.start[name] for name in account} == account
    call = platform.call(variables={"stream_account_id": "x", "stream_auth_id": ""})
    session = platform.connect(agent, call)
    assert session.start["stream_account_id"] == "x"
    assert not session.start.keys() & {"stream_auth_id", "stream_subaccount_id"}


@pytest.mark.parametrize("speaks", [False, True])
def test_numbers_have_no_gap_whatever_is_sent(platform: Platform, agent: Agent, speaks: bool) -> None:
    """Media, digits and the answers of checkpoints at once, from many threads."""
    call = platform.call(speech=SPEECH, app="echo", speed=5)
    session = platform.connect(agent, call, track="both")
    if speaks:
        session.send(play_message("s", SPEECH, 8000, "end"))

    def press() -> None:
        for digit in "0123456789*#ABCD":
            call.dtmf(digit)

    def talk() -> None:
        for number in range(50):
            platform.tell(call, f'send_text {{"event":"text","number":{number}}}')
            session.send(checkpoint(str(number)))
    threads = [threading.Thread(target=work) for work in (press, talk, press, talk)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.wait_for(lambda s: len(s.events("dtmf")) == 32 and len(s.events("text")) == 100, PATIENCE)
    platform.tell(call, "stop")
    closed(session)
    assert session.messages[-1]["event"] == "stop"
    assert not session.faults


def test_digits(platform: Platform, agent: Agent) -> None:
    call, other = platform.call(), platform.call()
    sessions = [platform.connect(agent, call), platform.connect(agent, call, stream_id="second")]
    bystander = platform.connect(agent, other)
    for digit, duration in (("5", 100), ("*", 250), ("#", 60), ("D", 2000)):
        assert call.dtmf(digit, duration)
    for session in sessions:
        session.wait_for(lambda session: len(session.events("dtmf")) == 4, PATIENCE)
        for message in session.events("dtmf"):
            assert message.keys() == {"event", "sequence", "streamId", "digit", "duration"}
            assert message["streamId"] == session.stream_id
        digits = [(message["digit"], message["duration"]) for message in session.events("dtmf")]
        assert digits == [("5", 100), ("*", 250), ("#", 60), ("D", 2000)]
    assert call.dtmf_received == "5*#D"
    platform.tell(other, "stop")
    closed(bystander)
    assert bystander.events("dtmf") == []


def test_digits_that_are_a_secret(platform: Platform, agent: Agent) -> None:
    call = platform.call(variables={"sensitive_dtmf": "true"})
    session = platform.connect(agent, call)
    assert call.dtmf("1")
    other = platform.call()
    other_session = platform.connect(agent, other)
    assert other.dtmf("7")
    other_session.wait_for(lambda session: session.events("dtmf"), PATIENCE)  # by then the 1 is dealt with
    call.variables["sensitive_dtmf"] = "false"
    assert call.dtmf("2")
    session.wait_for(lambda session: session.events("dtmf"), PATIENCE)
    assert [message["digit"] for message in session.events("dtmf")] == ["2"]


@pytest.mark.parametrize("words, reason", [
    ("stop", "normal_termination"), ("stop User requested", "User requested"), ('stop "a b"', "a b"),
    ("stop 'it''s'", "'it''s'"), ("graceful-shutdown", "graceful_shutdown"),
    ("graceful-shutdown Session complete", "Session complete")])
def test_stop_is_the_last_message(platform: Platform, server: RawServer, words: str, reason: str) -> None:
    call = platform.call(speech=SPEECH)
    peer = start(platform, server, call)
    peer.hear_until(lambda: peer.session.sample_count() > 1600)
    platform.tell(call, words)
    assert peer.hear_close() == 1000
    stop = peer.session.messages[-1]
    assert list(stop) == ["event", "sequence", "streamId", "reason"]
    assert (stop["event"], stop["streamId"], stop["reason"]) == ("stop", "s", reason)
    peer.send(frame(CLOSE, peer.close_payload or b""))
    peer.hear_end()
    assert not peer.session.faults
    closed_event = platform.event("connection_closed", call)
    assert (closed_event["code"], closed_event["willReconnect"]) == (1000, False)


def test_the_stop_of_a_hangup(platform: Platform, agent: Agent) -> None:
    call = platform.call(speech=SPEECH)
    session = platform.connect(agent, call)
    call.hangup()
    closed(session)
    assert session.events("stop")[0]["reason"] == "hangup"
    assert session.close_code == 1000


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 125])
def test_a_ping_is_answered(platform: Platform, server: RawServer, payload: bytes) -> None:
    call = platform.call(speech=SPEECH)
    peer = start(platform, server, call)
    peer.send(frame(PING, payload))
    answers: list[bytes] = []
    while not answers:
        opcode, data = peer.hear()
        if opcode == PONG:
            answers.append(data)
    assert answers == [payload]


@pytest.mark.slow
def test_we_ping(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    peer = start(platform, server, call, "{ping-secs=1}")
    while peer.hear()[0] != PING:
        pass
    peer.send(frame(PONG))
    while peer.hear()[0] != PING:
        pass
    assert platform.status(call)["state"] == "streaming"


def test_what_comes_with_the_answer_to_the_handshake(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback")
    platform.start(call, server.url)
    message = frame(TEXT, orjson.dumps(checkpoint("early")))
    peer = server.accept(after=message + frame(PING, b"early")[:3])
    peer.send(frame(PING, b"early")[3:])
    assert peer.hear_message("checkpoint")["name"] == "early"


def test_fragments_and_control_frames_between_them(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback")
    peer = start(platform, server, call)
    text = orjson.dumps(checkpoint("in parts"))
    for index, octet in enumerate(text):
        peer.send(frame(TEXT if index == 0 else 0, bytes([octet]), final=index == len(text) - 1))
        peer.send(frame(PING, b"%d" % index))
    pongs = []
    while not peer.session.events("checkpoint"):
        opcode, data = peer.hear()
        if opcode == PONG:
            pongs.append(data)
    assert pongs == [b"%d" % index for index in range(len(pongs))]
    assert peer.session.events("checkpoint")[0]["name"] == "in parts"


def test_a_message_in_single_bytes(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback")
    peer = start(platform, server, call)
    for octet in frame(TEXT, orjson.dumps(checkpoint("slow"))):
        peer.send(bytes([octet]))
    assert peer.hear_message("checkpoint")["name"] == "slow"


def test_messages_that_come_all_at_once(platform: Platform, server: RawServer) -> None:
    call = platform.call(app="playback")
    peer = start(platform, server, call)
    peer.send(b"".join(frame(TEXT, orjson.dumps(checkpoint(str(number)))) for number in range(900)))
    peer.hear_until(lambda: len(peer.session.events("checkpoint")) == 900)
    assert [message["name"] for message in peer.session.events("checkpoint")] == [str(n) for n in range(900)]


def test_the_handshake(platform: Platform, server: RawServer) -> None:
    """Subprotocol and credentials are offered as they are set."""
    call = platform.call()
    prefix = "{subprotocol-name=my.audio,http-auth-user=me,http-auth-password='a,b'}"
    platform.start(call, prefix + server.url + "path?query")
    from freeswitch_audio_stream.testing.peers.listener import accept_websocket
    request = accept_websocket(server.accept_silently(), "Sec-WebSocket-Protocol: my.audio")
    assert request[0] == "GET /path?query HTTP/1.1"
    assert "Sec-WebSocket-Protocol: my.audio" in request
    assert f"Authorization: Basic {base64.b64encode(b'me:a,b').decode()}" in request
    assert platform.event("connection_established", call)["subprotocol"] == "my.audio"
