"""What the server wants the caller to hear: media.play, checkpoints, media.clear, binary audio."""

from __future__ import annotations

from typing import Callable

from ..audio import decode
from ..protocols.messages import PlayAudio
from ..realtime.layout import ATTEND_MARK, ATTEND_PLAYBACK_IDLE, ATTEND_PLAYBACK_OVERRUN, ATTEND_PLAYBACK_STARTED
from ..realtime.path import MediaPath
from .reports import Reporter


class Player:
    """The playback of one stream; only on the stream's dispatcher.

    A checkpoint is followed to its sample. Audio without one, and binary frames, are reported as a whole: complete
    when the queue has run empty.
    """

    def __init__(self, path: MediaPath, reporter: Reporter, answer: Callable[[str, str], None]) -> None:
        """`answer(name, status)` tells the server what became of a checkpoint."""
        self._path = path
        self._reporter = reporter
        self._answer = answer
        self._checkpoints: dict[int, str] = {}
        self._next_number = 0
        self._unnamed = False
        self._unnamed_status = "played"

    def play(self, message: PlayAudio) -> None:
        """Queue audio behind what waits."""
        samples = decode(message.audio, message.encoding)
        queued_ms = self.queued_ms
        accepted = self._path.play(samples, message.rate)
        if accepted > 0 or len(samples) == 0:
            self._reporter.fire("media_play_start", checkpoint=message.checkpoint, sampleRate=message.rate,
                                durationMs=1000 * accepted // message.rate, queuedMs=queued_ms)
        if message.checkpoint is not None:
            self.checkpoint(message.checkpoint)
        elif accepted > 0:
            self._unnamed, self._unnamed_status = True, "played"

    def checkpoint(self, name: str) -> None:
        """Put a checkpoint behind what waits."""
        number = self._next_number
        self._next_number += 1
        self._checkpoints[number] = name
        if not self._path.mark(number):
            del self._checkpoints[number]
            self._reporter.error("checkpoints", f"too many checkpoints wait to be reached: {name!r} is ignored")

    def clear(self) -> None:
        """Throw away what waits; its checkpoints come back as cleared."""
        self._unnamed_status = "cleared"
        self._path.clear()

    def attend(self, bits: int) -> None:
        """Take in what the core reports (ATTEND_…)."""
        if bits & ATTEND_PLAYBACK_STARTED and not self._unnamed and not self._checkpoints:
            # Audio without a message of its own: binary frames.
            self._unnamed, self._unnamed_status = True, "played"
            self._reporter.fire("media_play_start", format="binary")
        if bits & ATTEND_MARK:
            for number, played in self._path.take_marks():
                name = self._checkpoints.pop(number, None)
                if name is not None:
                    self._settle(name, "played" if played else "cleared")
        if bits & ATTEND_PLAYBACK_IDLE and self._unnamed:
            self._unnamed = False
            self._reporter.fire("media_play_complete", status=self._unnamed_status)
        if bits & ATTEND_PLAYBACK_OVERRUN:
            self._reporter.error("playback_full", "the playback queue is full: the newest audio is dropped; send less "
                                 "ahead, send media.clear, or raise playback-secs")

    def _settle(self, checkpoint: str, status: str) -> None:
        self._answer(checkpoint, status)
        self._reporter.fire("media_play_complete", checkpoint=checkpoint, status=status)

    def abandon(self) -> None:
        """The call is over: what waits will never be heard."""
        checkpoints, self._checkpoints = self._checkpoints, {}
        for name in checkpoints.values():
            self._settle(name, "cleared")
        if self._unnamed:
            self._unnamed = False
            self._reporter.fire("media_play_complete", status="cleared")

    @property
    def queued_ms(self) -> int:
        """Milliseconds that wait to be played."""
        statistics = self._path.statistics()
        return 1000 * statistics.play_waiting // max(1, statistics.play_rate)
