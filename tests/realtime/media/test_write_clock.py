"""The write clock: step by step at a time of the test's choice, and live on its own thread."""

from __future__ import annotations

import ctypes
import threading
from typing import Callable, Iterator

import numpy as np
import pytest

from freeswitch_audio_stream.realtime.records import ATTEND_CLOCK_OFF, ATTEND_PLAYBACK_IDLE, ATTEND_WRITE_CODEC
from freeswitch_audio_stream.switch.layouts import Codec

from .. import natives
from ..fake_leg import CS_EXECUTE, CS_HANGUP, FakeFreeSwitch, FakeLeg
from ..open_stream import OpenStream
from ..sound import Samples, noise

Opening = Callable[..., OpenStream]
OFF = -1
MUTEX = 0x5EED


class Clock:
    """A write clock without a thread, for streams that the real one does not know; its time is `now`, µs."""

    def __init__(self, *streams: OpenStream) -> None:
        self.now = 10 ** 9
        self.streams = streams
        self.leg: FakeLeg = streams[0].leg
        self.codec = Codec(mutex=MUTEX)
        for stream in streams:
            stream.field["clock_thread"] = natives.pthread_self()
            stream.path.set_write_codec(ctypes.addressof(self.codec), self.leg.implementation.impl_id)
        self._due = {stream: self.now for stream in streams}

    def tick(self, stream: OpenStream) -> int:
        """Serve one stream; answers when it wants to be served again."""
        written = len(self.leg.frames)
        due: int = natives.tick(stream.path.address, self.now)
        if len(self.leg.frames) > written:
            # The core took the time from the machine's clock.
            for one in self.streams:
                one.field["last_write"] = self.now
            stream.field["clock_written"] = self.now
        return due

    def run(self, microseconds: int, foreign: Iterator[int] = iter(())) -> list[int]:
        """Serve whatever is due until then; somebody else writes at the times of `foreign`. When we wrote."""
        end = self.now + microseconds
        start = self.now
        wrote: list[int] = []
        strange = next(foreign, None)
        while True:
            nearest = min((due for due in self._due.values() if due != OFF), default=end)
            if strange is not None and start + strange <= min(nearest, end):
                self.now = start + strange
                for stream in self.streams:
                    stream.field["last_write"] = stream.field["last_foreign_write"] = self.now
                strange = next(foreign, None)
                continue
            if nearest >= end:
                self.now = end
                return wrote
            self.now = max(self.now, nearest)
            for stream, due in self._due.items():
                if due != OFF and due <= self.now:
                    before = len(self.leg.frames)
                    self._due[stream] = self.tick(stream)
                    wrote += [self.now - start] * (len(self.leg.frames) - before)


@pytest.mark.parametrize("rate, ptime, channels", [
    (8000, 20, 1), (16000, 10, 1), (48000, 20, 2), (8000, 60, 1), (8000, 30, 1), (24000, 40, 1)])
def test_a_frame_per_packet_time_while_there_is_something_to_play(open_stream: Opening, rate: int, ptime: int,
                                                                  channels: int) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(rate, ptime, channels)
    clock = Clock(stream)
    assert clock.tick(stream) == OFF and not stream.leg.frames
    samples = rate * ptime // 1000
    spoken = noise(10 * samples)
    stream.path.play(spoken, rate)
    assert clock.run(20 * 1000 * ptime) == [1000 * ptime * number for number in range(10)]
    heard = np.concatenate(stream.leg.heard).reshape(-1, channels)
    assert np.array_equal(heard, np.repeat(spoken, channels).reshape(-1, channels))
    for frame in stream.leg.frames:
        assert frame.codec == ctypes.addressof(clock.codec)
        assert (frame.datalen, frame.buflen) == (2 * samples * channels,) * 2
        assert (frame.samples, frame.rate, frame.channels) == (samples, rate, channels)
        assert frame.flags == 0


