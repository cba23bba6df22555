"""The five events, as the community module's users parse them, and digits."""

from __future__ import annotations

import socket
import threading
from typing import Any

import numpy as np
import orjson
import pytest

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.realtime.media.dtmf_inband import FREQUENCIES, KEYS
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.peers.listener import Listener, read_head
from freeswitch_audio_stream.testing.peers.recording_server import Server, stream_audio

from ..harness import PATIENCE, find, noise, until
from .user import FIVE, User

# connect and disconnect.


def test_connect_comes_once_and_first(user: User, server: Server) -> None:
    call = user.call()
    peer = user.connect(server, call)
    peer.send("{}")
    user.event("json", call)
    user.tell(call, "stop")
    user.ended(call)
    assert user.names(call) == ["connect", "json", "disconnect"]
    assert user.bodies("connect", call) == ['{"status":"connected"}']


@pytest.mark.parametrize("end", ["stop", "stop with words", "hangup", "graceful-shutdown"])
def test_disconnect_comes_however_it_ends(user: User, server: Server, end: str) -> None:
    call = user.call()
    peer = user.connect(server, call)
    if end == "hangup":
        call.hangup()
    else:
        user.tell(call, end)
    assert peer.closed() == 1000
    body = user.event("disconnect", call)
    assert body["status"] == "disconnected" and body["message"]["code"] == 1000
    assert isinstance(body["message"]["reason"], str)
    user.ended(call)
    assert user.names(call) == ["connect", "disconnect"]


@pytest.mark.parametrize("code, reason", [(1000, "enough"), (1008, "not you"), (4321, "ü 😀")])
def test_disconnect_tells_what_the_server_said(user: User, server: Server, code: int, reason: str) -> None:
    call = user.call(STREAM_NO_RECONNECT="true")
    user.connect(server, call).close(code, reason)
    assert user.event("disconnect", call) == {"status": "disconnected", "message": {"code": code, "reason": reason}}


def test_a_stop_before_the_connection_is_made_is_silent(user: User) -> None:
    call = user.call()
    waiting = threading.Event()
    with Listener(lambda connection: (read_head(connection), waiting.wait(PATIENCE))[0] and None) as listener:
        user.start(call, f"ws://{listener.place}/")
        user.tell(call, "stop")
        user.ended(call)
        waiting.set()
    assert user.names(call) == []


def test_no_word_of_the_other_dialect(user: User, server: Server) -> None:
    call = user.call(STREAM_PLAYBACK="true", MOD_AUDIO_STREAM_HEARTBEAT_SECS="1")
    peer = user.connect(server, call)
    peer.send({"event": "media.play", "payload": {}})
    peer.send({"event": "transcription.send"})
    until(lambda: len(user.bodies("json", call)) == 2)
    user.tell(call, "stop")
    user.ended(call)
    assert set(user.names(call)) <= {*FIVE, "heartbeat"}


# error.

def failure(user: User, url: str, **variables: str) -> tuple[int, str]:
    """Code and text of the error event that a start at `url` ends in; there is no other event."""
    call = user.call(**variables)
    user.start(call, url)
    body = user.event("error", call)
    user.ended(call)
    assert body["status"] == "error" and body.keys() == {"status", "message"}
    assert body["message"].keys() == {"code", "error"}
    assert user.names(call) == ["error"]
    return body["message"]["code"], body["message"]["error"]


def test_nobody_listens(user: User) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, text = failure(user, f"ws://127.0.0.1:{port}/")
    assert code == 6 and f"127.0.0.1:{port}" in text and "refuse" in text


def test_a_host_that_has_no_address(user: User) -> None:
    code, text = failure(user, "ws://no-such-host.invalid:81/")
    assert code == 6 and "no-such-host.invalid" in text


def test_errors_that_are_held_back_are_counted(user: User, server: Server) -> None:
    """One event a second; the last one says how many more there were."""
    call = user.call(STREAM_PLAYBACK="true")
    peer = user.connect(server, call)
    for _ in range(50):
        peer.send(stream_audio("wav", b"no sound"))
    until(lambda: user.status(call)["errors"] == 50)
    user.tell(call, "stop")
    user.ended(call)
    texts = [body["message"]["error"] for body in user.told("error", call)]
    counts = [int(text.partition("(")[2].partition(" of")[0] or 1) for text in texts]
    assert sum(counts) == 50 and len(texts) < 20


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "301 Moved Permanently",
                                    "503 Unavailable"])
def test_a_server_that_refuses_the_handshake(user: User, status: str) -> None:
    def refuse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    with Listener(refuse) as listener:
        code, text = failure(user, f"ws://{listener.place}/")
        assert code == 6 and listener.place in text and status[:3] in text


