"""The capture callbacks on a fake leg: what both sides of a call say, on the clock of the read side."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import ALL_RATES, RATES
from freeswitch_audio_stream.realtime.records import (ATTEND_OVERRUN, ATTEND_RATE, ATTEND_READ_CLOSED,
                                                      ATTEND_WRITE_CLOSED)
from freeswitch_audio_stream.testing.peers.websocket_end import WebSocketEnd, media

from ..fake_leg import Packet
from ..open_stream import OpenStream
from ..sound import Samples, Signal, correlation, expected, noise, smooth

Opening = Callable[..., OpenStream]
PTIMES = (10, 20, 30, 40, 60)
MISSING = -1  # 0xFF bytes: what the core puts where it has no audio
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


# The inbound track.


@pytest.mark.parametrize("ptime", PTIMES)
@pytest.mark.parametrize("rate", RATES)
def test_inbound_at_equal_rates_is_exact(open_stream: Opening, rate: int, ptime: int) -> None:
    stream = open_stream(rate=rate)
    spoken = noise(rate)
    frame = rate * ptime // 1000
    for start in range(0, rate, frame):
        stream.leg.read(spoken[start:start + frame], rate)
    assert np.array_equal(stream.captured()[:, 0], spoken)
    counters = stream.path.statistics()
    assert (counters.captured, counters.waiting, counters.captured_frames) == (rate, rate, -(-rate // frame))


@pytest.mark.parametrize("wire_rate", RATES)
@pytest.mark.parametrize("rate", ALL_RATES)
def test_inbound_resampled(open_stream: Opening, rate: int, wire_rate: int) -> None:
    stream = open_stream(rate=wire_rate)
    spoken = smooth(rate, 0.4)
    frame = rate // 50
    for start in range(0, len(spoken), frame):
        stream.leg.read(spoken[start:start + frame], rate)
    heard = stream.captured()[:, 0]
    assert len(heard) == -(-len(spoken) * wire_rate // rate)
    assert correlation(heard, spoken, rate, wire_rate) > 0.999


@pytest.mark.parametrize("channels", [2, 3])
def test_a_stereo_codec_is_mixed_down(open_stream: Opening, channels: int) -> None:
    stream = open_stream(rate=48000)
    spoken = noise(960 * channels * 5)
    for start in range(0, len(spoken), 960 * channels):
        stream.leg.read(spoken[start:start + 960 * channels], 48000, channels)
    mono = spoken.reshape(-1, channels).astype(int).sum(axis=1) // channels
    assert np.array_equal(stream.captured()[:, 0], mono)


def test_missing_audio_becomes_silence(open_stream: Opening) -> None:
    stream = open_stream()
    quiet = noise(160, loud=3)
    for frame in (noise(160), np.full(160, MISSING, np.int16), quiet):
        stream.leg.read(frame, 8000)
    heard = stream.captured()[:, 0]
    assert np.array_equal(heard, np.concatenate([noise(160), np.zeros(160, np.int16), quiet]))
    stereo = np.full(320, MISSING, np.int16)
    stream.leg.read(stereo, 8000, 2)
    assert not stream.captured()[-160:, 0].any()


def test_packets_that_piled_up_are_taken_at_once(open_stream: Opening) -> None:
    stream = open_stream()
    for number in range(4):
        stream.leg.packets[stream.leg.read_bug].append(Packet(noise(160, number), 8000, 1))
    stream.leg.read(noise(160, 4), 8000)
    spoken = np.concatenate([noise(160, number) for number in range(5)])
    assert np.array_equal(stream.captured()[:, 0], spoken)
    stream.leg.close_bugs()


def test_close_is_told_for_either_side(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.close_bugs()
    bits = stream.attention()
    assert bits & ATTEND_READ_CLOSED and bits & ATTEND_WRITE_CLOSED


def test_a_paused_stream_captures_nothing_and_keeps_no_backlog(open_stream: Opening) -> None:
    stream = open_stream(tracks="both")
    for paused in (False, True, False):
        stream.path.pause(paused)
        assert stream.path.paused == paused
        for _ in range(5):
            stream.leg.write(noise(160, 1))
            stream.leg.read(noise(160, 2), 8000)
        assert not any(stream.leg.packets.values())
    heard = stream.captured()
    assert len(heard) == 10 * 160
    assert np.array_equal(heard[:, 0], np.tile(noise(160, 2), 10))


# The ring.


def test_overrun_drops_the_newest_and_tells_once(open_stream: Opening) -> None:
    stream = open_stream(buffer_secs=1)
    spoken = noise(12000)
    for start in range(0, 12000, 160):
        stream.leg.read(spoken[start:start + 160], 8000)
    assert np.array_equal(stream.captured()[:, 0], spoken[:8000])
    assert stream.path.statistics().dropped == 4000
    assert stream.attention() == ATTEND_OVERRUN
    stream.leg.read(spoken[:160], 8000)
    assert stream.attention() == 0, "once in an episode"
    stream.take_captured()
    for start in range(0, 8160, 160):
        stream.leg.read(spoken[start:start + 160], 8000)
    assert stream.attention() == ATTEND_OVERRUN, "a new episode, after the ring had been half empty"
    assert np.array_equal(stream.captured()[:, 0], spoken[:8000])
    assert stream.path.statistics().dropped == 4320


@pytest.mark.slow
@with_fixtures
@given(steps=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 25)), max_size=30))
def test_the_ring_goes_round_and_starts_again(open_stream: Opening, steps: list[tuple[int, int]]) -> None:
    stream = open_stream(tracks="both", buffer_secs=1)
    said = heard = 0
    expected: list[Samples] = []
    for frames, taken in steps:
        for _ in range(frames):
            stream.leg.read(noise(160, said), 8000)
            if len(expected) - heard < 50:
                expected.append(noise(160, said))
            said += 1
        # Take whole frames, as a loop that lags behind would.
        taken = min(taken, len(expected) - heard)
        ring = stream.captured()[:160 * taken, 0]
        assert np.array_equal(ring, np.concatenate([np.zeros(0, np.int16), *expected[heard:heard + taken]]))
        stream.field["capture_read"] += 160 * taken
        heard += taken
    assert stream.path.statistics().dropped == 160 * (said - len(expected))


def test_a_ring_that_is_kept_empty_takes_no_more_than_two_pages(open_stream: Opening) -> None:
    stream = open_stream(buffer_secs=2)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    heard = []
    for number in range(200):
        stream.leg.read(noise(160, number), 8000)
        heard.append(media(server.messages(1)[0])[1])
        stream.wait_until(lambda: stream.path.statistics().waiting == 0)
    spoken = np.concatenate([noise(160, number) for number in range(200)])
    assert np.array_equal(np.concatenate(heard), spoken)
    assert not stream.path._arena.part("capture_ring_pages")[2 * 4096:].any()


# Both sides.


def talk(stream: OpenStream, inbound: Samples, outbound: Samples, frame: int = 160) -> None:
    """Both sides write and read in turn."""
    for start in range(0, len(inbound), frame):
        stream.leg.write(outbound[start:start + frame])
        stream.leg.read(inbound[start:start + frame], 8000)


def test_both(open_stream: Opening) -> None:
    stream = open_stream(tracks="both")
    inbound, outbound = noise(3200, 1), noise(3200, 2)
    talk(stream, inbound, outbound)
    heard = stream.captured()
    assert np.array_equal(heard[:, 0], inbound)
    # One frame is held back.
    assert not heard[:160, 1].any() and np.array_equal(heard[160:, 1], outbound[:-160])


def test_outbound(open_stream: Opening) -> None:
    stream = open_stream(tracks="outbound")
    outbound = noise(3200, 2)
    talk(stream, noise(3200, 1), outbound)
    assert np.array_equal(stream.captured()[160:, 0], outbound[:-160])


def test_mixed(open_stream: Opening) -> None:
    stream = open_stream(tracks="mixed")
    inbound, outbound = noise(3200, 1), noise(3200, 2)
    talk(stream, inbound, outbound)
    late = np.concatenate([np.zeros(160, np.int16), outbound[:-160]])
    assert np.array_equal(stream.captured()[:, 0], np.clip(inbound.astype(int) + late, -32768, 32767))


@pytest.mark.parametrize("tracks", ["outbound", "both", "mixed"])
def test_a_leg_that_nobody_writes_to_gives_silence(open_stream: Opening, tracks: str) -> None:
    stream = open_stream(tracks=tracks, rate=16000)
    for _ in range(10):
        stream.leg.read(np.full(160, MISSING, np.int16), 8000)
    heard = stream.captured()
    assert len(heard) == 10 * 320 and not heard.any()


@pytest.mark.parametrize("tracks", ["outbound", "both", "mixed"])
@pytest.mark.parametrize("rate", ALL_RATES)
def test_the_read_clock_has_no_drift(open_stream: Opening, tracks: str, rate: int) -> None:
    stream = open_stream(tracks=tracks, rate=44100, buffer_secs=10)
    frame = rate * 20 // 1000
    for _ in range(100):
        stream.leg.read(np.zeros(frame, np.int16), rate)
    assert abs(stream.path.statistics().captured - 100 * frame * 44100 / rate) <= 1


@pytest.mark.parametrize("tracks", ["outbound", "both"])
@pytest.mark.parametrize("late", [1, 2, 3])
def test_a_writer_a_frame_late_leaves_no_hole(open_stream: Opening, tracks: str, late: int) -> None:
    # Every so often a write comes only behind the next read, and then two of them come together.
    stream = open_stream(tracks=tracks)
    outbound = noise(160 * 60, 3)
    frames = list(outbound.reshape(-1, 160))
    waiting: list[Samples] = []
    for number, frame in enumerate(frames):
        waiting.append(frame)
        if number % (late + 1) != 1:
            for one in waiting:
                stream.leg.write(one)
            waiting.clear()
        stream.leg.read(np.zeros(160, np.int16), 8000)
    heard = stream.captured()[:, -1]
    begin = int(np.flatnonzero(heard)[0])
    assert begin <= 320
    assert np.array_equal(heard[begin:], outbound[:len(heard) - begin])


@pytest.mark.parametrize("write_ptime", PTIMES)
@pytest.mark.parametrize("read_ptime", PTIMES)
@pytest.mark.parametrize("jitter", [False, True])
def test_sides_of_different_packet_times(open_stream: Opening, read_ptime: int, write_ptime: int,
                                         jitter: bool) -> None:
    stream = open_stream(tracks="both", buffer_secs=10)
    stream.leg.set_write_codec(8000, write_ptime)
    outbound = noise(8 * 3000, 4)
    events = [(number * read_ptime + 5.0, "read", number) for number in range(2400 // read_ptime)]
    for number in range(3000 // write_ptime):
        # Late by up to a frame of its own, and never out of order.
        late = (number % 3) * 0.45 * write_ptime if jitter else 0
        events.append((number * write_ptime + late, "write", number))
    for _, side, number in sorted(events):
        if side == "write":
            size = 8 * write_ptime
            stream.leg.write(outbound[number * size:(number + 1) * size])
        else:
            stream.leg.read(np.zeros(8 * read_ptime, np.int16), 8000)
    heard = stream.captured()[:, 1]
    begin = int(np.flatnonzero(heard)[0])
    assert begin <= 8 * (2 * read_ptime + 2 * write_ptime)
    assert np.array_equal(heard[begin:], outbound[:len(heard) - begin])


def test_a_spurt_shorter_than_two_frames_is_heard(open_stream: Opening) -> None:
    stream = open_stream(tracks="outbound")
    spurts = [noise(160, number) for number in range(3)]
    for spurt in spurts:
        stream.leg.write(spurt)
        for _ in range(6):
            stream.leg.read(np.zeros(160, np.int16), 8000)
    heard = stream.captured()[:, 0]
    assert np.array_equal(heard[heard != 0], np.concatenate(spurts)[np.concatenate(spurts) != 0])


def test_the_backlog_of_a_hold_goes(open_stream: Opening) -> None:
    # Nobody reads for a while: afterwards the newest is heard, with hardly any delay.
    stream = open_stream(tracks="outbound")
    for number in range(40):
        stream.leg.write(noise(160, number))
    stream.leg.read(np.zeros(160, np.int16), 8000)
    stream.leg.write(noise(160, 40))
    stream.leg.read(np.zeros(160, np.int16), 8000)
    heard = stream.captured()[:, 0]
    assert np.array_equal(heard[-160:], noise(160, 39))


@pytest.mark.parametrize("write_rate, channels", [(8000, 1), (16000, 1), (48000, 2), (24000, 1)])
def test_the_written_side_has_a_rate_of_its_own(open_stream: Opening, write_rate: int, channels: int) -> None:
    stream = open_stream(tracks="both", rate=16000)
    stream.leg.set_write_codec(write_rate, 20, channels)
    spoken = smooth(write_rate, 0.5)
    size = write_rate // 50
    for start in range(0, len(spoken), size):
        stream.leg.write(np.repeat(spoken[start:start + size], channels))
        stream.leg.read(np.zeros(160, np.int16), 8000)
    heard = stream.captured()[320:, 1]
    assert correlation(heard, spoken, write_rate, 16000) > 0.999


# A codec that changes.


def test_a_read_codec_that_changes_goes_on(open_stream: Opening) -> None:
    stream = open_stream(rate=16000, buffer_secs=10)
    parts = []
    for number, (rate, ptime) in enumerate([(8000, 20), (16000, 20), (48000, 10), (8000, 60), (44100, 20)]):
        spoken = smooth(rate, 0.6, seed=number)
        size = rate * ptime // 1000
        before = stream.path.statistics().captured
        for start in range(0, len(spoken), size):
            stream.leg.read(spoken[start:start + size], rate)
        parts.append((rate, spoken, before, stream.path.statistics().captured))
    heard = stream.captured()[:, 0]
    for rate, spoken, first, last in parts:
        assert abs(last - first - len(spoken) * 16000 / rate) <= 1, "no sample more or less than its share"
        assert correlation(heard[first:last], spoken, rate, 16000) > 0.999


def test_a_write_codec_that_changes_goes_on(open_stream: Opening) -> None:
    stream = open_stream(tracks="outbound", rate=16000, buffer_secs=10)
    spoken: list[Signal] = []
    for number, (rate, ptime) in enumerate([(8000, 20), (48000, 20), (16000, 20)]):
        stream.leg.set_write_codec(rate, ptime)
        sound = smooth(rate, 0.6, seed=number)
        spoken.append(expected(sound, rate, 16000))
        for frame in sound.reshape(-1, rate * ptime // 1000):
            stream.leg.write(frame)
            stream.leg.read(np.zeros(160, np.int16), 8000)
    heard = stream.captured()[320:, 0]
    assert np.corrcoef(heard, np.concatenate(spoken)[:len(heard)])[0, 1] > 0.99
    seams = [int(16000 * 0.6 * number) for number in (1, 2)]
    for seam in seams:
        assert np.flatnonzero(np.abs(heard[seam:].astype(int)) > 300)[0] < 0.006 * 16000


def test_a_rate_that_cannot_be_converted_is_told_and_keeps_the_clock(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.read(np.zeros(1764, np.int16), 88200)
    assert stream.attention() & ATTEND_RATE
    assert len(stream.captured()) == 160 and not stream.captured().any()
    stream.leg.read(noise(160), 8000)
    assert np.array_equal(stream.captured()[160:, 0], noise(160))
    stream.leg.set_write_codec(88200, 20)
    other = open_stream(tracks="outbound")
    other.leg.set_write_codec(88200, 20)
    other.leg.write(noise(1764))
    assert other.attention() & ATTEND_RATE


def test_frames_without_audio_are_passed_over(open_stream: Opening) -> None:
    stream = open_stream()
    stream.leg.read(np.zeros(0, np.int16), 8000)
    stream.leg.read(noise(160), 0)
    assert len(stream.captured()) == 0
    stream.leg.read(noise(160), 8000)
    assert len(stream.captured()) == 160