def test_a_mark_alone_or_a_clear_is_worth_a_frame(open_stream: Opening) -> None:
    stream = open_stream()
    clock = Clock(stream)
    stream.path.mark(5)
    assert clock.run(200_000) == [0]
    assert [mark[:2] for mark in stream.path.take_marks()] == [(5, True)]
    stream.path.play(noise(1000), 8000)
    stream.path.clear()
    assert clock.tick(stream) != OFF
    assert clock.tick(stream) == OFF
    assert not stream.leg.heard[-1].any()


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_steps_aside_while_somebody_else_writes(open_stream: Opening, ptime: int) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(8000, ptime)
    clock = Clock(stream)
    stream.path.play(noise(8000), 8000)
    frames = 1_000_000 // (1000 * ptime)
    # Up to a third of a frame early or late.
    foreign = [1000 * ptime * number + (number % 3 - 1) * 300 * ptime for number in range(1, frames)]
    wrote = clock.run(1_500_000, iter([0, *foreign]))
    assert wrote and wrote[0] > foreign[-1] + 1000 * ptime, "frames of two writers would be twice the rate"
    assert wrote[0] <= foreign[-1] + 150_000
    assert np.diff(wrote).tolist() == [1000 * ptime] * (len(wrote) - 1)


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_two_streams_on_one_leg_write_it_once(open_stream: Opening, ptime: int) -> None:
    first = open_stream()
    first.leg.set_write_codec(8000, ptime)
    second = open_stream(leg=first.leg)
    clock = Clock(first, second)
    first.path.play(np.full(8000, 100, np.int16), 8000)
    second.path.play(np.full(12000, 1000, np.int16), 8000)
    wrote = clock.run(3_000_000)
    steps = np.diff(wrote)
    assert steps.min() >= 1000 * ptime, "frames of two clocks would be twice the rate"
    assert steps.max() <= 2000 * ptime, "one takes over from the other"
    heard = np.concatenate(first.leg.heard)
    assert heard[:8000].tolist() == [1100] * 8000
    assert heard[8000:12000].tolist() == [1000] * 4000 and not heard[12000:].any()


def test_catches_up_a_little_and_forgives_a_lot(open_stream: Opening) -> None:
    stream = open_stream()
    clock = Clock(stream)
    stream.path.play(noise(16000), 8000)
    assert clock.tick(stream) == clock.now + 20_000
    due = clock.now + 20_000
    clock.now += 70_000  # three frames late: they are made good at once
    assert clock.tick(stream) == due + 20_000
    assert clock.tick(stream) == due + 40_000
    assert clock.tick(stream) == due + 60_000 > clock.now
    clock.now += 10_000_000  # the machine slept: they are not
    assert clock.tick(stream) == clock.now + 20_000


def test_not_while_the_leg_is_not_ready(open_stream: Opening) -> None:
    stream = open_stream()
    clock = Clock(stream)
    stream.path.play(noise(320), 8000)
    for state, ready in ((CS_HANGUP, True), (CS_HANGUP + 2, True), (CS_EXECUTE, False)):
        stream.leg.state, stream.leg.ready = state, ready
        assert clock.tick(stream) > clock.now
        clock.now += 200_000
        assert not stream.leg.frames
    stream.leg.ready = True
    clock.tick(stream)
    assert len(stream.leg.frames) == 1


def test_asks_for_a_codec_that_suits_the_leg(open_stream: Opening) -> None:
    stream = open_stream()
    clock = Clock(stream)
    stream.path.play(noise(16000), 8000)
    stream.path.set_write_codec(0, 0)
    assert clock.run(100_000) == [] and stream.attention() & ATTEND_WRITE_CODEC
    stream.path.set_write_codec(ctypes.addressof(clock.codec), stream.leg.implementation.impl_id)
    assert len(clock.run(100_000)) >= 4
    stream.leg.set_write_codec(16000, 20)
    written = len(stream.leg.frames)
    clock.run(100_000)
    assert len(stream.leg.frames) == written and stream.attention() & ATTEND_WRITE_CODEC
    stream.path.set_write_codec(ctypes.addressof(clock.codec), stream.leg.implementation.impl_id)
    clock.run(100_000)
    assert stream.leg.frames[-1].rate == 16000 and stream.leg.frames[-1].datalen == 640


