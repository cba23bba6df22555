"""The table of streams: which there are, by call and stream id, which are starting, and which still have to leave."""

from __future__ import annotations

import itertools
import threading
import time

from ..commands import COMMUNITY_ID
from ..config import Dialect
from ..errors import CapacityRefused, RefusedError
from .dispatch.schedule import Job
from .stream import Stream

Key = tuple[str, str]
"""UUID of the call, and stream id."""


class StreamTable:
    """Any thread. Nothing waits, but for `close`, `wait_until_empty` and `join`."""

    def __init__(self, max_streams: int) -> None:
        self._max_streams = max_streams
        self._streams: dict[Key, Stream | None] = {}  # by the id that commands name; None: a start is under way
        self._starting: set[Key] = set()  # reserved, and not entered yet
        self._running: dict[Stream, None] = {}  # every stream that has not ended, in the order of their starts
        self._unstopped: set[Key] = set()
        self._leaving: list[Stream] = []  # ended, but a thread of their TLS may still be sending the last bytes
        self._changed = threading.Condition()
        self.is_open = True
        """Whether streams can be started: until `close`."""

    # Starting: an id is reserved, its stream entered and then begun; or the reservation is given up.

    def reserve(self, key: Key) -> None:
        """Take a stream id; raise CapacityRefused, or RefusedError if it is in use."""
        with self._changed:
            self._reserve(key)

    def reserve_next(self, uuid: str, prefix: str) -> str:
        """Take and return the first free id of a call, `prefix` and a number from 1 on; raise CapacityRefused."""
        with self._changed:
            ids = (f"{prefix}{number}" for number in itertools.count(1))
            stream_id = next(stream_id for stream_id in ids if (uuid, stream_id) not in self._streams)
            self._reserve((uuid, stream_id))
            return stream_id

    def _reserve(self, key: Key) -> None:
        if not self.is_open:
            raise CapacityRefused("the module is being unloaded")
        if key in self._streams:
            if key[1] == COMMUNITY_ID:  # its user has not written it, and cannot write another
                raise RefusedError("a stream without a stream id runs on this call already, and there can be one: stop "
                                   "it first, or give this one a stream id")
            raise RefusedError(f"stream id {key[1]!r} is in use on this call: stop that stream first, or choose "
                               "another id")
        # A start takes a while: those under way count as much as the streams that run.
        if len(self._running) + len(self._starting) >= self._max_streams:
            raise CapacityRefused(f"{self._max_streams} streams run already: raise max-streams in "
                                  "audio_stream.conf.xml")
        self._streams[key] = None
        self._starting.add(key)
        self._unstopped.discard(key)

    def enter(self, stream: Stream) -> None:
        """It is there, and will `leave`; commands do not find it yet."""
        with self._changed:
            self._starting.discard(stream.key)
            self._running[stream] = None

    def begin(self, stream: Stream) -> None:
        """Commands find it from now on; what they have it do comes after its `Stream.begin`."""
        with self._changed:
            self._streams[stream.key] = stream
            stream.dispatcher.post(stream.begin)
            self._changed.notify_all()

    def give_up(self, key: Key) -> None:
        """A start has failed: its id is free. Only for whoever has reserved it."""
        with self._changed:
            self._starting.discard(key)
            self._streams.pop(key, None)
            self._changed.notify_all()

    def free_id(self, stream: Stream) -> None:
        """Commands are no longer to find the stream: its id is free, unless another has it by now."""
        with self._changed:
            if self._streams.get(stream.key) is stream:
                del self._streams[stream.key]

    def leave(self, stream: Stream) -> None:
        """It has ended."""
        with self._changed:
            is_known = self._streams.get(stream.key) is stream
            if is_known and stream.plan.dialect is Dialect.COMMUNITY and stream.ended_by_itself:
                self._unstopped.add(stream.key)
            self.free_id(stream)
            del self._running[stream]
            self._leaving = [other for other in self._leaving if not other.link.join(0)] + [stream]
            self._changed.notify_all()

    # The community module knows a stream until it is stopped, or its call ends, whatever its server has done.

    def is_unstopped(self, key: Key) -> bool:
        """Return whether a stream of that dialect has ended by itself, and nobody has stopped it."""
        return key in self._unstopped

    def stopped(self, key: Key) -> None:
        """It is stopped now, or its call is over."""
        with self._changed:
            self._unstopped.discard(key)

    # Looking.

    def find(self, uuid: str, stream_id: str) -> Stream:
        """Return the stream with that id; raise RefusedError, which names those that the call has."""
        with self._changed:
            stream = self._streams.get((uuid, stream_id))
            if stream is not None:
                return stream
            others = sorted(other for call, other in self._streams if call == uuid)
        hint = f"this call has: {', '.join(others)}" if others else "this call has no stream"
        raise RefusedError(f"no stream {stream_id!r} on call {uuid!r}: {hint}")

    def running(self) -> list[Stream]:
        """Return every stream that has not ended, in the order of their starts."""
        with self._changed:
            return list(self._running)

    def post(self, stream: Stream, job: Job) -> None:
        """As `Stream.post`; raise RefusedError if the stream has ended."""
        if stream not in self._running:
            raise RefusedError(f"stream {stream.plan.info.stream_id!r} has just ended")
        stream.post(job)

    # The end of all.

    def close(self, seconds: float) -> None:
        """Have no more streams started, and wait for the starts under way: their threads are in charge of the bugs."""
        with self._changed:
            self.is_open = False
            self._changed.wait_for(lambda: None not in self._streams.values(), max(0.0, seconds))

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait for every stream to end, and return whether they did within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, max(0.0, seconds))

    def join(self, deadline: float) -> bool:
        """Wait until `deadline` (time.monotonic, s) for the connections of those that ended; return whether they have
        sent their last bytes.
        """
        with self._changed:
            leaving = self._leaving
        return all([stream.link.join(max(0.0, deadline - time.monotonic())) for stream in leaving])
