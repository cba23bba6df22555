"""What the tests of the media server stand on: a switch with the module and its server, and clients for it.

The clients are websocket-client and http.client, which share no code with the server.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Mapping
from xml.sax.saxutils import quoteattr

import numpy as np
import orjson
import websocket

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.http_api.server import MediaServer
from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.engine.harness import L16, MODULE, PATIENCE, Platform, find, noise, until

TOKEN = "a-static-token-for-everything"
HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


def configuration(**values: object) -> str:
    """The text of ``audio_stream.conf.xml`` that switches the server on."""
    values = {"address": "127.0.0.1", "port": 0, "tokens": TOKEN, **values}
    params = "".join(f'<param name="media-server-{name.replace("_", "-")}" value={quoteattr(str(value))}/>'
                     for name, value in values.items())
    return f'<configuration name="audio_stream.conf"><settings>{params}</settings></configuration>'


@dataclass(frozen=True)
class Answer:
    """What a request is answered with."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def detail(self) -> str:
        """The sentence of a refusal."""
        text: str = orjson.loads(self.body)["detail"]
        return text


class Site(Platform):
    """A switch with the module, and the media server on it."""

    def __init__(self, **settings: object) -> None:
        super().__init__(xml=configuration(**settings))
        self.clients = 0
        """How many have been attached since all was settled."""
        self._open: list[Client] = []
        self.conferences: dict[str, int] = {}
        """By name: how many people are in each."""
        self.mix = noise(40000, 11)
        """What everybody in a conference says."""
        self.dialled: list[tuple[dict[str, str], str]] = []
        """What the switch was asked to dial: channel variables and dial string."""
        self.phone: Callable[[EmbeddedCall], str] = lambda call: "+OK"
        """What a phone that is called says in the end, after any time."""
        self.switch.commands.of_the_switch.update(
            conference=self._conference, originate=self._originate, uuid_getvar=lambda words: words.split()[0])

    @property
    def server(self) -> MediaServer:
        assert self.module.media_server is not None, [line.text for line in self.switch.log_lines]
        return self.module.media_server

    # Requests.

    def request(self, path: str, method: str = "GET", body: bytes | None = None, upgrade: bool = True,
                source: str = "127.0.0.1", **headers: str) -> Answer:
        """Ask for `path`, as the first part of a WebSocket handshake unless `upgrade` is False."""
        connection = http.client.HTTPConnection(self.server.address, timeout=PATIENCE, source_address=(source, 0))
        try:
            connection.request(method, path, body, {**(HANDSHAKE if upgrade else {}), **headers})
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()},
                          response.read())
        finally:
            connection.close()

    def connect(self, call: EmbeddedCall | str, encapsulation: str = "sln",  # type: ignore[override]
                token: str = TOKEN, **options: Any) -> Client:
        """A client that is attached to a call, or to what the path names."""
        path = call if isinstance(call, str) else f"/v1.0/calls/{call.uuid}/media_stream"
        scheme = self.server.scheme.replace("http", "ws")
        url = f"{scheme}://{self.server.address}{path}?encapsulation={encapsulation}&token={token}"
        client = Client(websocket.create_connection(url, timeout=PATIENCE, **options))
        self.clients += 1
        self._open.append(client)
        # The handshake is answered a moment before the stream has the connection.
        until(lambda: self.told()["media_client_attached"] == self.clients)
        return client

    def told(self) -> Counter[str]:
        """How many events there were of each name."""
        return Counter(event.subclass.removeprefix(f"{MODULE}::") for event in list(self.switch.events))

    def token(self, call: EmbeddedCall, seconds: int | str = "") -> str:
        """One that is good for a call."""
        answer = self.run(f"{call.uuid} token {seconds}")
        assert answer.startswith("+OK ")
        return answer.removeprefix("+OK ")

    def forgive(self, address: str) -> None:
        """An address has sent no wrong token."""
        self.server.limit._full_at.pop(address, None)

    # Conferences, as far as the server asks for them.

    def _conference(self, arguments: str) -> str:
        name, *words = arguments.split()
        assert words == ["get", "count"]
        return f"{self.conferences[name]}" if name in self.conferences else f"-ERR Conference {name} not found\n"

    def _originate(self, arguments: str) -> str:
        """A phone that rings; or, over loopback, both legs of a pair at once."""
        given, target = re.fullmatch(r"\{([^}]*)\}(\S+) &.*", arguments).groups()  # type: ignore[union-attr]
        variables = dict(word.split("=") for word in given.split(","))
        self.dialled.append((variables, target))
        if target.startswith("sofia/gateway/nowhere/"):
            return "-ERR INVALID_GATEWAY\n"
        joins = target.startswith("loopback/")
        call = self.switch.call(variables["origination_uuid"], codec=L16, speed=10, answered=joins,
                                speech=self.mix if joins else None)
        return "+OK" if joins else self.phone(call)

    # The end.

    def settle(self) -> None:
        """As of a `Platform`, and no stream was there but for a client that was attached."""
        while self._open:
            self._open.pop().socket.shutdown()  # or each would be waited for to answer a close
        self.switch.hang_up_all(PATIENCE)
        until(lambda: self.module.registry.execute("list") == "[]")
        told = self.told()
        assert told["media_client_attached"] == told["media_client_detached"] == self.clients
        for event in self.switch.events:
            if event.subclass == f"{MODULE}::media_client_attached":
                self.started[event.headers["Unique-ID"], orjson.loads(event.body)["streamId"]] += 1
        secrets = [line for line in self.shown() if TOKEN in line or "eyJ" in line]
        assert secrets == [], "a token was told"
        self.clients = 0
        self.dialled.clear()
        super().settle()

    def shown(self) -> list[str]:
        """All that anybody was told."""
        return [event.body + str(event.headers) for event in self.switch.events] + [
            line.text for line in self.switch.log_lines]


class Client:
    """One that is attached; its audio is bare samples."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket = socket
        self.heard = np.zeros(0, np.int16)

    def send(self, samples: Samples) -> None:
        """Speak, all at once."""
        self.socket.send_binary(np.asarray(samples, "<i2").tobytes())

    def hear(self, part: Samples) -> int:
        """Listen until `part` has come; where it begins."""
        deadline, searched = time.monotonic() + PATIENCE, 0
        while (at := find(self.heard[searched:], part)) < 0:
            assert time.monotonic() < deadline, "it has not come"
            searched = max(0, len(self.heard) - len(part))
            self.listen(len(part) // 4)
        return searched + at

    def listen(self, count: int) -> None:
        """Take some messages in, with so many samples at least."""
        data = bytearray()
        while len(data) < 2 * count:
            message = self.socket.recv()
            assert isinstance(message, bytes)
            data += message
        self.heard = np.concatenate([self.heard, np.frombuffer(data, "<i2")])

    def close_code(self) -> int:
        """Listen until the server says goodbye, and answer; the code."""
        while True:
            opcode, data = self.socket.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")

    def close(self) -> None:
        """Say goodbye, and wait for the answer."""
        self.socket.close()


def trusting() -> dict[str, Any]:
    """Options of a client that takes any certificate."""
    return {"sslopt": {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}}
