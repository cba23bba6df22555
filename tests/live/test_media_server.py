"""The media server in a real FreeSWITCH: clients on a call and in a conference, and calls that it makes."""

from __future__ import annotations

import json
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
import soxr
import websocket
from numpy.typing import NDArray

from freeswitch_audio_stream.services.agent.wav import read_wav, write_wav
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch, find_prefix
from freeswitch_audio_stream.testing.peers.raw_websocket import RawServer, frame

from .conftest import DATA, EVENTS, Pair, call, likeness, wait_until

pytest.importorskip("fastapi")

Samples = NDArray[np.int16]
TOKEN = "a-token-for-the-live-tests"
NUMBER = "+15559876543"
SETTINGS = (f'<param name="media-server-address" value="127.0.0.1"/><param name="media-server-port" value="0"/>'
            f'<param name="media-server-tokens" value="{TOKEN}"/>'
            f'<param name="media-server-dial-string" value="loopback/{{destination}}/default"/>')
ECHO = ('<extension name="callee"><condition field="destination_number" expression="^\\+?1555\\d+$">'
        '<action application="answer"/><action application="echo"/></condition></extension>')


@pytest.fixture(scope="module")
def media_switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    prefix = find_prefix()
    assert prefix is not None
    with FreeSwitch(prefix, tmp_path_factory.mktemp("media"), ECHO) as instance:
        (instance.folder / "conf/autoload_configs/audio_stream.conf.xml").write_text(
            f'<configuration name="audio_stream.conf"><settings>{SETTINGS}</settings></configuration>')
        instance.use_this_package()
        events = instance.start()
        instance.wait_for_module(events)
        wait_until(lambda: "the media server listens on" in instance.log)
        yield instance
        assert not instance.has_crashed(), instance.log[-3000:]
        assert TOKEN not in instance.log
        assert events.api("unload mod_audio_stream") == "+OK"
        events.close()
        assert instance.stop() == 0


@pytest.fixture
def media_events(media_switch: FreeSwitch) -> Iterator[EventSocket]:
    connection = EventSocket(media_switch.ports.event_socket, "ClueCon")
    connection.subscribe(f"{EVENTS} mod_audio_stream::media_client_attached mod_audio_stream::media_client_detached")
    yield connection
    connection.end_calls()
    wait_until(lambda: connection.api("uuid_audio_stream list") == "[]")
    assert not any(TOKEN in str(event) for event in connection.events)
    connection.close()


def address(instance: FreeSwitch) -> str:
    return instance.log.partition("the media server listens on http://")[2].split()[0]


