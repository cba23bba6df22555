"""What a resampler does to sound: its response tone by tone, and its delay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from ...audio import Samples
from ..work import FRAME_MS
from .converters import Converter

PASS_BAND = 0.85
"""Of the lower Nyquist frequency; what the product promises to be flat."""
_AMPLITUDE = 16000.0
_TONE_SECONDS = 0.4
_SETTLING_SECONDS = 0.15
_FAINTEST_DB = -120.0

Make = Callable[[], Converter]


@dataclass(frozen=True)
class Response:
    """Of one resampler between two rates."""

    places: tuple[float, ...]
    """Frequencies over the lower Nyquist frequency, rising; from 1 on it is images or aliases."""
    levels: tuple[float, ...]
    """What is left there, in dB of the tone that went in."""

    @property
    def ripple(self) -> float:
        """The greatest deviation from 0 dB in the pass band."""
        return max(abs(level) for place, level in zip(self.places, self.levels) if place <= PASS_BAND)

    @property
    def worst(self) -> float:
        """The loudest image or alias."""
        return max(level for place, level in zip(self.places, self.levels) if place > 1)


def frames(samples: Samples, rate: int) -> Iterator[Samples]:
    """Whole frames of 20 ms."""
    size = rate * FRAME_MS // 1000
    for begin in range(0, len(samples) - size + 1, size):
        yield samples[begin:begin + size]


def stream(make: Make, samples: Samples, rate: int) -> list[Samples]:
    """What comes out for every frame of 20 ms."""
    converter = make()
    try:
        return [converter.convert(frame) for frame in frames(samples, rate)]
    finally:
        converter.close()


def response(make: Make, from_rate: int, to_rate: int, tones: int = 40) -> Response:
    """Send `tones` sines through it below the lower Nyquist frequency, and as many above it where they can be."""
    nyquist = min(from_rate, to_rate) / 2
    points: list[tuple[float, float]] = []
    for place in np.linspace(0.02, 0.99, tones):
        level, rest = _tone(make, place * nyquist, from_rate, to_rate)
        points.append((place, level))
        if to_rate > from_rate:
            points.append((2 - place, rest))  # of all its images, the nearest is the loudest
    if to_rate < from_rate:
        top = min(from_rate / 2, 2 * nyquist * to_rate) / nyquist
        points += [(place, _tone(make, place * nyquist, from_rate, to_rate)[1])
                   for place in np.linspace(1.01, min(2.0, 0.99 * top), tones)]
    points.sort()
    return Response(tuple(place for place, _ in points), tuple(level for _, level in points))


def _tone(make: Make, frequency: float, from_rate: int, to_rate: int) -> tuple[float, float]:
    """The level of a tone behind the resampler, and that of everything else there, in dB."""
    time = np.arange(int(_TONE_SECONDS * from_rate)) / from_rate
    sine = np.rint(_AMPLITUDE * np.sin(2 * np.pi * frequency * time)).astype(np.int16)
    heard = np.concatenate(stream(make, sine, from_rate)).astype(np.float64)
    heard = heard[int(_SETTLING_SECONDS * to_rate):]
    phase = 2 * np.pi * frequency * np.arange(len(heard)) / to_rate
    if frequency < to_rate / 2:
        parts = np.stack([np.sin(phase), np.cos(phase)], axis=1)
        weights = np.linalg.lstsq(parts, heard, rcond=None)[0]
        return _decibels(float(np.hypot(*weights))), _decibels(_amplitude(heard - parts @ weights))
    return _FAINTEST_DB, _decibels(_amplitude(heard))


def _amplitude(signal: NDArray[np.float64]) -> float:
    """Of the sine that has the same power."""
    return float(np.sqrt(2 * np.mean(signal ** 2))) if len(signal) else 0.0


def _decibels(amplitude: float) -> float:
    return max(_FAINTEST_DB, float(20 * np.log10(max(amplitude, 1e-12) / _AMPLITUDE)))


def delays(make: Make, from_rate: int, to_rate: int, seconds: float = 1.0) -> tuple[float, float]:
    """By how many ms sound lies later in what comes out, and by how many ms that falls behind what is due."""
    count = int(seconds * from_rate)
    noise = np.random.default_rng(1).standard_normal(count)
    spectrum = np.fft.rfft(noise)
    spectrum[np.fft.rfftfreq(count, 1 / from_rate) > 0.4 * min(from_rate, to_rate)] = 0
    sound = np.fft.irfft(spectrum, count)
    sent = np.rint(sound / np.abs(sound).max() * _AMPLITUDE).astype(np.int16)
    parts = stream(make, sent, from_rate)
    due = np.arange(1, len(parts) + 1) * to_rate * FRAME_MS // 1000
    behind = due - np.cumsum([len(part) for part in parts])
    wanted = soxr.resample(sent.astype(np.float64), from_rate, to_rate, quality="VHQ")
    return 1000 * _lag(np.concatenate(parts), wanted) / to_rate, 1000 * max(0, int(behind.max())) / to_rate


def _lag(heard: Sequence[float] | Samples, wanted: NDArray[np.float64]) -> float:
    """Return how many samples later `heard` is, parts of one included."""
    count = 2 * max(len(heard), len(wanted))
    cross = np.fft.irfft(np.fft.rfft(heard, count) * np.conj(np.fft.rfft(wanted, count)), count)
    peak = int(cross.argmax())
    before, at, after = cross[peak - 1], cross[peak], cross[(peak + 1) % count]
    part = 0.5 * (before - after) / (before - 2 * at + after)
    return (peak if peak < count / 2 else peak - count) + float(part)
