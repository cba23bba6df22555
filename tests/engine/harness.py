"""What the tests of streams stand on: a switch with the module loaded, and ways to wait and to compare."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any, Callable, Mapping

import numpy as np
import orjson

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.commands.vocabulary import COMMUNITY_ID
from freeswitch_audio_stream.engine.events.reports import SUBCLASSES
from freeswitch_audio_stream.module import API_NAME, AudioStreamModule
from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.services.agent.session import AgentSession, Message
from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall, EmbeddedSwitch, Event
from freeswitch_audio_stream.switch import Switch
from freeswitch_audio_stream.testing.peers import PATIENCE

MODULE = "mod_audio_stream"
L16 = CodecSpec("L16")
Body = dict[str, Any]


def until(condition: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Wait for what nobody announces."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.002)


def noise(samples: int, seed: int = 1, limit: int = 8000) -> Samples:
    """Noise without a zero: any shift, loss or mixing shows, and so does silence between two parts of it."""
    random = np.random.default_rng(seed)
    made: Samples = (random.integers(1, limit, samples) * random.choice((-1, 1), samples)).astype(np.int16)
    return made


def find(track: Samples, part: Samples) -> int:
    """Where `part` begins in `track`, exact to the last bit; -1 where it is not in it."""
    whole, piece = track.tobytes(), np.ascontiguousarray(part).tobytes()
    at = whole.find(piece)
    while at > 0 and at % 2:
        at = whole.find(piece, at + 1)
    return at // 2 if at >= 0 else -1


def audible(track: Samples) -> Samples:
    """The samples that are not zero: audio of `noise` without the silence before, after and in it."""
    kept: Samples = track[track != 0]
    return kept


def align(track: Samples, part: Samples) -> tuple[int, float]:
    """By how many samples `part` comes late in `track`, and how much they are alike there."""
    size = 1 << int(np.ceil(np.log2(len(track) + len(part))))
    product = np.fft.rfft(track.astype(float), size) * np.conj(np.fft.rfft(part.astype(float), size))
    lag = int(np.argmax(np.fft.irfft(product, size)[:len(track)]))
    there = track[lag:lag + len(part)].astype(float)
    return lag, float(np.corrcoef(there, part[:len(there)])[0, 1])


def has_heard(session: AgentSession, part: Samples, track: str = "inbound") -> bool:
    """Whether `part` is on a track that a server has heard."""
    return session.sample_count(track) >= len(part) and find(session.samples(track), part) >= 0


def wait_for_audio(session: AgentSession, part: Samples, track: str = "inbound") -> int:
    """Wait until a server has heard `part` on a track; where it begins."""
    session.wait_for(lambda session: has_heard(session, part, track), PATIENCE)
    return find(session.samples(track), part)


def checkpoint(name: str) -> Message:
    """Has the stream say when the caller has heard what was sent before."""
    return {"event": "media.checkpoint", "payload": {"name": name}}


def heard_all(session: AgentSession) -> None:
    """Wait until the caller has heard all that a server has sent so far."""
    name = f"the end at message {len(session.messages)}"
    session.send(checkpoint(name))
    answer = {"event": "checkpoint", "streamId": session.stream_id, "name": name, "status": "played"}
    session.wait_for(lambda session: answer in session.messages, PATIENCE)


def closed(session: AgentSession) -> None:
    """Wait until a server's connection is over."""
    session.wait_for(lambda session: session.close_code is not None, PATIENCE)


