"""The server's end of each kind of stream, alike to tests: what it has heard, and how it speaks."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import ExitStack
from typing import Callable

import numpy as np

from freeswitch_audio_stream.audio import Samples, mulaw_to_samples, samples_to_mulaw
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.testing.peers.audiosocket_end import AUDIO, HANGUP, AudioSocketEnd
from freeswitch_audio_stream.testing.peers.listener import Handler, Listener, accept_websocket
from freeswitch_audio_stream.testing.peers.raw_websocket import BINARY, CLOSE, PING, PONG, RawPeer, frame

from ..engine.http_streaming.api_server import ApiServer

NOTHING = np.zeros(0, np.int16)


class End:
    """A server of one kind of stream; a context manager. Any thread."""

    rate = 8000
    prefix = ""
    """Settings of the stream."""
    scheme = "ws"

    def __init__(self) -> None:
        self.opened = ExitStack()
        self.place = ""
        """Where it listens, as host:port."""

    def __enter__(self) -> End:
        return self

    def __exit__(self, *exception: object) -> None:
        self.opened.close()

    def url(self, place: str) -> str:
        """What to start a stream with, to this server as it is reached at `place`."""
        return f"{self.scheme}://{place}/"

    def through_the_wire(self, samples: Samples) -> Samples:
        """What is left of samples on the other side."""
        return samples

    def heard(self) -> Samples:
        """All audio of all connections so far, in order."""
        raise NotImplementedError

    def play(self, samples: Samples) -> None:
        """Say something on the newest connection, all at once."""
        raise NotImplementedError


class AgentEnd(End):
    """The stream API's own protocols."""

    def __init__(self, protocol: str, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.prefix = f"protocol={protocol}"
        self.scheme = "wss" if tls else "ws"
        self._agent = self.opened.enter_context(Agent(tls=tls))
        self.place = f"127.0.0.1:{self._agent.port}"

    def heard(self) -> Samples:
        return np.concatenate([NOTHING, *(session.samples() for session in list(self._agent.sessions))])

    def play(self, samples: Samples) -> None:
        session = self._agent.sessions[-1]
        session.wait_for(lambda session: session.start)
        session.send(play_message(session.stream_id, samples, self.rate))


class _ListeningEnd(End):
    """Of bare sockets."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._parts: list[Samples] = []
        self.place = self.opened.enter_context(Listener(handler)).place

    def heard(self) -> Samples:
        return np.concatenate([NOTHING, *list(self._parts)])


class RtpEnd(_ListeningEnd):
    """RTP packets of mu-law in a WebSocket."""

    prefix = "protocol=rtp"

    def __init__(self) -> None:
        super().__init__(self._converse)
        self._sequence = 0

    def _converse(self, connection: socket.socket) -> None:
        accept_websocket(connection)
        self._peer = RawPeer(connection)
        while True:
            opcode, payload = self._peer.hear()
            if opcode == BINARY:
                self._parts.append(mulaw_to_samples(np.frombuffer(payload[12:], np.uint8)))
            elif opcode == PING:
                self._peer.send(frame(PONG, payload))
            elif opcode == CLOSE:
                self._peer.send(frame(CLOSE, payload))
                return

    def through_the_wire(self, samples: Samples) -> Samples:
        return mulaw_to_samples(samples_to_mulaw(samples))

    def play(self, samples: Samples) -> None:
        for start in range(0, len(samples), 160):
            header = struct.pack("!BBHII", 0x80, 0, self._sequence, 160 * self._sequence, 0xABCD)
            self._sequence += 1
            self._peer.send(frame(BINARY, header + samples_to_mulaw(samples[start:start + 160]).tobytes()))


class AudioSocketServer(_ListeningEnd):
    """AudioSocket over TCP."""

    scheme = "audiosocket"

    def __init__(self) -> None:
        super().__init__(self._converse)

    def _converse(self, connection: socket.socket) -> None:
        self._peer = AudioSocketEnd(connection)
        kind = -1
        while kind != HANGUP:
            kind, payload = self._peer.hear()
            if kind == AUDIO:
                self._parts.append(np.frombuffer(payload, "<i2").astype(np.int16))

    def url(self, place: str) -> str:
        return f"audiosocket://{place}"

    def play(self, samples: Samples) -> None:
        self._peer.play(samples)


class HttpEnd(End):
    """The HTTP streaming API."""

    rate = 16000

    def __init__(self) -> None:
        super().__init__()
        self._server = self.opened.enter_context(ApiServer(numbers=True))
        self.place = self._server.place

    def url(self, place: str) -> str:
        return f"http://{place}{self._server.base}"

    def heard(self) -> Samples:
        """Each piece once: one that was sent again has its number again."""
        with self._server.lock:
            pieces = {(number, samples.tobytes()) if number else at: samples
                      for at, (number, samples) in enumerate(zip(self._server.sequences, self._server.posts))}
        return np.concatenate([NOTHING, *pieces.values()])

    def play(self, samples: Samples) -> None:
        self._server.say(samples)


def make(kind: str, tls: ssl.SSLContext) -> End:
    """A server of this kind of stream."""
    makers: dict[str, Callable[[], End]] = {
        "json": lambda: AgentEnd("json"), "binary": lambda: AgentEnd("binary"), "wss": lambda: AgentEnd("json", tls),
        "rtp": RtpEnd, "audiosocket": AudioSocketServer, "http": HttpEnd}
    return makers[kind]()
