"""Clients on a call: they hear it, it hears them, and each comes and goes on its own."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import numpy as np
import orjson
import pytest
import websocket

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.engine.stream import attaching
from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.engine.harness import PATIENCE, audible, find, noise, until

from .harness import HANDSHAKE, TOKEN, Client, Site


def wait_until_heard(call: EmbeddedCall, part: Samples) -> int:
    """Wait until the caller has heard `part`; where it begins."""
    until(lambda: find(call.heard(), part) >= 0)
    return find(call.heard(), part)


def test_a_client_hears_the_call_and_is_heard(site: Site) -> None:
    speech, answer = noise(16000, 1), noise(8000, 2)
    call = site.call()
    client = site.connect(call)
    call.say(speech)
    client.hear(speech)
    client.send(answer)
    wait_until_heard(call, answer)
    client.close()
    stopped = site.event("stream_stopped", call, "media-1")
    assert stopped["reason"] == "client_closed"
    assert stopped["statistics"]["msPlayed"] == 1000


def test_what_events_tell_of_a_client(site: Site) -> None:
    call = site.call()
    client = site.connect(call, token=site.token(call))
    host, port = client.socket.sock.getsockname()
    attached = site.event("media_client_attached", call, "media-1")
    assert attached.pop("timestamp")
    assert attached == {"streamId": "media-1", "peer": f"{host}:{port}", "encapsulation": "sln", "clients": 1,
                        "totalClients": 1}
    other = site.connect(site.call())
    client.close()
    detached = site.event("media_client_detached", call, "media-1")
    assert detached.pop("timestamp")
    assert detached == {"streamId": "media-1", "peer": f"{host}:{port}", "code": 1000, "clients": 0, "totalClients": 1,
                        "reason": "the client closed the connection with code 1000"}
    site.event("stream_stopped", call, "media-1")
    assert site.names(call, "media-1") == [
        "connection_established", "stream_started", "media_client_attached", "connection_closed",
        "media_client_detached", "stream_stopped"]
    other.close()


def test_status_shows_a_client_without_its_token(site: Site) -> None:
    call = site.call()
    site.connect(call)
    status = site.status(call, "media-1")
    assert status["serverUrl"] == f"/v1.0/calls/{call.uuid}/media_stream"
    assert status["state"] == "streaming" and status["protocol"] == "sln"
    assert TOKEN not in site.run("list")


def test_two_clients_have_each_its_own_stream(site: Site) -> None:
    speech = noise(16000, 3)
    call = site.call()
    one, other = site.connect(call), site.connect(call)
    call.say(speech)
    one.hear(speech)
    other.hear(speech)
    assert [row["streamId"] for row in orjson.loads(site.run("list"))] == ["media-1", "media-2"]
    one.close()
    site.event("stream_stopped", call, "media-1")
    more = noise(8000, 4)
    call.say(more)
    other.hear(more)
    again = site.connect(call)
    assert site.status(call, "media-1")["state"] == "streaming", "the number is free again"
    again.close()


def mixed(long: Samples, short: Samples, at: int) -> Samples:
    """`long` with `short` added from `at` on, clipped."""
    total = long.astype(np.int32)
    total[at:at + len(short)] += short
    clipped: Samples = np.clip(total, -32768, 32767).astype(np.int16)
    return clipped


@pytest.mark.slow
def test_what_two_clients_say_is_mixed_with_saturation(site: Site) -> None:
    """To the sample: nothing of either is lost, moved or replaced by the other's."""
    long, short = noise(24000, 5, limit=30000), noise(4000, 6, limit=30000)
    call = site.call()
    one, other = site.connect(call), site.connect(call)
    one.send(long)
    wait_until_heard(call, long[:160])
    other.send(short)
    for stream_id in ("media-1", "media-2"):
        until(lambda: site.status(call, stream_id)["msPlayed"] > 0)
        until(lambda: site.status(call, stream_id)["playbackQueueMs"] == 0)
    heard = call.heard()
    begin = find(heard, long[:160])
    track = heard[begin:begin + len(long)]
    first = int(np.flatnonzero(track != long)[0])
    assert np.array_equal(track, mixed(long, short, first))
    assert (np.abs(track.astype(int)) >= 32767).any(), "some samples were clipped"
    assert len(audible(heard)) >= len(long) - np.count_nonzero(mixed(long, short, first) == 0)


