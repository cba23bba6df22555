"""What is said about resamplers, of some whose answers are known."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.benchmarks.measures import resampler, speex
from freeswitch_audio_stream.benchmarks.measures.converters import Ours, Soxr
from freeswitch_audio_stream.benchmarks.measures.response import delays, response

TONES = 12


class Doubling:
    """8 to 16 kHz with every sample said twice: strong images. It gives out everything `late` frames later."""

    name = "doubling"

    def __init__(self, late: int = 0) -> None:
        self._waiting: list[Samples] = []
        self._late = late

    def convert(self, samples: Samples) -> Samples:
        self._waiting.append(np.repeat(samples, 2))
        return self._waiting.pop(0) if len(self._waiting) > self._late else np.zeros(0, np.int16)

    def repeat(self, samples: Samples, times: int) -> None:
        for _ in range(times):
            np.repeat(samples, 2)

    def close(self) -> None:
        pass


def test_a_zero_order_hold_is_seen_through() -> None:
    found = response(Doubling, 8000, 16000, TONES)
    for place, level in zip(found.places, found.levels):
        if place < 1.0:  # 20 log cos(πf/fs): the two samples of a pair, half a sample apart
            assert level == pytest.approx(20 * np.log10(np.cos(np.pi * place / 4)), abs=0.05)
        else:
            assert level == pytest.approx(20 * np.log10(np.abs(np.cos(np.pi * place / 4))), abs=0.05)
    assert found.ripple > 1 and found.worst > -4


@pytest.mark.parametrize("late", [0, 3])
def test_delay_and_what_is_held_back_are_told_apart(late: int) -> None:
    delay, held = delays(partial(Doubling, late), 8000, 16000)
    assert delay == pytest.approx(1000 * 0.5 / 16000, abs=0.01)  # the middle of a pair
    assert held == 20.0 * late


@pytest.mark.parametrize("from_rate, to_rate", [(8000, 16000), (48000, 8000), (44100, 8000)])
def test_ours_is_what_it_promises(from_rate: int, to_rate: int) -> None:
    found = response(partial(Ours, from_rate, to_rate), from_rate, to_rate, TONES)
    assert found.ripple < 0.5 and found.worst < -60
    delay, held = delays(partial(Ours, from_rate, to_rate), from_rate, to_rate)
    assert delay == pytest.approx(3.0, abs=0.05) and held == 0.0


def test_soxr_is_better_and_later() -> None:
    found = response(partial(Soxr, 8000, 16000), 8000, 16000, TONES)
    assert found.ripple < 0.1 and found.worst < -80
    delay, held = delays(partial(Soxr, 8000, 16000), 8000, 16000)
    assert delay == pytest.approx(0.0, abs=0.05) and held > 20


def test_speex_as_freeswitch_has_it() -> None:
    library = speex.find_library(None)
    if library is None:
        pytest.skip("there is no libspeexdsp")
    found = response(partial(speex.Speex, library, 8000, 16000), 8000, 16000, TONES)
    assert found.worst < -20
    assert 0.5 < delays(partial(speex.Speex, library, 8000, 16000), 8000, 16000)[0] < 5


def test_the_table_without_speex(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.setattr(resampler, "CONVERSIONS", ((8000, 16000), (16000, 8000)))
    results = resampler.measure(tmp_path, 4)
    assert [row[0] for row in results.tables[0].rows] == [
        f"{rates}: {name}" for rates in ("8000 to 16000", "16000 to 8000") for name in ("ours", "soxr VHQ")]
    assert all(isinstance(cell, float) for row in results.tables[0].rows for cell in row[1:])
    assert results.tables[0].notes[-1].startswith("Speex is left out")
    assert {curve.panel for curve in results.curves} == {"8000 to 16000 Hz: level (dB)", "16000 to 8000 Hz: level (dB)"}
