"""Audio without checkpoints, told of as a whole: one begin and one end for each run of speech."""

from __future__ import annotations

from ....realtime.path import MediaPath
from ...dispatch.timers import Timers
from ...events.reports import Reporter

QUIET_SECONDS = 0.2
"""How long the caller has heard nothing new when a talk spurt is over. A server that sends a little too slowly makes a
gap at every message; pauses between sentences are longer."""


class TalkSpurts:
    """The talk spurts of one stream; only on its dispatcher.

    One begins with a message that has no checkpoint, or with audio that the core has queued by itself: binary frames,
    and messages that are alike. It is over when QUIET_SECONDS have passed
    since the caller heard the last of it, and at once where no more can come.
    """

    def __init__(self, path: MediaPath, reporter: Reporter, timers: Timers) -> None:
        self._path = path
        self._reporter = reporter
        self._timers = timers
        self._open = False
        self._announced = 0  # samples that came in messages of their own
        self._noticed = 0    # samples that the core has queued by itself, as far as they were noticed
        self._quiet_at = 0   # samples that had been queued when the queue was last seen to run empty
        self._alike = 0      # messages that the core had taken when it was last noticed

    @property
    def is_open(self) -> bool:
        """Whether there is one, which has been told of."""
        return self._open

    def announce(self, samples: int) -> None:
        """So many samples came in a message that was read: the core has not queued them by itself."""
        self._announced += samples

    def begin(self) -> None:
        """A message without a checkpoint came, and has been told of."""
        self._open = True

    def notice_frames(self) -> None:
        """The caller hears something else than before: it may be what the core queues without a word."""
        # One counter, which only grows: what is queued meanwhile cannot be taken for frames that were not there.
        statistics = self._path.statistics()
        alike, self._alike = self._alike, self._path.alike.taken
        samples = self._see_frames(statistics.queued)
        if samples == 0 or self._open:
            return
        self._open = True
        if self._alike == alike:
            self._reporter.fire("media_play_start", format="binary")
        else:
            rate = max(1, statistics.play_rate)
            self._reporter.fire("media_play_start", sampleRate=rate, durationMs=1000 * samples // rate,
                                queuedMs=1000 * max(0, statistics.play_waiting - samples) // rate)

    def _see_frames(self, queued: int) -> int:
        """Return how many of the first `queued` samples the core has queued by itself and were not noticed yet."""
        noticed, self._noticed = self._noticed, max(self._noticed, queued - self._announced)
        return self._noticed - noticed

    def quiet(self) -> None:
        """The queue has run empty."""
        self.notice_frames()
        self._quiet_at = self._path.statistics().queued
        if self._open:
            self._timers.after("talk spurt", QUIET_SECONDS, self._end_unless_resumed)

    def _end_unless_resumed(self) -> None:
        # What came meanwhile makes the queue run empty once more, which is told.
        if self._quiet_at == self._path.statistics().queued:
            self.end_if_heard()

    def end_if_heard(self) -> None:
        """No more comes for now: what the caller has heard to the end is over."""
        if self._open and self._path.has_been_heard:
            self.end("played")

    def end(self, status: str) -> None:
        """It is over, whatever is queued: "played" or "cleared"."""
        if self.take():
            self.tell(status)

    def take(self) -> bool:
        """Have no talk spurt any more; return whether there was one, whose end is the caller's to tell."""
        self._timers.cancel("talk spurt")
        was_open, self._open = self._open, False
        return was_open

    def tell(self, status: str) -> None:
        """Tell of an end."""
        self._reporter.fire("media_play_complete", status=status)

    def cleared(self, queued: int) -> None:
        """The first `queued` samples will not be heard: they begin nothing."""
        self._see_frames(queued)
