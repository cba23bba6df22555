"""What the core reports of one stream, in line with what others want done on its dispatcher.

The core says that something has happened, by a bit, not when. So a command remembers what had been reported when it
was given: that is attended to before the command, and everything that was reported later after it.
"""

from __future__ import annotations

from collections import deque
from functools import reduce
from operator import or_
from typing import Callable

from ..realtime.records import ATTEND_INBOX
from .dispatch.dispatcher import Dispatcher
from .dispatch.schedule import Job
from .media.paths import MediaPaths

Attend = Callable[[int, "int | None"], None]
"""Takes ATTEND_ bits, and up to where the inbox is to be read; None = to its end."""


class Attention:
    """Of one stream; only on its dispatcher, but for `post`."""

    def __init__(self, media: MediaPaths, dispatcher: Dispatcher, attend: Attend, is_over: Callable[[], bool]) -> None:
        """Nothing is attended to, and no job run, once the stream `is_over`."""
        self._media = media
        self._dispatcher = dispatcher
        self._attend = attend
        self._is_over = is_over
        self._reports: deque[int] = deque()  # taken from the core, and in line with the dispatcher's jobs

    def adopt(self) -> None:
        """Attend to what the core has reported, and to whatever it will report."""
        self._media.adopt(self._dispatcher, self.collect)
        self.collect()

    def collect(self) -> None:
        """Take what the core has reported, and attend to it behind the jobs that are waiting: they came first."""
        bits = self._media.take_attention()
        if bits:
            self._reports.append(bits)
            self._dispatcher.enqueue(self._attend_to_next)

    def _attend_to_next(self) -> None:
        bits = self._reports.popleft()
        if not self._is_over():
            self._attend(bits, None)

    def post(self, job: Job) -> None:
        """Run `job` behind what the core has reported by now, and before all that it reports later. Any thread."""
        bits, inbox_end = self._media.reported()
        reported = reduce(or_, self._reports.copy(), bits)
        self._dispatcher.post(lambda: self._run(job, reported, inbox_end))

    def _run(self, job: Job, bits: int, inbox_end: int) -> None:
        if self._is_over():
            return
        self.collect()
        self._attend(self._take_earlier(bits), inbox_end)
        if not self._is_over():
            job()

    def _take_earlier(self, bits: int) -> int:
        """Take `bits` out of the reports that are in line, and return those that were there.

        Messages may have come before and after: they stay in line.
        """
        taken = 0
        for number, report in enumerate(self._reports):
            taken |= report & bits
            self._reports[number] = report & (~bits | ATTEND_INBOX)
        return taken
