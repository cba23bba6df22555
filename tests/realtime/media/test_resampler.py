"""The resampler against python-soxr's VHQ, its own promises, and every way of cutting frames."""

from __future__ import annotations

from itertools import permutations
from typing import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import ALL_RATES, RATES
from freeswitch_audio_stream.realtime.media.resampler import (TABLE_RATES, ResamplerTables, convert_block, design,
                                                              select_rates)
from freeswitch_audio_stream.realtime.records import MAX_TAPS, RESAMPLER, RESAMPLER_BLOCK, RESAMPLER_WORK

from .. import natives
from ..sound import Samples, component, correlation, decibels, delay, inner, noise, settling, smooth, tone

PAIRS = list(permutations(RATES, 2))
ALL_PAIRS = list(permutations(ALL_RATES, 2))
PTIMES = (10, 20, 30, 40, 60)
TABLES = ResamplerTables()
for _rate in TABLE_RATES:
    TABLES.prepare(_rate)


class Converter:
    """One resampler of the compiled core with memory of its own."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._work = np.zeros(RESAMPLER_WORK, np.float32)
        self._record = np.zeros(1, RESAMPLER)
        self._record["work"] = self._work.ctypes.data
        self.address = int(self._record.ctypes.data)
        assert select_rates(self.address, TABLES.address, from_rate, to_rate) == 1
        self.up, self.down = int(self._record[0]["up"]), int(self._record[0]["down"])

    def convert(self, samples: Samples) -> Samples:
        target = np.full(len(samples) * self.up // self.down + 8, 12345, np.int16)
        source = np.ascontiguousarray(samples, np.int16)
        count = convert_block(self.address, source.ctypes.data, len(source), target.ctypes.data)
        assert (target[count:] == 12345).all(), "wrote behind what it answered"
        return target[:count]

    def convert_all(self, frames: Iterable[Samples]) -> Samples:
        return np.concatenate([self.convert(frame) for frame in frames])

    def convert_exactly(self, samples: Samples, outputs: int) -> Samples:
        target = np.zeros(max(outputs, 1), np.int16)
        source = np.ascontiguousarray(samples, np.int16)
        natives.convert_exact(self.address, source.ctypes.data, len(source), target.ctypes.data, outputs)
        return target[:outputs]


def frames_of(samples: Samples, sizes: Iterable[int]) -> list[Samples]:
    frames, start = [], 0
    for size in sizes:
        frames.append(samples[start:start + size])
        start += size
    return frames


@pytest.mark.parametrize("ptime", PTIMES)
@pytest.mark.parametrize("from_rate, to_rate", PAIRS)
def test_agrees_with_soxr(from_rate: int, to_rate: int, ptime: int) -> None:
    spoken = smooth(from_rate, 0.6, 0.8 * min(from_rate, to_rate) / 2)
    frame = from_rate * ptime // 1000
    heard = Converter(from_rate, to_rate).convert_all(frames_of(spoken, [frame] * (len(spoken) // frame)))
    assert correlation(heard, spoken, from_rate, to_rate) > 0.999
    ours, theirs = inner(heard, spoken, from_rate, to_rate)
    assert decibels(float(np.std(ours - theirs) / np.std(theirs))) < -40


@pytest.mark.parametrize("from_rate, to_rate", ALL_PAIRS)
def test_pass_band_and_what_is_not_in_it(from_rate: int, to_rate: int) -> None:
    nyquist = min(from_rate, to_rate) / 2
    skip = settling(from_rate, to_rate)
    for part in (0.02, 0.25, 0.5, 0.7, 0.85):
        played = tone(part * nyquist, from_rate)
        heard = Converter(from_rate, to_rate).convert(played)[skip:].astype(float)
        assert abs(decibels(abs(component(heard, part * nyquist, to_rate)) / 20000)) < 0.5
        for image in images(part * nyquist, from_rate, to_rate):
            assert decibels(abs(component(heard, image, to_rate)) / 20000) <= -60


def images(frequency: float, from_rate: int, to_rate: int) -> list[float]:
    """Where a tone would appear again if the filter let it."""
    found = [abs(turn * from_rate + side * frequency) for turn in (1, 2) for side in (-1, 1)]
    return [image for image in found if image < 0.99 * to_rate / 2]


@pytest.mark.parametrize("from_rate, to_rate", [pair for pair in ALL_PAIRS if pair[0] > pair[1]])
def test_no_aliases(from_rate: int, to_rate: int) -> None:
    # From the lower rate's Nyquist frequency up: what must not come down into the band.
    skip = settling(from_rate, to_rate)
    for frequency in np.linspace(1.005 * to_rate / 2, 0.99 * from_rate / 2, 7):
        heard = Converter(from_rate, to_rate).convert(tone(frequency, from_rate))[skip:].astype(float)
        assert decibels(float(np.sqrt(2 * np.mean(heard ** 2))) / 20000) <= -60


@pytest.mark.slow
@pytest.mark.parametrize("from_rate, to_rate", ALL_PAIRS)
def test_delay_is_half_the_filter_at_every_frequency(from_rate: int, to_rate: int) -> None:
    expected = delay(from_rate, to_rate)
    assert expected <= 0.003
    for part in (0.03, 0.3, 0.8):
        frequency = part * min(from_rate, to_rate) / 2
        played = tone(frequency, from_rate).astype(float)
        heard = Converter(from_rate, to_rate).convert(played.astype(np.int16)).astype(float)
        turn = component(played, frequency, from_rate) / component(heard, frequency, to_rate)
        assert abs(np.angle(turn * np.exp(-2j * np.pi * frequency * expected))) < 0.01


@pytest.mark.parametrize("from_rate, to_rate", ALL_PAIRS)
def test_silence_is_silence_and_a_constant_is_constant(from_rate: int, to_rate: int) -> None:
    assert not Converter(from_rate, to_rate).convert(np.zeros(1000, np.int16)).any()
    settled = Converter(from_rate, to_rate).convert(np.full(2000, 10000, np.int16))
    assert (np.abs(settled[settling(from_rate, to_rate):].astype(int) - 10000) <= 1).all()


def test_full_scale_is_clipped_not_wrapped() -> None:
    square = np.tile(np.repeat(np.array([32767, -32768], np.int16), 20), 50)
    heard = Converter(8000, 48000).convert(square)
    steady = heard[settling(8000, 48000):]
    assert steady.max() == 32767 and steady.min() == -32768
    assert (np.abs(np.diff(steady.astype(int))) < 20000).all()


@given(st.sampled_from(PAIRS), st.lists(st.integers(0, 3000), min_size=1, max_size=12), st.booleans())
def test_the_share_of_every_frame_comes_out_at_once(pair: tuple[int, int], sizes: list[int],
                                                    silent: bool) -> None:
    converter = Converter(*pair)
    given_so_far = 0
    taken_so_far = 0
    for size in sizes:
        frame = np.zeros(size, np.int16) if silent else noise(size, given_so_far)
        given_so_far += size
        taken_so_far += len(converter.convert(frame))
        assert taken_so_far == -(-given_so_far * converter.up // converter.down)


@given(st.sampled_from(PAIRS), st.lists(st.integers(1, 700), min_size=2, max_size=20))
def test_cuts_do_not_matter(pair: tuple[int, int], sizes: list[int]) -> None:
    speech = noise(sum(sizes))
    at_once = Converter(*pair).convert(speech)
    in_parts = Converter(*pair).convert_all(frames_of(speech, sizes))
    assert np.array_equal(at_once, in_parts)


@given(st.sampled_from(PAIRS), st.lists(st.integers(0, RESAMPLER_BLOCK), min_size=1, max_size=10),
       st.integers(0, 2000))
def test_inputs_for_is_the_least_that_yields(pair: tuple[int, int], history: list[int], wanted: int) -> None:
    converter = Converter(*pair)
    for size in history:
        converter.convert(np.zeros(size, np.int16))
    needed = natives.inputs_for(converter.address, wanted)
    assert natives.outputs_for(converter.address, needed) >= wanted
    if needed > 0:
        assert natives.outputs_for(converter.address, needed - 1) < wanted


@given(st.sampled_from(PAIRS), st.lists(st.integers(0, 500), min_size=1, max_size=12))
def test_exactly_what_is_asked_for_and_the_same_signal(pair: tuple[int, int], wanted: list[int]) -> None:
    # As playback does it: just the inputs that a frame needs, the frame, and nothing lost in between.
    speech = noise(12 * 500 * 6 + 100)
    converter = Converter(*pair)
    position = 0
    parts = []
    for count in wanted:
        inputs = natives.inputs_for(converter.address, count)
        if inputs > RESAMPLER_BLOCK:
            continue
        parts.append(converter.convert_exactly(speech[position:position + inputs], count))
        position += inputs
    expected = Converter(*pair).convert(speech)
    heard = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    assert np.array_equal(heard, expected[:len(heard)])


def test_equal_rates_change_nothing() -> None:
    speech = noise(5000)
    for rate in ALL_RATES:
        assert np.array_equal(Converter(rate, rate).convert(speech), speech)


def test_absent_input_is_silence() -> None:
    spoken, unspoken = Converter(8000, 16000), Converter(8000, 16000)
    target = np.ones(400, np.int16)
    assert convert_block(unspoken.address, 0, 200, target.ctypes.data) == 400
    assert np.array_equal(target, spoken.convert(np.zeros(200, np.int16)))


def test_unknown_rates_are_refused() -> None:
    record = np.zeros(1, RESAMPLER)
    assert select_rates(int(record.ctypes.data), TABLES.address, 88200, 8000) == 0
    assert select_rates(int(record.ctypes.data), ResamplerTables().address, 8000, 16000) == 0


def test_every_filter_fits_its_memory() -> None:
    assert set(TABLE_RATES) > set(ALL_RATES)
    for from_rate, to_rate in permutations(TABLE_RATES, 2):
        up, down, coefficients = design(from_rate, to_rate)
        assert from_rate * up == to_rate * down
        assert coefficients.shape == (up, coefficients.shape[1]) and coefficients.shape[1] <= MAX_TAPS
