"""What the server wants the caller to hear: media.play, checkpoints, media.clear, binary audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ..audio import decode
from ..protocols.messages import PlayAudio
from ..realtime.layout import ATTEND_MARK, ATTEND_PLAYBACK_IDLE, ATTEND_PLAYBACK_OVERRUN, ATTEND_PLAYBACK_STARTED
from ..realtime.path import MediaPath
from .reports import Reporter


@dataclass(frozen=True)
class _Mark:
    checkpoint: str | None
    is_play: bool


class Player:
    """The playback of one stream; only on the stream's dispatcher."""

    def __init__(self, path: MediaPath, reporter: Reporter, answer: Callable[[str, str], None]) -> None:
        """`answer(name, status)` tells the server what became of a checkpoint."""
        self._path = path
        self._reporter = reporter
        self._answer = answer
        self._marks: dict[int, _Mark] = {}
        self._next_mark = 0
        self._live = False

    def play(self, message: PlayAudio) -> None:
        """Queue audio behind what waits."""
        samples = decode(message.audio, message.encoding)
        self._reporter.fire("media_play_start", checkpoint=message.checkpoint, sampleRate=message.rate,
                            durationMs=1000 * len(samples) // message.rate, queuedMs=self.queued_ms)
        accepted = self._path.play(samples, message.rate)
        if accepted < len(samples):
            lost = 1000 * (len(samples) - accepted) // message.rate
            self._reporter.error("playback_full", f"the playback queue is full: {lost} ms of audio were dropped; send "
                                 "less ahead, send media.clear, or raise playback-secs")
        self._mark(_Mark(message.checkpoint, True))

    def checkpoint(self, name: str) -> None:
        """Put a checkpoint behind what waits."""
        self._mark(_Mark(name, False))

    def clear(self) -> None:
        """Throw away what waits; its checkpoints come back as cleared."""
        self._path.clear()

    def _mark(self, mark: _Mark) -> None:
        number = self._next_mark
        self._next_mark += 1
        self._marks[number] = mark
        if not self._path.mark(number):
            del self._marks[number]
            self._reporter.error("checkpoints", "too many checkpoints wait to be reached: "
                                 f"{mark.checkpoint or 'the end of an audio'} will not be reported")

    def attend(self, bits: int) -> None:
        """Take in what the core reports (ATTEND_…)."""
        if bits & ATTEND_PLAYBACK_STARTED and not self._marks and not self._live:
            # Audio without a message of its own: binary frames.
            self._live = True
            self._reporter.fire("media_play_start", format="binary")
        if bits & ATTEND_MARK:
            for number, played in self._path.take_marks():
                mark = self._marks.pop(number, None)
                if mark is not None:
                    self._settle(mark, "played" if played else "cleared")
        if bits & ATTEND_PLAYBACK_IDLE and self._live:
            self._live = False
            self._reporter.fire("media_play_complete", format="binary", status="played")
        if bits & ATTEND_PLAYBACK_OVERRUN:
            self._reporter.error("playback_full", "the playback queue is full: the newest audio is dropped; send less "
                                 "ahead, send media.clear, or raise playback-secs")

    def _settle(self, mark: _Mark, status: str) -> None:
        if mark.checkpoint is not None:
            self._answer(mark.checkpoint, status)
        self._reporter.fire("media_play_complete", checkpoint=mark.checkpoint, status=status)

    def abandon(self) -> None:
        """The call is over: what waits will never be heard."""
        for mark in self._marks.values():
            self._settle(mark, "cleared")
        self._marks.clear()

    @property
    def queued_ms(self) -> int:
        """Milliseconds that wait to be played."""
        statistics = self._path.statistics()
        return 1000 * statistics.play_waiting // max(1, statistics.play_rate)
