"""Captured audio that was lost because the server did not take it in time."""

from __future__ import annotations

from ...realtime.path import MediaPath
from ..dispatch.timers import Timers
from .reports import Reporter

_WATCH_SECONDS = 1.0  # how long an overrun is watched before it is reported with what it cost


class OverrunReport:
    """Of one stream; only on its dispatcher."""

    def __init__(self, path: MediaPath, reporter: Reporter, timers: Timers, buffer_secs: int) -> None:
        """`buffer_secs`: what the ring holds."""
        self._path = path
        self._reporter = reporter
        self._timers = timers
        self._buffer_secs = buffer_secs
        self._told = 0

    def attend(self) -> None:
        """Audio is being lost: tell of it, with what is lost in the second after it."""
        self._timers.after("overrun", _WATCH_SECONDS, self._tell)

    def tell_the_rest(self) -> None:
        """The stream is over: tell of what was lost and not told."""
        if self._path.statistics().dropped > self._told:
            self._tell()

    def _tell(self) -> None:
        dropped = self._path.statistics().dropped
        frame = max(1, self._path.format.chunk)
        self._reporter.fire("buffer_overrun", framesLost=-(-(dropped - self._told) // frame),
                            totalFramesLost=-(-dropped // frame), bufferSecs=self._buffer_secs)
        self._told = dropped