def test_unlocks_our_codec_where_the_leg_swaps_it(open_stream: Opening, switch: FakeFreeSwitch) -> None:
    stream = open_stream()
    clock = Clock(stream)
    switch.unlocked.clear()
    stream.path.play(noise(480), 8000)
    clock.tick(stream)
    assert switch.unlocked == []
    stream.leg.speaks_l16 = True
    clock.now += 20_000
    clock.tick(stream)
    assert switch.unlocked == [MUTEX]
    clock.now += 20_000
    clock.tick(stream)
    assert switch.unlocked == [MUTEX] * 2
    assert stream.leg.frames[-1].codec == ctypes.addressof(clock.codec), "a swapped codec is not used again"


# Live.


def park(stream: OpenStream) -> Codec:
    """Have the real write clock look after the leg."""
    codec = Codec(mutex=MUTEX)
    stream.path.set_write_codec(ctypes.addressof(codec), stream.leg.implementation.impl_id)
    stream.attach_playback()
    return codec


def wait_to_hear(stream: OpenStream, samples: int) -> Samples:
    """What the caller has heard, frames of silence left out, once it is that much.

    A frame reaches the caller a little after the core has told of what is in it.
    """
    def sounding() -> list[Samples]:
        return [frame for frame in list(stream.leg.heard) if frame.any()]
    stream.wait_until(lambda: sum(map(len, sounding())) >= samples)
    return np.concatenate(sounding())[:samples]


def wait_for_marks(stream: OpenStream) -> list[tuple[int, bool]]:
    """The next marks that are settled."""
    settled: list[tuple[int, bool]] = []

    def look() -> bool:
        settled.extend(mark[:2] for mark in stream.path.take_marks())
        return bool(settled)
    stream.wait_until(look)
    return settled


def test_a_parked_leg_hears_what_is_played(open_stream: Opening) -> None:
    stream = open_stream()
    codec = park(stream)
    spoken = noise(3 * 1600)
    for turn in range(3):
        stream.path.play(spoken[turn * 1600:(turn + 1) * 1600], 8000)
        stream.wait_for(ATTEND_PLAYBACK_IDLE)
        assert np.array_equal(wait_to_hear(stream, (turn + 1) * 1600), spoken[:(turn + 1) * 1600])
        stream.path.mark(turn)
        assert wait_for_marks(stream) == [(turn, True)]
    assert codec.mutex == MUTEX


def test_several_parked_legs_at_once(open_stream: Opening) -> None:
    streams = [open_stream() for _ in range(8)]
    codecs = []
    for number, stream in enumerate(streams):
        stream.leg.set_write_codec(8000, [10, 20, 30, 60][number % 4])
        codecs.append(park(stream))
        stream.path.play(noise(2000, number), 8000)
    for number, stream in enumerate(streams):
        assert np.array_equal(wait_to_hear(stream, 2000), noise(2000, number))


def test_the_clock_lets_go_when_it_is_told_to(open_stream: Opening) -> None:
    idle, playing, unused = open_stream(), open_stream(), open_stream()
    codecs = [park(stream) for stream in (idle, playing, unused)]
    idle.path.play(noise(160), 8000)
    idle.wait_for(ATTEND_PLAYBACK_IDLE)
    playing.path.play(noise(80000), 8000)
    playing.wait_until(lambda: bool(playing.leg.frames))
    for stream in (idle, playing, unused):
        stream.path.stop_clock()
        stream.wait_for(ATTEND_CLOCK_OFF)
        assert not stream.field["clock_on"]
        written = len(stream.leg.frames)
        # Nothing wakes it again: it answers, and writes no more.
        stream.path.play(noise(160), 8000)
        stream.wait_for(ATTEND_CLOCK_OFF)
        assert len(stream.leg.frames) == written
    assert len(codecs) == 3


def test_a_writer_of_another_thread_is_foreign(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.enable_playback(0)
    stream.field["has_playback"] = 0  # the real clock is not called
    assert stream.field["last_foreign_write"] == 0
    writer = threading.Thread(target=stream.leg.play_silence)
    writer.start()
    writer.join()
    assert stream.field["last_foreign_write"] == stream.field["last_write"] > 0
    stream.field["clock_thread"] = natives.pthread_self()
    before = int(stream.field["last_foreign_write"])
    stream.leg.play_silence()
    assert stream.field["last_foreign_write"] == before
    assert before <= stream.field["last_write"] <= natives.monotonic_us()
