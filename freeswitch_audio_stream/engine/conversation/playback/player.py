"""What the server wants the caller to hear: media.play, checkpoints, media.clear, streamAudio, binary audio."""

from __future__ import annotations

from typing import Any, Callable, Protocol

from ....audio import Samples, decode, l16_to_samples
from ....protocols.messages import PlayAudio
from ....realtime.alike_audio import AlikeAudio
from ....realtime.counters import Statistics
from ....realtime.path import MediaPath, SettledMark
from ....realtime.records import (ATTEND_MARK, ATTEND_PLAYBACK_FULL, ATTEND_PLAYBACK_IDLE, ATTEND_PLAYBACK_LEVEL,
                                  ATTEND_PLAYBACK_OVERRUN, ATTEND_PLAYBACK_STARTED)
from ...dispatch.timers import Timers
from ...events.reports import Reporter
from .heard_items import HeardItems
from .talk_spurts import TalkSpurts

OnSettled = Callable[[str], None]
"""Told what became of a mark: "played" or "cleared"."""


class PlaybackListener(Protocol):
    """Tells the server what becomes of its audio; each as the method of `ProtocolSession` of that name."""

    def checkpoint(self, name: str, status: str) -> None:
        """A checkpoint is settled."""

    def heard(self, item: str, milliseconds: int, complete: bool) -> None:
        """The caller has heard so much of an item."""

    def overflowed(self, queued_ms: int) -> None:
        """Audio did not fit into the queue."""

    def playback_level(self, is_high: bool) -> None:
        """The queue has filled up, or run down again."""


