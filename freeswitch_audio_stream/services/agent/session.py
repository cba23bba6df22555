"""What one stream has sent to a server: its words, its audio, when each came, and what was wrong with it.

It understands the stream API's own protocols, ``json`` and ``binary``, on its own: it shares no code with the
protocols it is there to check, only the codecs.
"""

from __future__ import annotations

import base64
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Callable, Mapping

import numpy as np
import orjson

from ...audio import Encoding, Samples, decode

Message = dict[str, Any]


@dataclass(frozen=True)
class Arrival:
    """That audio came."""

    seconds: float
    """`time.monotonic` when it did."""
    samples: int
    """Of its track, up to then and with it."""


@dataclass(frozen=True)
class ReceivedMedia:
    """The audio of one track in one message."""

    track: str
    samples: Samples


class AgentSession:
    """One connection. The server's thread feeds it; every other thread may read it and wait for it."""

    def __init__(self, path: str = "/", headers: Mapping[str, str] | None = None,
                 send: Callable[[str | bytes], object] | None = None) -> None:
        self.path = path
        self.headers = headers or {}
        self.start: Message = {}
        """The stream's introduction; empty until it has come."""
        self.messages: list[Message] = []
        """Every JSON message in order, the introduction too; only ``media`` is left out."""
        self.faults: list[str] = []
        """What a strict server would complain of: gaps in the sequence, media before the start, bad JSON."""
        self.close_code: int | None = None
        """Of the WebSocket, when it is closed (1006: without a closing handshake)."""
        self.close_reason = ""
        self._send = send
        self._sequence = 0
        self._audio: defaultdict[str, list[Samples]] = defaultdict(list)
        self._arrivals: defaultdict[str, list[Arrival]] = defaultdict(list)
        self._changed = threading.Condition()

    @property
    def stream_id(self) -> str:
        return str(self.start.get("streamId", ""))

    @property
    def rate(self) -> int:
        """Hz on the wire; 0 until the introduction has come."""
        return int(self.start.get("rate", 0))

    def sample_count(self, track: str = "inbound") -> int:
        """Samples of a track so far; cheap enough for a condition of `wait_for`."""
        with self._changed:
            arrivals = self._arrivals.get(track)
            return arrivals[-1].samples if arrivals else 0

    @property
    def tracks(self) -> list[str]:
        """Those of which there is audio: ``inbound``, ``outbound``."""
        with self._changed:
            return sorted(self._audio)

    def samples(self, track: str = "inbound") -> Samples:
        """All audio of a track so far: int16[n] at `rate`."""
        with self._changed:
            return np.concatenate(self._audio.get(track) or [np.empty(0, np.int16)])

    def arrivals(self, track: str = "inbound") -> list[Arrival]:
        """When the messages with audio of a track came, in order."""
        with self._changed:
            return list(self._arrivals.get(track, ()))

    def events(self, event: str) -> list[Message]:
        """The messages of one kind: ``start``, ``stop``, ``dtmf``, ``checkpoint``."""
        with self._changed:
            return [message for message in self.messages if message.get("event") == event]

    def send(self, message: Message | str | bytes) -> None:
        """Queue a message for the stream: a JSON object, text, or a binary frame. Any thread; never
        blocks."""
        if self._send is not None:
            self._send(orjson.dumps(message).decode() if isinstance(message, dict) else message)

    def wait_for(self, condition: Callable[[AgentSession], object], timeout: float = 30.0) -> None:
        """Block until `condition` holds, looking after each message; raise TimeoutError after `timeout`
        seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout):
                raise TimeoutError(f"stream {self.stream_id!r}: not within {timeout:g} s")

    def receive(self, message: str | bytes, seconds: float) -> Message | list[ReceivedMedia]:
        """Take a message in: a JSON one is returned as it is ({}: a fault), audio as tracks. Never raises.

        `seconds` is when it came (`time.monotonic`). For the server's thread.
        """
        with self._changed:
            try:
                taken = self._binary(message) if isinstance(message, bytes) else self._text(message)
            except (ValueError, KeyError, TypeError) as error:
                self.faults.append(f"{type(error).__name__} {error} in {message[:80]!r}")
                taken = {}
            if isinstance(taken, list):
                for media in taken:
                    self._keep(media, seconds)
            elif taken:
                self.messages.append(taken)
            self._changed.notify_all()
            return taken

    def close(self, code: int, reason: str) -> None:
        """The connection is over. For the server's thread."""
        with self._changed:
            self.close_code, self.close_reason = code, reason
            self._changed.notify_all()

    def _text(self, text: str) -> Message | list[ReceivedMedia]:
        message = orjson.loads(text)
        if not isinstance(message, dict):
            raise ValueError("not an object")
        if "sequence" in message:
            self._check_sequence(message["sequence"])
        if message.get("event") == "start":
            self._introduce(message)
        if message.get("event") != "media":
            return message
        track = message.get("track") or self.start["track"]
        return [ReceivedMedia(track, decode(base64.b64decode(message["audio"], validate=True), self._encoding))]

    def _introduce(self, message: Message) -> None:
        if self.start:
            self.faults.append("a second start")
        Encoding(message["codec"])
        if not (isinstance(message["rate"], int) and message["rate"] > 0):
            raise ValueError("the rate is not a positive number")
        self.start = message

    def _binary(self, frame: bytes) -> list[ReceivedMedia]:
        tracks = ("inbound", "outbound") if self.start["channels"] == 2 else (self.start["track"],)
        interleaved = decode(frame, self._encoding).reshape(-1, len(tracks))
        return [ReceivedMedia(track, interleaved[:, channel]) for channel, track in enumerate(tracks)]

    @property
    def _encoding(self) -> Encoding:
        return Encoding(self.start["codec"])

    def _check_sequence(self, number: int) -> None:
        self._sequence += 1
        if number != self._sequence:
            self.faults.append(f"sequence {number} where {self._sequence} was due")
            self._sequence = number

    def _keep(self, media: ReceivedMedia, seconds: float) -> None:
        total = self.sample_count(media.track) + len(media.samples)
        self._arrivals[media.track].append(Arrival(seconds, total))
        self._audio[media.track].append(media.samples)