class Platform:
    """An embedded switch with the module, and a table of the streams that were started on it."""

    def __init__(self, environment: Mapping[str, str] | None = None, xml: str | None = None) -> None:
        self.switch = EmbeddedSwitch()
        if xml is not None:
            self.switch.configuration["audio_stream.conf"] = xml
        self.module = AudioStreamModule(Switch(self.switch.resolve), environment or {})
        self.started: Counter[tuple[str, str]] = Counter()
        self._names = 0

    def call(self, **options: Any) -> EmbeddedCall:
        """A call as `EmbeddedSwitch.call` makes it, but by default L16 at 8 kHz and ten times real time."""
        self._names += 1
        options.setdefault("codec", L16)
        options.setdefault("speed", 10)
        return self.switch.call(f"call-{self._names}", **options)

    def run(self, words: str) -> str:
        """The answer to ``uuid_audio_stream`` `words`."""
        answer = self.switch.execute(f"{API_NAME} {words}")
        uuid, stream_id, action = (words.split() + ["", "", ""])[:3]
        if action == "start" and answer.startswith("+OK"):
            self.started[uuid, stream_id] += 1
        return answer

    def start(self, call: EmbeddedCall, url: str, stream_id: str = "s", track: str = "inbound",
              rate: int | str = 8000, timeout: int = 0, bidirectional: int = 1, metadata: str = "") -> None:
        """Start a stream, which must be accepted; `rate` may be preceded by a codec."""
        answer = self.run(f"{call.uuid} {stream_id} start {url} {track} {rate} {timeout} {bidirectional} "
                          + metadata)
        assert answer == "+OK Success"

    def connect(self, agent: Agent, call: EmbeddedCall, prefix: str = "", **options: Any) -> AgentSession:
        """Start a stream to an agent, and wait until it has introduced itself; `options` as of `start`."""
        number = len(agent.sessions) + 1
        self.start(call, prefix + agent.url, **options)
        session = agent.wait_for_session(number)
        session.wait_for(lambda session: session.start, PATIENCE)
        return session

    def tell(self, call: EmbeddedCall, words: str, stream_id: str = "s") -> None:
        """Have a command accepted."""
        assert self.run(f"{call.uuid} {stream_id} {words}") == "+OK Success"

    def status(self, call: EmbeddedCall, stream_id: str = "s") -> Body:
        answer: Body = orjson.loads(self.run(f"{call.uuid} {stream_id} status"))
        return answer

    def event(self, name: str, call: EmbeddedCall, stream_id: str = "s", **fields: Any) -> Body:
        """The body of the first event of a stream that has these fields, as soon as it is there."""
        def matches(event: Event) -> bool:
            body = orjson.loads(event.body)
            return (event.headers.get("Unique-ID") == call.uuid and body["streamId"] == stream_id
                    and fields.items() <= body.items())
        body: Body = orjson.loads(self.switch.wait_event(f"{MODULE}::{name}", matches, PATIENCE).body)
        return body

    def events(self, name: str, call: EmbeddedCall, stream_id: str = "s") -> list[Body]:
        """The bodies of all events of a stream with this name so far."""
        bodies = (orjson.loads(event.body) for event in list(self.switch.events)
                  if event.subclass == f"{MODULE}::{name}" and event.headers.get("Unique-ID") == call.uuid)
        return [body for body in bodies if body["streamId"] == stream_id]

    def names(self, call: EmbeddedCall, stream_id: str = "s") -> list[str]:
        """The names of all events of a stream so far."""
        return [event.subclass.removeprefix(f"{MODULE}::") for event in list(self.switch.events)
                if event.subclass.startswith(MODULE) and event.headers.get("Unique-ID") == call.uuid
                and orjson.loads(event.body)["streamId"] == stream_id]

    def settle(self) -> None:
        """Hang up all calls, and see that every stream has ended once, and that nothing of any is left."""
        self.switch.hang_up_all(PATIENCE)
        until(lambda: self.module.registry.execute("list") == "[]")
        switch, started = self.switch, self.started
        stopped = Counter((event.headers["Unique-ID"], orjson.loads(event.body)["streamId"])
                          for event in switch.events if event.subclass == f"{MODULE}::stream_stopped")
        belated = [name for name in last_events(switch.events) if name != "stream_stopped"]
        defects = [line.text for line in switch.log_lines if "defect" in line.text or "failed" in line.text]
        self.started = Counter()
        switch.events.clear()
        switch.log_lines.clear()
        assert not defects
        assert stopped == started
        assert belated == [], "a stream spoke after its end"
        assert switch.misuses == 0, "FreeSWITCH would have crashed"
        assert switch.codecs.open == 0, "codecs were left open"
        until(lambda: switch.event_system.held == 0)

    def close(self) -> None:
        """`settle`, unload, and the switch's own end."""
        self.settle()
        if self.module.registry.is_open:
            assert self.switch.unload(MODULE) == "+OK\n"
        self.switch.shutdown()
        assert self.switch.misuses == 0


def last_events(events: list[Event]) -> list[str]:
    """The name of the last event of each stream; those without an id, of the other dialect, are left out."""
    last = {(event.headers["Unique-ID"], orjson.loads(event.body)["streamId"]): event.subclass
            for event in events if event.subclass in SUBCLASSES}
    return [subclass.removeprefix(f"{MODULE}::") for (_, stream_id), subclass in last.items()
            if stream_id != COMMUNITY_ID]


def stream_threads() -> set[threading.Thread]:
    """Our threads that are running now; those of an earlier test may still be ending."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("audio-stream")}
