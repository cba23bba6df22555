"""The user of the community module: commands without a stream id, ``STREAM_*`` variables, and five events."""

from __future__ import annotations

from typing import Any, Callable

import orjson

from freeswitch_audio_stream.simulator import EmbeddedCall, Event
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Server

from ..harness import MODULE, PATIENCE, Platform, until

FIVE = ("connect", "disconnect", "error", "json", "play")


class User:
    """Works as a dialplan and an event socket do."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def call(self, **options: Any) -> EmbeddedCall:
        """As `Platform.call`; words in capitals are channel variables."""
        variables = {name: options.pop(name) for name in list(options) if name.isupper()}
        return self.platform.call(variables={**options.pop("variables", {}), **variables}, **options)

    def run(self, call: EmbeddedCall, words: str) -> str:
        return self.platform.run(f"{call.uuid} {words}")

    def tell(self, call: EmbeddedCall, words: str) -> None:
        """Have a command accepted."""
        assert self.run(call, words) == "+OK Success"

    def start(self, call: EmbeddedCall, url: str, words: str = "mono") -> None:
        self.tell(call, f"start {url} {words}")

    def connect(self, server: Server, call: EmbeddedCall, words: str = "mono") -> Peer:
        """Start a stream, and wait until it is connected; `words` are those behind the URL."""
        number = len(server.peers) + 1
        self.start(call, server.url, words)
        peer = server.wait_for_peer(number)
        self.event("connect", call)
        return peer

    def _mine(self, name: str, call: EmbeddedCall) -> Callable[[Event], bool]:
        return lambda event: event.subclass == f"{MODULE}::{name}" and event.headers.get("Unique-ID") == call.uuid

    def bodies(self, name: str, call: EmbeddedCall) -> list[str]:
        """The bodies of the events with this name so far."""
        return [event.body for event in list(self.platform.switch.events) if self._mine(name, call)(event)]

    def told(self, name: str, call: EmbeddedCall) -> list[Any]:
        """The same, as JSON values."""
        return [orjson.loads(body) for body in self.bodies(name, call)]

    def event(self, name: str, call: EmbeddedCall, number: int = 1) -> Any:
        """The body of the `number`-th event with this name, as soon as it is there."""
        until(lambda: len(self.bodies(name, call)) >= number)
        return orjson.loads(self.bodies(name, call)[number - 1])

    def tracking(self, call: EmbeddedCall) -> list[Any]:
        """The ``play`` events that tell of the playback, without those that tell of a file."""
        return [body for body in self.told("play", call) if "event" in body]

    def completed(self, call: EmbeddedCall, number: int = 1) -> None:
        """Wait until the queue has been completed so many times."""
        until(lambda: [body["event"] for body in self.tracking(call)].count("queue_completed") >= number)

    def names(self, call: EmbeddedCall) -> list[str]:
        """The names of all events of the call so far."""
        return [event.subclass.removeprefix(f"{MODULE}::") for event in list(self.platform.switch.events)
                if event.subclass.startswith(MODULE) and event.headers.get("Unique-ID") == call.uuid]

    def status(self, call: EmbeddedCall) -> Any:
        """What ``list`` says of the call's only stream."""
        return next(entry for entry in orjson.loads(self.platform.run("list")) if entry["uuid"] == call.uuid)

    def ended(self, call: EmbeddedCall) -> None:
        """Wait until the call has no stream any more."""
        until(lambda: all(entry["uuid"] != call.uuid for entry in orjson.loads(self.platform.run("list"))), PATIENCE)
