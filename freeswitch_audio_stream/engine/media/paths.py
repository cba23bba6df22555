"""The compiled media paths of one stream: one, or two where Python converts the audio between them."""

from __future__ import annotations

from typing import Callable

from ...errors import CoreFull
from ...protocols import Carrier
from ...realtime.core import Core, Worker
from ...realtime.counters import Statistics
from ...realtime.path import MediaPath
from ..call import Call
from ..dispatch.dispatcher import Dispatcher
from ..plan.plan import Plan
from .conversion import Conversion


class MediaPaths:
    """On the stream's dispatcher, but for the paths' own methods that say otherwise."""

    def __init__(self, core: Core, worker: Worker, path: MediaPath, conversion: Conversion | None,
                 polls: MediaPath | None = None) -> None:
        self.worker = worker
        self.path = path
        self.polls = polls
        """The connection on which an HTTP server is asked for what it has to say; whoever has made it attends to it."""
        self.capture = conversion.source if conversion else path
        """What the capture bugs write to."""
        self._core = core
        self._conversion = conversion

    def adopt(self, dispatcher: Dispatcher, handler: Callable[[], None]) -> None:
        """Have `handler` called whenever a path wants attention. Any thread."""
        for path in {self.path, self.capture}:
            dispatcher.adopt(path.index, handler)

    def open(self) -> None:
        """Let what is captured flow to the ring."""
        if self._conversion:
            self._conversion.open()

    def take_attention(self) -> int:
        """Take and return what the core reports (ATTEND_…), and move on what has been captured."""
        bits = self.path.take_attention()
        if self._conversion:
            bits |= self.capture.take_attention()
            self._conversion.attend()
        return bits

    def reported(self) -> tuple[int, int]:
        """Return what `take_attention` would return now, and then how far the inbox is written. Any thread."""
        bits = self.path.attention | self.capture.attention
        return bits, self.path.inbox_end

    def drain(self) -> None:
        """No more is captured: let the rest flow; ATTEND_DRAINED says that it has."""
        if self._conversion:
            self._conversion.flush()
        self.path.drain_media()

    def close(self, dispatcher: Dispatcher) -> None:
        """Give the paths back to the core: no callback, socket or clock uses them any more."""
        for path in {self.path, self.capture, *([self.polls] if self.polls else [])}:
            dispatcher.forget(path.index)
            self._core.close_path(path)

    def statistics(self) -> Statistics:
        """The counters of the stream; what travels on either connection counts. Any thread."""
        counters = self.path.statistics()
        if self.polls is None:
            return counters
        polls = self.polls.statistics()
        return counters._replace(
            messages_sent=counters.messages_sent + polls.messages_sent,
            messages_received=counters.messages_received + polls.messages_received,
            bytes_sent=counters.bytes_sent + polls.bytes_sent,
            bytes_received=counters.bytes_received + polls.bytes_received)


def open_media(core: Core, plan: Plan, call: Call) -> MediaPaths:
    """Take from the core what a stream needs, and return it; raise CoreFull if it has no record left. Any thread."""
    path, worker = core.open_path(*plan.form)
    opened = [path]
    try:
        polls = core.open_connection(worker) if plan.protocol.carrier is Carrier.HTTP and plan.bidirectional else None
        opened += [polls] if polls else []
        # The compiled core converts by itself, unless it is not to.
        if plan.settings.resampler != "soxr" or call.read_rate in (0, plan.info.rate):
            return MediaPaths(core, worker, path, None, polls)
        return MediaPaths(core, worker, path, Conversion(core, worker, path.format, call.read_rate, path), polls)
    except CoreFull:
        for path in opened:
            core.close_path(path)
        raise