def test_the_client_goes_with_the_call(site: Site) -> None:
    call = site.call()
    client = site.connect(call)
    call.hangup()
    assert client.close_code() == 1000
    assert site.event("stream_stopped", call, "media-1")["reason"] == "hangup"


def test_a_client_can_be_stopped_by_command(site: Site) -> None:
    call = site.call()
    client = site.connect(call)
    site.tell(call, "stop", "media-1")
    assert client.close_code() == 1000


def test_a_client_that_vanishes(site: Site) -> None:
    call = site.call()
    client = site.connect(call)
    client.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.socket.sock.close()
    assert site.event("media_client_detached", call, "media-1")["code"] == 1006
    assert site.event("stream_stopped", call, "media-1")["reason"] == "error"


def test_a_client_that_closes_gets_the_end_at_once(site: Site) -> None:
    """It is the server's part to end the TCP connection; a client that waits for that must not wait for long."""
    call = site.call()
    client = site.connect(call)
    client.socket.send_close(1000)
    assert client.close_code() == 1000
    client.socket.sock.settimeout(0.9)  # less than a stream waits for a peer that does not answer a close
    with suppress(ConnectionResetError):  # the client has answered our close with one more, and nobody reads that
        assert client.socket.sock.recv(1) == b""


def test_audio_that_comes_with_the_handshake_is_not_lost(site: Site) -> None:
    """No client may, but some do: frames right behind the request, before they were answered."""
    call = site.call()
    part = noise(800, 8)
    request = "".join(f"{name}: {value}\r\n" for name, value in {**HANDSHAKE, "Host": "x"}.items())
    frame = websocket.ABNF.create_frame(part.astype("<i2").tobytes(), websocket.ABNF.OPCODE_BINARY).format()
    host, _, port = site.server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
        sock.sendall(f"GET /v1.0/calls/{call.uuid}/media_stream?encapsulation=sln&token={TOKEN} HTTP/1.1\r\n"
                     f"{request}\r\n".encode())
        sock.sendall(frame)
        site.clients += 1
        site.event("media_client_attached", call, "media-1")
        until(lambda: find(call.heard(), part) >= 0)


@pytest.mark.parametrize("encapsulation", ["rtp", "audiosocket"])
def test_the_other_encapsulations(site: Site, encapsulation: str) -> None:
    call = site.call(speech=noise(80000, 9))
    client = site.connect(call, encapsulation)
    message = client.socket.recv()
    assert len(message) == {"rtp": 12 + 160, "audiosocket": 320}[encapsulation]
    assert site.event("media_client_attached", call, "media-1")["encapsulation"] == encapsulation


@pytest.mark.slow
def test_a_token_is_needed_no_longer_than_for_the_handshake(site: Site) -> None:
    call = site.call()
    token = site.token(call, 2)
    client = site.connect(call, token=token)
    until(lambda: site.server.tokens.check(token) is None)
    part = noise(8000, 10)
    call.say(part)
    client.hear(part)


def test_a_call_that_is_between_two_states(site: Site) -> None:
    """After a bridge or a transfer: the handshake is answered, and the client attached as soon as there is media."""
    speech = noise(8000, 5)
    call = site.call()
    call.bypass()
    call.move()
    clients: list[Client] = []
    connecting = threading.Thread(target=lambda: clients.append(site.connect(call)))
    connecting.start()
    until(lambda: '"waiting"' in site.run("list"))
    call.bypass(False)
    until(lambda: '"waiting"' not in site.run("list"))
    call.say(speech)
    call.move(False)
    connecting.join()
    clients[0].hear(speech)


def test_a_call_that_is_not_answered_in_a_transfer(site: Site) -> None:
    """No early media is asked for; where there is none in the end, the client is let go."""
    call = site.call(answered=False)
    call.move()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attaching, "MEDIA_SECONDS", 0.1)
        path = f"/v1.0/calls/{call.uuid}/media_stream?encapsulation=sln&token={TOKEN}"
        with suppress(OSError, websocket.WebSocketException):
            client = websocket.create_connection(f"ws://{site.server.address}{path}", timeout=PATIENCE)
            client.recv()
    stopped = site.event("stream_stopped", call, "media-1")
    assert stopped["reason"] == "error" and "no media within" in stopped["detail"]
    assert not call.session.early_media
    site.started[call.uuid, "media-1"] += 1
