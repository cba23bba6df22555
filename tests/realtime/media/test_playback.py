"""The playback queue and the callback that plays it: order, positions, marks, clears and changing codecs."""

from __future__ import annotations

import threading
from itertools import accumulate
from typing import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import ALL_RATES
from freeswitch_audio_stream.realtime.media.resampler import HALF_LENGTH
from freeswitch_audio_stream.realtime.records import (ATTEND_MARK, ATTEND_PLAYBACK_IDLE, ATTEND_PLAYBACK_OVERRUN,
                                                      ATTEND_PLAYBACK_STARTED, ATTEND_RATE, ATTEND_REPLACE_CLOSED)

from ..fake_leg import FakeLeg
from ..open_stream import PATIENCE, OpenStream
from ..sound import Samples, correlation, delay, noise, smooth, tone

Opening = Callable[..., OpenStream]
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def play_out(stream: OpenStream) -> Samples:
    """Frames until the queue is empty."""
    heard = [stream.leg.play_silence()]
    while stream.path.statistics().play_waiting or int(stream.field["play_flush"]):
        heard.append(stream.leg.play_silence())
    return np.concatenate(heard)


def taken(stream: OpenStream) -> list[tuple[int, bool]]:
    """Number and fate of the marks settled since the last call."""
    return [(mark.number, mark.was_played) for mark in stream.path.take_marks()]


def marks(stream: OpenStream) -> list[tuple[int, bool]]:
    """The marks settled since the last call, of which the core has told."""
    told = bool(stream.attention() & ATTEND_MARK)
    settled = taken(stream)
    assert told or not settled
    return settled


# At equal rates: sample-exact.