class Client:
    """Attached, with bare samples; keeps what it hears."""

    def __init__(self, instance: FreeSwitch, path: str, token: str = TOKEN) -> None:
        self._socket = websocket.create_connection(
            f"ws://{address(instance)}{path}/media_stream?encapsulation=sln&token={token}", timeout=60)
        self._data = bytearray()
        self.close_code = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self.close_code:
            opcode, data = self._socket.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_BINARY:
                self._data += data
            elif opcode == websocket.ABNF.OPCODE_CLOSE:
                self.close_code = int.from_bytes(data[:2], "big")

    @property
    def heard(self) -> Samples:
        return np.frombuffer(bytes(self._data[:len(self._data) // 2 * 2]), "<i2").astype(np.int16)

    def hear(self, seconds: float) -> None:
        """Wait until so much more has come."""
        wanted = len(self._data) + int(16000 * seconds)
        wait_until(lambda: len(self._data) >= wanted, 60)

    def say(self, samples: Samples) -> None:
        self._socket.send_binary(samples.astype("<i2").tobytes())

    def leave(self) -> None:
        self._socket.send_close()
        self._thread.join(30)


@contextmanager
def recorded(events: EventSocket, uuid: str, file: Path) -> Iterator[None]:
    """What a caller hears."""
    events.api(f"uuid_record {uuid} start {file}")
    yield
    events.api(f"uuid_record {uuid} stop {file}")


def second_speech() -> Samples:
    resampled: Samples = soxr.resample(read_wav(DATA / "agent_16k.wav")[0], 16000, 8000, quality="VHQ")
    return resampled


def test_two_clients_on_one_call(media_switch: FreeSwitch, media_events: EventSocket, tmp_path: Path,
                                 caller_speech: Samples) -> None:
    pair = call(media_switch, media_events, "park", "L16", DATA / "caller_8k.wav")
    token = media_events.api(f"uuid_audio_stream {pair.leg} token 60").removeprefix("+OK ")
    clients = [Client(media_switch, f"/v1.0/calls/{pair.leg}", TOKEN)]
    media_events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::media_client_attached")
    clients.append(Client(media_switch, f"/v1.0/calls/{pair.leg}", token))  # told behind the first, which counts itself
    first, second = caller_speech[8000:32000], second_speech()[:24000]
    with recorded(media_events, pair.caller, tmp_path / "heard.wav"):
        clients[0].say(first)
        clients[1].hear(4)
        clients[1].say(second)
        clients[0].hear(5)
    heard = read_wav(tmp_path / "heard.wav")[0]
    assert likeness(heard, first, 8000) > 0.97 and likeness(heard, second, 8000) > 0.97
    for client in clients:
        assert likeness(client.heard[:40000], caller_speech[:48000], 8000) > 0.97
    attached = [json.loads(event["_body"]) for event in media_events.events
                if event.get("Event-Subclass") == "mod_audio_stream::media_client_attached"]
    assert [body["clients"] for body in attached] == [1, 2]
    clients[0].leave()
    media_events.api(f"uuid_kill {pair.caller}")
    wait_until(lambda: clients[1].close_code == 1000)


def conference_of_three(instance: FreeSwitch, events: EventSocket, folder: Path) -> list[Pair]:
    """Of whom the first speaks."""
    silence = folder / "silence.wav"
    write_wav(silence, np.zeros(8000 * 60, np.int16), 8000)
    people = [call(instance, events, "conference", "PCMU", speech)
              for speech in (DATA / "caller_8k.wav", silence, silence)]
    wait_until(lambda: events.api("conference room get count") == "3")
    return people


def test_a_client_in_a_conference_of_three(media_switch: FreeSwitch, media_events: EventSocket, tmp_path: Path,
                                           caller_speech: Samples) -> None:
    people = conference_of_three(media_switch, media_events, tmp_path)
    client = Client(media_switch, "/v1.0/conferences/room")
    assert media_events.api("conference room get count") == "3", "it does not count as a person"
    client.hear(6)
    assert likeness(client.heard, caller_speech[16000:56000], 8000) > 0.6
    members = [row for row in media_events.api("conference room list").splitlines() if "ghost" not in row]
    for row in members:
        media_events.api(f"conference room mute {row.split(';')[0]}")
    said = second_speech()
    with recorded(media_events, people[1].caller, tmp_path / "one.wav"), \
            recorded(media_events, people[2].caller, tmp_path / "two.wav"):
        client.say(said)
        client.hear(len(said) / 8000 + 1.5)
    for name in ("one.wav", "two.wav"):
        assert likeness(read_wav(tmp_path / name)[0], said, 8000) > 0.8
    client.leave()
    wait_until(lambda: "ghost" not in media_events.api("conference room list"))
    assert client.close_code == 1000


def test_the_conference_ends_under_its_clients(media_switch: FreeSwitch, media_events: EventSocket,
                                               tmp_path: Path) -> None:
    people = conference_of_three(media_switch, media_events, tmp_path)
    client = Client(media_switch, "/v1.0/conferences/room")
    client.hear(0.5)
    for person in people:
        media_events.api(f"uuid_kill {person.caller}")
    wait_until(lambda: client.close_code == 1000)
    wait_until(lambda: media_events.api("show channels count").startswith("0 "))
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        Client(media_switch, "/v1.0/conferences/room")


def test_a_call_that_is_made_hears_its_server(media_switch: FreeSwitch, media_events: EventSocket,
                                              caller_speech: Samples) -> None:
    """The callee sends back what it hears, and a client that attaches to the call hears that."""
    with RawServer() as server:
        body = {"source": {"type": "tel", "target": "+15551234567"},
                "destinations": [{"type": "tel", "target": NUMBER}],
                "actions": [{"type": "answer"}, {"type": "external_media_start", "option": {
                    "url": server.url, "encapsulation": "sln"}}]}
        request = urllib.request.Request(f"http://{address(media_switch)}/v1.0/calls?token={TOKEN}",
                                         json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            assert response.status == 201
            uuid = json.load(response)["id"]
        peer = server.accept()
        client = Client(media_switch, f"/v1.0/calls/{uuid}")
        peer.send(frame(2, caller_speech[:40000].astype("<i2").tobytes()))
        client.hear(6)
        assert likeness(client.heard, caller_speech[:40000], 8000) > 0.95
        media_events.api(f"uuid_kill {uuid}")
        wait_until(lambda: client.close_code == 1000)