def test_a_server_that_speaks_something_else(user: User) -> None:
    with Listener(lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n")) as listener:
        code, text = failure(user, f"ws://{listener.place}/")
        assert code == 6 and listener.place in text


@pytest.mark.slow
def test_a_server_that_never_answers(user: User) -> None:
    ended = threading.Event()
    with Listener(lambda connection: ended.wait(PATIENCE) and None) as listener:
        code, text = failure(user, f"ws://{listener.place}/", MOD_AUDIO_STREAM_CONNECT_TIMEOUT="1")
        ended.set()
        assert code == 10 and listener.place in text and "1 s" in text


def test_a_server_that_hangs_up_in_the_handshake(user: User) -> None:
    with Listener(lambda connection: read_head(connection) and None) as listener:
        code, text = failure(user, f"ws://{listener.place}/")
        assert code == 6 and listener.place in text and "handshake" in text


def test_a_server_without_tls(user: User) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    with Listener(answer) as listener:
        code, text = failure(user, f"wss://{listener.place}/")
        assert code == 8 and "does not speak TLS" in text and "ws://" in text


def test_after_an_error_a_new_start_works(user: User, server: Server) -> None:
    call = user.call()
    user.start(call, "ws://127.0.0.1:9/")
    user.event("error", call)
    user.ended(call)
    user.connect(server, call, "mono 8k hello")


# Digits.

def press(call: EmbeddedCall, digits: str) -> None:
    for number, digit in enumerate(digits):
        assert call.dtmf(digit, 100 + 10 * number)


def test_digits_are_events_and_no_messages(user: User, server: Server) -> None:
    call = user.call()
    peer = user.connect(server, call)
    press(call, "159D*#")
    until(lambda: len(user.bodies("dtmf", call)) == 6)
    assert [(body["digit"], body["duration"]) for body in user.told("dtmf", call)] == \
        list(zip("159D*#", range(100, 160, 10)))
    user.tell(call, "stop")
    assert peer.closed() == 1000 and peer.texts == []


def test_digits_are_messages_where_that_is_wanted(user: User, server: Server) -> None:
    call = user.call(STREAM_DTMF="true")
    peer = user.connect(server, call, "mono 8k hello")
    press(call, "12")
    peer.wait_for(lambda peer: len(peer.texts) == 3)
    assert peer.texts == ["hello", '{"event":"dtmf","digit":"1","duration":100}',
                          '{"event":"dtmf","digit":"2","duration":110}']
    assert len(user.bodies("dtmf", call)) == 2


def test_a_pin_stays_in_the_switch(user: User, server: Server) -> None:
    call, other = user.call(STREAM_DTMF="true", variables={"sensitive_dtmf": "true"}), user.call()
    peer = user.connect(server, call)
    user.connect(server, other)
    press(call, "1234")
    press(other, "9")
    user.event("dtmf", other)  # and so all before it have been seen
    user.tell(call, "stop bye")
    assert peer.closed() == 1000 and peer.texts == ["bye"]
    assert user.bodies("dtmf", call) == []


def test_digits_while_paused(user: User, server: Server) -> None:
    call = user.call(STREAM_DTMF="true")
    peer = user.connect(server, call)
    user.tell(call, "pause")
    press(call, "7")
    peer.wait_for(lambda peer: peer.texts)
    assert orjson.loads(peer.texts[0])["digit"] == "7"


# Twenty at once: nobody gets what is another's.

@pytest.mark.slow
def test_many_calls_keep_their_events_apart(user: User, server: Server) -> None:
    calls = [user.call(speech=noise(8000, seed)) for seed in range(20)]
    for call in calls:
        user.start(call, server.url, f"mono 8k {call.uuid}")
    server.wait_for_peer(20)
    for peer in server.peers:
        peer.wait_for(lambda peer: peer.texts)
        answer: dict[str, Any] = {"for": peer.texts[0]}
        peer.send(answer)
    for call in calls:
        assert user.event("json", call) == {"for": call.uuid}


# Tones in the audio.

def tones(keys: str, ms: int = 80) -> Samples:
    """Keys with pauses between them, at 8 kHz."""
    time, parts = np.arange(8 * ms) / 8000, []
    for key in keys:
        row, column = divmod(KEYS.index(key), 4)
        both = np.sin(2 * np.pi * FREQUENCIES[row] * time) + np.sin(2 * np.pi * FREQUENCIES[4 + column] * time)
        parts += [np.rint(8000 * both).astype(np.int16), np.zeros(8 * ms, np.int16)]
    return np.concatenate(parts)


def test_tones_are_digits_where_they_are_looked_for(user: User, server: Server) -> None:
    """By two streams of the call, and FreeSWITCH tells of one of the keys itself: each is told once."""
    call = user.call(STREAM_DTMF="true", STREAM_DTMF_INBAND="true")
    peer = user.connect(server, call)
    user.platform.start(call, "{dtmf-inband=true}" + server.url, "other")
    user.platform.event("stream_started", call, "other")
    call.say(tones("1"))
    peer.wait_for(lambda peer: peer.texts)
    call.dtmf("1")
    call.say(tones("23AB*#"))
    peer.wait_for(lambda peer: len(peer.texts) >= 7)
    told = [body for body in user.told("dtmf", call) if body["streamId"] == "mod_audio_stream"]
    assert "".join(orjson.loads(text)["digit"] for text in peer.texts) == "123AB*#"
    assert "".join(body["digit"] for body in told) == "123AB*#"


def test_tones_are_audio_where_they_are_not(user: User, server: Server) -> None:
    call = user.call(STREAM_DTMF="true")
    peer = user.connect(server, call)
    call.say(tones("123"))
    peer.wait_for(lambda peer: find(peer.audio(), tones("123")) >= 0)
    assert peer.texts == [] and user.bodies("dtmf", call) == []