@with_fixtures
@given(bursts=st.lists(st.integers(1, 2000), min_size=1, max_size=8),
       ptime=st.sampled_from([10, 20, 30, 40, 60]),
       between=st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_bursts_play_in_order_without_gaps(open_stream: Opening, bursts: list[int], ptime: int,
                                           between: list[int]) -> None:
    stream = open_stream(playback_secs=60)
    stream.leg.set_write_codec(8000, ptime)
    spoken = noise(sum(bursts))
    heard = []
    for size, end, frames in zip(bursts, accumulate(bursts), between):
        assert stream.path.play(spoken[end - size:end], 8000) == size
        # As long as the queue is not empty it makes no difference when a burst comes.
        ready = stream.path.statistics().play_waiting // stream.leg.frame_samples
        heard += [stream.leg.play_silence() for _ in range(min(frames, ready))]
    sound = np.concatenate(heard + [play_out(stream)])
    assert np.array_equal(sound[:len(spoken)], spoken)
    assert not sound[len(spoken):].any()
    assert stream.path.statistics().played == len(spoken)


def test_nothing_to_play_leaves_a_frame_alone(open_stream: Opening) -> None:
    stream = open_stream()
    for _ in range(3):
        assert np.array_equal(stream.leg.play(noise(160)), noise(160))
    assert stream.leg.replaced == 0
    stream.path.play(noise(10, 1), 8000)
    stream.leg.play_silence()
    assert stream.leg.replaced == 1
    assert np.array_equal(stream.leg.play(noise(160)), noise(160))
    assert stream.leg.replaced == 1


def test_the_tail_shorter_than_a_frame_plays(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.play(noise(160 + 33), 8000)
    heard = stream.leg.play_silence(2)
    assert np.array_equal(heard[:193], noise(193)) and not heard[193:].any()


def test_mixes_into_what_the_call_plays_and_clips(open_stream: Opening) -> None:
    stream = open_stream()
    ours, theirs = noise(160, 1), noise(160, 2)
    stream.path.play(ours, 8000)
    heard = stream.leg.play(theirs)
    assert np.array_equal(heard, np.clip(ours.astype(int) + theirs, -32768, 32767))


@pytest.mark.parametrize("channels", [2, 3])
def test_every_channel_hears_it(open_stream: Opening, channels: int) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(8000, 20, channels)
    stream.path.play(noise(500, loud=10000), 8000)
    theirs = noise(160 * channels, 5, loud=10000)
    first = stream.leg.play(theirs) - theirs
    heard = np.concatenate([first, play_out(stream)]).reshape(-1, channels)
    for channel in range(channels):
        assert np.array_equal(heard[:500, channel], noise(500, loud=10000))


def test_a_frame_of_any_size_is_filled_exactly(open_stream: Opening) -> None:
    # The size follows the writer's packet time, not the codec's.
    stream = open_stream()
    spoken = noise(5000)
    stream.path.play(spoken, 8000)
    heard = [stream.leg.play(np.zeros(size, np.int16)) for size in (80, 1, 161, 0, 960, 333, 4000)]
    assert np.array_equal(np.concatenate(heard)[:5000], spoken)


def test_start_and_end_are_told(open_stream: Opening) -> None:
    stream = open_stream()
    for first in (ATTEND_MARK, 0):  # the rate of what is played is an entry of its own, until it changes
        stream.path.play(noise(320), 8000)
        stream.leg.play_silence()
        assert stream.attention() == ATTEND_PLAYBACK_STARTED | first
        stream.leg.play_silence()
        assert stream.attention() == ATTEND_PLAYBACK_IDLE
        stream.leg.play_silence()
        assert stream.attention() == 0


def test_close_is_told(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.close_bugs()
    assert stream.attention() & ATTEND_REPLACE_CLOSED


# Marks.


@with_fixtures
@given(segments=st.lists(st.integers(0, 700), min_size=1, max_size=12), ptime=st.sampled_from([10, 20, 60]))
def test_marks_come_with_the_frame_that_plays_their_sample(open_stream: Opening, segments: list[int],
                                                           ptime: int) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(8000, ptime)
    for number, size in enumerate(segments):
        stream.path.play(noise(size), 8000)
        assert stream.path.mark(number)
    places = list(accumulate(segments))
    played = 0
    settled: list[int] = []
    while len(settled) < len(segments):
        stream.leg.play_silence()
        played += stream.leg.frame_samples
        settled += [number for number, heard in marks(stream) if heard]
        assert settled == [number for number, place in enumerate(places) if place <= played]


@pytest.mark.parametrize("from_rate, to_rate", [(8000, 48000), (48000, 8000), (24000, 16000), (44100, 8000)])
def test_a_resampled_mark_comes_when_its_sample_is_heard(open_stream: Opening, from_rate: int,
                                                         to_rate: int) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(to_rate, 10)
    for number in range(10):
        stream.path.play(smooth(from_rate, 0.0337), from_rate)
        stream.path.mark(number)
    for frame in range(1, 40):
        stream.leg.play_silence()
        # The time of the caller's ear: what was heard up to the end of this frame.
        heard = frame * 0.010 - delay(from_rate, to_rate)
        for number, played in marks(stream):
            place = (number + 1) * int(from_rate * 0.0337) / from_rate
            assert played and heard - 0.0101 <= place <= heard + 0.0005
    assert int(stream.field["marks_read"]) == int(stream.field["marks_write"])


def test_a_mark_alone_is_played_with_the_next_frame(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.mark(7)
    assert taken(stream) == []
    stream.leg.play_silence()
    assert marks(stream) == [(7, True)]


def test_too_many_marks_are_refused_and_taken_ones_make_room(open_stream: Opening) -> None:
    stream = open_stream()
    accepted = 0
    while stream.path.mark(accepted):
        accepted += 1
    assert accepted == 1024
    stream.leg.play_silence()
    assert not stream.path.mark(1), "played, but not taken yet"
    assert taken(stream) == [(number, True) for number in range(1024)]
    assert stream.path.mark(1)


def test_a_rate_that_finds_no_room_for_its_mark_is_dropped_not_played_wrong(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.play(noise(160), 8000)
    while stream.path.mark(0):
        pass
    assert stream.path.play(noise(160), 16000) == 0
    assert stream.path.statistics().play_dropped == 160
    assert stream.path.play(noise(160, 1), 8000) == 160
    assert np.array_equal(stream.leg.play_silence(2), np.concatenate([noise(160), noise(160, 1)]))


# Clear.


def test_clear_silences_within_one_frame(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.play(noise(8000), 8000)
    stream.path.mark(1)
    stream.leg.play_silence(3)
    stream.attention()
    stream.path.clear()
    assert not stream.leg.play_silence().any()
    assert marks(stream) == [(1, False)]
    counters = stream.path.statistics()
    assert (counters.played, counters.cleared, counters.play_waiting) == (480, 8000 - 480, 0)
    assert not stream.leg.play_silence(3).any()


def test_what_comes_behind_a_clear_plays_and_its_marks_survive(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.play(noise(1000), 8000)
    stream.path.mark(1)
    stream.leg.play_silence()
    stream.path.clear()
    stream.path.mark(2)  # at the very sample at which the clear ends
    stream.path.play(noise(200, 7), 8000)
    stream.path.mark(3)
    heard = stream.leg.play_silence()
    assert np.array_equal(heard, noise(200, 7)[:160])
    assert marks(stream) == [(1, False), (2, True)]
    heard = stream.leg.play_silence()
    assert np.array_equal(heard[:40], noise(200, 7)[160:])
    assert marks(stream) == [(3, True)]


def test_a_settled_mark_says_how_much_was_heard(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.play(noise(400), 8000)
    stream.path.mark(1)
    stream.path.play(noise(8000), 8000)
    stream.path.mark(2)
    stream.leg.play_silence(5)
    stream.path.clear()
    stream.path.play(noise(100), 8000)
    stream.path.mark(3)
    stream.leg.play_silence(2)
    assert stream.path.take_marks() == [(1, True, 480), (2, False, 800), (3, True, 8500)]


def test_what_the_filter_holds_back_was_not_heard(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(16000, 20)
    stream.path.play(smooth(8000, 0.5), 8000)
    stream.path.mark(1)
    stream.leg.play_silence(3)
    stream.path.clear()
    stream.leg.play_silence()
    (_, was_played, heard), = stream.path.take_marks()
    assert not was_played and heard < 480 <= heard + 8000 * 0.003


def test_clears_in_a_row(open_stream: Opening) -> None:
    stream = open_stream()
    for number in range(5):
        stream.path.play(noise(300, number), 8000)
        stream.path.mark(number)
        stream.path.clear()
    assert not stream.leg.play_silence().any()
    assert marks(stream) == [(number, False) for number in range(5)]
    stream.path.clear()
    stream.path.play(noise(160, 8), 8000)
    assert np.array_equal(stream.leg.play_silence(), noise(160, 8))


def test_clear_forgets_the_filters_past_and_the_cleared_rate(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(16000, 20)
    stream.path.play(smooth(8000, 0.5), 8000)
    stream.leg.play_silence()
    stream.path.play(smooth(48000, 0.5), 48000)
    stream.path.clear()
    fresh = smooth(48000, 0.1, seed=4)
    stream.path.play(fresh, 48000)
    other = open_stream()
    other.leg.set_write_codec(16000, 20)
    other.path.play(fresh, 48000)
    assert np.array_equal(play_out(stream), play_out(other))


def test_clear_while_frames_are_written(open_stream: Opening) -> None:
    # A clear of one thread in the middle of a frame of another: every mark is settled once, in order.
    stream = open_stream()
    rounds = 300

    def speak() -> None:
        for number in range(rounds):
            stream.path.play(noise(170, number), 8000)
            stream.path.mark(number)
            stream.path.clear()
    speaker = threading.Thread(target=speak)
    speaker.start()
    settled: list[int] = []
    while len(settled) < rounds:
        stream.leg.play_silence()
        settled += [mark.number for mark in stream.path.take_marks()]
        assert speaker.is_alive() or stream.path.statistics().play_waiting == 0 or len(settled) <= rounds
    speaker.join(PATIENCE)
    assert settled == list(range(rounds))
    counters = stream.path.statistics()
    assert counters.played + counters.cleared == rounds * 170


# Pausing.


def test_a_pause_holds_everything_back_and_nothing_is_lost(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.play(noise(400), 8000)
    stream.path.mark(1)
    before = stream.leg.play_silence()
    stream.path.pause_playback(True)
    stream.path.play(noise(400, 2), 8000)
    assert not stream.leg.play_silence(5).any()
    assert marks(stream) == [] and stream.leg.replaced == 1
    stream.path.pause_playback(False)
    heard = np.concatenate([before, play_out(stream)])
    assert np.array_equal(heard[:800], np.concatenate([noise(400), noise(400, 2)]))
    assert marks(stream) == [(1, True)]


def test_a_clear_takes_effect_in_a_pause_too(open_stream: Opening) -> None:
    stream = open_stream()
    stream.path.play(noise(400), 8000)
    stream.path.mark(1)
    stream.leg.play_silence()
    stream.path.pause_playback(True)
    stream.path.clear()
    stream.attention()
    assert not stream.leg.play_silence().any()
    assert stream.attention() == ATTEND_MARK | ATTEND_PLAYBACK_IDLE
    assert taken(stream) == [(1, False)]
    stream.path.pause_playback(False)
    assert not stream.leg.play_silence().any() and stream.attention() == 0
    stream.path.play(noise(160), 8000)
    stream.leg.play_silence()
    assert stream.attention() == ATTEND_PLAYBACK_STARTED | ATTEND_PLAYBACK_IDLE


# The cap.


def test_the_newest_is_dropped_and_counted(open_stream: Opening) -> None:
    stream = open_stream(playback_secs=1)
    spoken = noise(9000)
    assert stream.path.play(spoken[:5000], 8000) == 5000
    assert stream.path.play(spoken[5000:], 8000) == 3000
    assert stream.attention() & ATTEND_PLAYBACK_OVERRUN
    assert stream.path.play(noise(100), 8000) == 0
    assert not stream.attention() & ATTEND_PLAYBACK_OVERRUN, "once in an episode"
    assert stream.path.statistics().play_dropped == 1100
    assert np.array_equal(play_out(stream)[:8000], spoken[:8000])
    stream.attention()
    assert stream.path.play(noise(8100), 8000) == 8000
    assert stream.attention() & ATTEND_PLAYBACK_OVERRUN, "a new episode after the queue was empty"


@pytest.mark.parametrize("rate", ALL_RATES)
def test_the_cap_is_in_seconds_at_any_rate(open_stream: Opening, rate: int) -> None:
    stream = open_stream(playback_secs=2)
    stream.leg.set_write_codec(rate, 20)
    spoken = noise(3 * rate)
    assert stream.path.play(spoken, rate) == 2 * rate
    assert np.array_equal(play_out(stream)[:2 * rate], spoken[:2 * rate])


def test_the_ring_goes_round(open_stream: Opening) -> None:
    # Never empty, so it never starts again at its beginning: many times its length.
    stream = open_stream(playback_secs=1)
    spoken = noise(64000 * 5)
    stream.leg.set_write_codec(64000, 60)
    queued = stream.path.play(spoken[:40000], 64000)
    heard = []
    while queued < len(spoken):
        heard.append(stream.leg.play_silence())
        queued += stream.path.play(spoken[queued:queued + 3840], 64000)
    heard.append(play_out(stream))
    assert np.array_equal(np.concatenate(heard)[:len(spoken)], spoken)


# Resampling.


@pytest.mark.parametrize("to_rate", [8000, 16000, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("from_rate", ALL_RATES)
def test_any_rate_on_any_leg(open_stream: Opening, from_rate: int, to_rate: int) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(to_rate, 20)
    spoken = smooth(from_rate, 0.5)
    for start in range(0, len(spoken), 1234):
        stream.path.play(spoken[start:start + 1234], from_rate)
    heard = play_out(stream)
    assert correlation(heard, spoken, from_rate, to_rate) > 0.999
    # Its full length is heard, the filter's own length included, and not a frame more.
    assert 0 <= len(heard) / to_rate - 0.5 - delay(from_rate, to_rate) < 0.0205


def test_the_filters_tail_is_heard(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(16000, 20)
    stream.path.play(np.full(160, 10000, np.int16), 8000)  # 20 ms, of which the filter still holds 3 ms
    heard = stream.leg.play_silence(2)
    assert abs(int(heard.astype(int).sum()) - 320 * 10000) < 320 * 10


def test_segments_of_different_rates_play_in_order(open_stream: Opening) -> None:
    stream = open_stream()
    rates = [8000, 16000, 24000, 48000, 16000, 44100, 8000]
    spoken = [smooth(rate, 0.2, seed=number) for number, rate in enumerate(rates)]
    for number, (rate, samples) in enumerate(zip(rates, spoken)):
        assert stream.path.play(samples, rate) == len(samples)
        stream.path.mark(number)
    stream.leg.set_write_codec(16000, 20)
    heard = play_out(stream)
    assert taken(stream) == [(number, True) for number in range(len(rates))]
    start = 0
    for rate, samples in zip(rates, spoken):
        # A segment is as long as it is; where it is converted, its filter's delay comes on top.
        length = -(-len(samples) * 16000 // rate) + round(delay(rate, 16000) * 16000)
        assert correlation(heard[start:start + length], samples, rate, 16000) > 0.999
        start += length
    assert not heard[start + 2:].any()


def zero_run(samples: Samples) -> int:
    """The longest stretch without sound."""
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 100)
    return int(np.diff(loud).max())


def pitch(samples: Samples, rate: int) -> float:
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples * window, 1 << 18))
    return float(np.argmax(spectrum) * rate / (1 << 18))


@pytest.mark.parametrize("from_rate", [8000, 16000, 24000, 48000])
def test_the_write_codec_changes_while_a_queue_plays(open_stream: Opening, from_rate: int) -> None:
    stream = open_stream()
    spoken = tone(440, from_rate, 2, 12000)
    stream.path.play(spoken, from_rate)
    stream.path.mark(1)
    heard_ms = 0.0
    for rate, ptime in ((8000, 20), (16000, 20), (48000, 10), (8000, 30)):
        stream.leg.set_write_codec(rate, ptime)
        heard = stream.leg.play_silence(300 // ptime)
        heard_ms += 1000 * len(heard) / rate
        assert abs(pitch(heard, rate) - 440) < 1
        # Nothing longer than what a filter needs to fill, at the beginning; inside, no gap at all.
        assert np.flatnonzero(np.abs(heard) > 1000)[0] <= 0.0045 * rate
        assert zero_run(heard) < 0.001 * rate
    assert marks(stream) == []
    # What was played keeps pace with what was heard: no change cost or repeated more than a filter's length.
    assert abs(1000 * stream.path.statistics().played / from_rate - heard_ms) <= 4 * 3 + 1


@pytest.mark.parametrize("from_rate, legs", [
    (8000, (16000, 48000, 24000, 44100, 32000)), (16000, (48000, 24000, 32000)),
    (24000, (48000, 32000, 44100))])
def test_a_leg_that_becomes_wider_or_narrower_above_the_source_hears_no_seam(
        open_stream: Opening, from_rate: int, legs: tuple[int, ...]) -> None:
    stream = open_stream()
    lag = HALF_LENGTH / from_rate
    stream.path.play(tone(440, from_rate, 1, 12000), from_rate)
    began = 0.0
    for rate in legs:
        stream.leg.set_write_codec(rate, 20)
        heard = stream.leg.play_silence(4)
        time = began + np.arange(len(heard)) / rate - lag
        expected = 12000 * np.sin(2 * np.pi * 440 * time)
        settled = time > 0.004  # the very first samples rise out of the silence before
        assert (np.abs(heard - expected)[settled] < 250).all()
        began += len(heard) / rate


def test_a_codec_whose_rate_cannot_be_converted_is_told_and_waits(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.set_write_codec(88200, 20)
    stream.path.play(noise(320), 8000)
    assert not stream.leg.play_silence(2).any()
    assert stream.attention() & ATTEND_RATE
    stream.leg.set_write_codec(8000, 20)
    assert np.array_equal(stream.leg.play_silence(2), noise(320))


def test_a_leg_without_a_codec_plays_nothing(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.implementation.actual_samples_per_second = 0
    stream.path.play(noise(160), 8000)
    assert not stream.leg.play(np.zeros(160, np.int16)).any()
    assert stream.path.statistics().play_waiting == 160


def test_many_threads_queue_at_once(open_stream: Opening) -> None:
    stream = open_stream(playback_secs=60)
    leg: FakeLeg = stream.leg

    def speak(voice: int) -> None:
        for turn in range(50):
            assert stream.path.play(np.full(97, voice * 100 + turn, np.int16), 8000) == 97
    speakers = [threading.Thread(target=speak, args=(voice,)) for voice in range(1, 5)]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join(PATIENCE)
    heard = np.concatenate([leg.play_silence(), play_out(stream)])[:4 * 50 * 97].reshape(-1, 97)
    assert (heard == heard[:, :1]).all(), "bursts are not torn"
    for voice in range(1, 5):
        assert heard[heard[:, 0] // 100 == voice, 0].tolist() == [voice * 100 + turn for turn in range(50)]