class Player:
    """The playback of one stream; only on the stream's dispatcher.

    A checkpoint is followed to its sample. Audio without one, and binary frames, are reported as a whole: see
    `TalkSpurts`.
    """

    def __init__(self, path: MediaPath, reporter: Reporter, timers: Timers, tells_each: bool,
                 server: PlaybackListener, on_started: Callable[[], None]) -> None:
        """`tells_each`: whether each message has its event, rather than each talk spurt and each checkpoint. `server`
        is told what becomes of its audio; `on_started` is called when the caller hears something after silence.
        """
        self._server = server
        self._was_high = False
        self._path = path
        self._reporter = reporter
        self._tells_each = tells_each
        self._on_started = on_started
        self._marks: dict[int, Callable[[SettledMark], None]] = {}
        self._next_number = 0
        self._chunks = 0
        self._chunks_waiting = 0
        self._talk_spurts = TalkSpurts(path, reporter, timers)
        self._items = HeardItems(self._mark_item, server.heard)
        self._own_end = 0     # where the queue ended when audio of a text message was last queued
        self._odd_byte = b""  # half a sample: the other half begins the next binary message

    def play(self, message: PlayAudio) -> None:
        """Queue audio behind what waits."""
        samples = decode(message.audio, message.encoding)
        before = self._path.statistics()
        self._items.before(message.item, before.queued)
        accepted = self._path.play(samples, message.rate)
        self._own_end = before.queued + accepted
        if message.item is not None:
            self._items.queued(message.item, before.queued, before.queued + accepted, message.rate)
        self._talk_spurts.announce(accepted)
        tells = self._tells_each or message.checkpoint is not None or not self._talk_spurts.is_open
        if tells and (accepted > 0 or len(samples) == 0):
            self._reporter.fire("media_play_start", checkpoint=message.checkpoint, sampleRate=message.rate,
                                durationMs=1000 * accepted // message.rate, queuedMs=_queued_ms(before))
        if message.checkpoint is not None:
            self.checkpoint(message.checkpoint)
        elif accepted > 0:
            self._talk_spurts.begin()

    def _play_own(self, samples: Samples, rate: int) -> int:
        accepted = self._path.play(samples, rate)
        self._own_end = self._path.statistics().queued
        return accepted

    def play_chunk(self, samples: Samples, rate: int, size: int) -> None:
        """Queue a streamAudio of `size` bytes; its begin and end are told as ``play`` events."""
        self._chunks += 1
        self._chunks_waiting += 1
        number = self._chunks
        begins = self._mark(lambda status: self._chunk_begins(number, status))
        self._talk_spurts.announce(self._play_own(samples, rate))
        ends = self._mark(lambda status: self._chunk_done(number, size, status))
        if not ends:
            self._chunks_waiting -= 1
        if not (begins and ends):
            self._reporter.error("checkpoints", "too many chunks wait to be played to tell of each: it plays all the "
                                 "same; send longer chunks")

    def _chunk_begins(self, number: int, status: str) -> None:
        if status == "played":
            self._tell({"event": "chunk_started", "seq": number})

    def _chunk_done(self, number: int, size: int, status: str) -> None:
        self._chunks_waiting -= 1
        self._tell({"event": "chunk_played" if status == "played" else "chunk_cleared", "seq": number, "size": size,
                    "remaining": self._chunks_waiting})
        if self._chunks_waiting == 0:
            self._tell({"event": "queue_completed", "total_chunks": self._chunks})

    def _tell(self, body: dict[str, Any]) -> None:
        self._reporter.emit("play", body)

    def new_connection(self) -> None:
        """What comes from now on begins with a whole sample, and is of other items."""
        self._odd_byte = b""
        self._items.forget()
        self._path.alike.forget()

    def play_binary(self, data: bytes, rate: int) -> None:
        """Queue a binary message that did not come by the compiled way (the connection has deflate)."""
        data = self._odd_byte + data
        self._odd_byte = data[len(data) // 2 * 2:]
        self._play_own(l16_to_samples(data[:len(data) // 2 * 2]), rate)

    def checkpoint(self, name: str, position: int | None = None) -> None:
        """Put a checkpoint behind what waits; or behind what waited when the message came that asks for it, whose
        `Message.play_position` is given.
        """
        if not self._mark(lambda status: self._reached(name, status), self._behind_own(position)):
            self._reporter.error("checkpoints", f"too many checkpoints wait to be reached: {name!r} is ignored")

    def when_heard(self, job: Callable[[], None]) -> None:
        """Do something when the caller has heard what waits, or will not hear it any more."""
        if not (self.is_busy and self._mark(lambda status: job())):
            job()

    def _behind_own(self, position: int | None) -> int | None:
        # Audio of text messages is queued when they are read, later than they came.
        return None if position is None else max(position, self._own_end)

    def _mark(self, on_settled: OnSettled, position: int | None = None) -> bool:
        return self._set_mark(lambda mark: on_settled("played" if mark.was_played else "cleared"), position)

    def _mark_item(self, on_settled: Callable[[SettledMark], None]) -> bool:
        if self._set_mark(on_settled):
            return True
        self._reporter.error("checkpoints", "too many checkpoints wait to be reached: the server is not told how much "
                             "of its answer the caller has heard")
        return False

    def _set_mark(self, on_settled: Callable[[SettledMark], None], position: int | None = None) -> bool:
        number = self._next_number
        self._next_number += 1
        self._marks[number] = on_settled
        if self._path.mark(number, position):
            return True
        del self._marks[number]
        return False

    def _reached(self, checkpoint: str, status: str) -> None:
        self._server.checkpoint(checkpoint, status)
        self._reporter.fire("media_play_complete", checkpoint=checkpoint, status=status)

    def clear(self, position: int | None = None) -> None:
        """Throw away what waits, or what waited when a message came, as `checkpoint`; its checkpoints come back as
        cleared.
        """
        position = self._behind_own(position)
        self._talk_spurts.end_if_heard()
        # A mark behind it tells when it is gone, and the checkpoints before it.
        if self._talk_spurts.take() and not self._mark(self._talk_spurts.tell, position):
            self._talk_spurts.tell("cleared")
        self._items.clear(self._path.statistics().queued)
        self._talk_spurts.cleared(self._path.clear(position))

    def pause(self, paused: bool) -> None:
        """Hold back what waits, or let it play on."""
        self._path.pause_playback(paused)
        if paused:
            self._talk_spurts.end_if_heard()

    def attend(self, bits: int) -> None:
        """Take in what the core reports (ATTEND_…)."""
        if bits & ATTEND_PLAYBACK_STARTED:
            self._on_started()
            self._talk_spurts.notice_frames()
        if bits & ATTEND_MARK:
            self._take_marks()
            self._talk_spurts.notice_frames()  # they may be what the caller hears next
        if bits & ATTEND_PLAYBACK_IDLE:
            self._talk_spurts.quiet()
        if bits & ATTEND_PLAYBACK_OVERRUN:
            self._reporter.error("playback_full", "the playback queue is full: the newest audio is dropped; send less "
                                 "ahead, send media.clear, or raise playback-secs")
            self._server.overflowed(self.queued_ms)
        if bits & ATTEND_PLAYBACK_LEVEL and self._path.playback_is_high != self._was_high:
            self._was_high = not self._was_high
            self._server.playback_level(self._was_high)
        if bits & ATTEND_PLAYBACK_FULL:
            self._reporter.error("playback_full", "the playback queue is full: no more is read from the server until "
                                 "some of it has been played, so what it sends now waits in the network; send 20 ms of "
                                 "audio every 20 ms, or raise playback-secs")

    def _take_marks(self) -> None:
        for mark in self._path.take_marks():
            on_settled = self._marks.pop(mark.number, None)
            if on_settled is not None:
                on_settled(mark)

    def abandon(self) -> None:
        """What waits will never be heard."""
        statistics = self._path.statistics()
        heard = statistics.queued - statistics.play_waiting  # marks taken after this know better
        self._take_marks()
        self._items.abandon(heard)
        marks, self._marks = self._marks, {}
        for number, on_settled in marks.items():
            on_settled(SettledMark(number, False, heard))
        self._talk_spurts.end_if_heard()
        self._talk_spurts.end("cleared")

    @property
    def takes_binary(self) -> bool:
        """Whether binary messages are audio to be played."""
        return self._path.format.binary_playback

    @property
    def alike(self) -> AlikeAudio:
        """Which messages of audio the core is to queue by itself."""
        return self._path.alike

    @property
    def queued_ms(self) -> int:
        """Milliseconds of audio that wait to be heard."""
        return _queued_ms(self._path.statistics())

    @property
    def is_paused(self) -> bool:
        """Whether what waits is held back."""
        return self._path.playback_paused

    @property
    def is_busy(self) -> bool:
        """Whether there is anything that the caller has not heard yet."""
        return bool(self._marks) or not self._path.has_been_heard


def _queued_ms(statistics: Statistics) -> int:
    return 1000 * statistics.play_waiting // max(1, statistics.play_rate)
