"""Sounds to put in, and what is to be expected of them behind the resampler."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from freeswitch_audio_stream.realtime.media.resampler import HALF_LENGTH

Samples = NDArray[np.int16]
Signal = NDArray[np.float64]


def noise(count: int, seed: int = 0, loud: int = 32767) -> Samples:
    """White noise, different for every seed."""
    return np.random.default_rng(seed).integers(-loud, loud, count).astype(np.int16)


def smooth(rate: int, seconds: float, top: float = 3000, seed: int = 0) -> Samples:
    """Noise below `top` Hz, which every rate can carry."""
    count = int(rate * seconds)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum[np.fft.rfftfreq(count, 1 / rate) > top] = 0
    sound = np.fft.irfft(spectrum, count)
    return np.asarray(np.rint(sound / np.abs(sound).max() * 20000), np.int16)


def tone(frequency: float, rate: int, seconds: float = 0.5, amplitude: float = 20000) -> Samples:
    """A sine that begins at zero."""
    time = np.arange(int(rate * seconds)) / rate
    return np.rint(amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def delay(from_rate: int, to_rate: int) -> float:
    """Seconds by which a converted sound lags: half the filter."""
    return 0.0 if from_rate == to_rate else HALF_LENGTH / min(from_rate, to_rate)


def settling(from_rate: int, to_rate: int) -> int:
    """Samples at `to_rate` after which the filter is full."""
    return int(2 * delay(from_rate, to_rate) * to_rate) + 10


def expected(spoken: Samples, from_rate: int, to_rate: int) -> Signal:
    """What should be heard of `spoken`: soxr's best conversion, later by our delay; wraps at its ends."""
    if from_rate == to_rate:
        return spoken.astype(np.float64)
    converted = soxr.resample(spoken.astype(np.float64), from_rate, to_rate, quality="VHQ")
    shift = delay(from_rate, to_rate) * to_rate
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(len(converted)) * shift)
    return np.asarray(np.fft.irfft(np.fft.rfft(converted) * turns, len(converted)))


def inner(heard: Samples, spoken: Samples, from_rate: int, to_rate: int) -> tuple[Signal, Signal]:
    """What was heard and what should have been, without the ends, where the filter is not full."""
    wanted = expected(spoken, from_rate, to_rate)
    edge = settling(from_rate, to_rate)
    part = slice(edge, min(len(heard), len(wanted)) - edge)
    return heard[part].astype(np.float64), wanted[part]


def correlation(heard: Samples, spoken: Samples, from_rate: int, to_rate: int) -> float:
    """1.0 where the sound that was heard is the sound that was spoken."""
    return float(np.corrcoef(*inner(heard, spoken, from_rate, to_rate))[0, 1])


def component(signal: Signal, frequency: float, rate: int) -> complex:
    """Amplitude and phase of one frequency; the window leaks far less than what is looked for."""
    window = np.kaiser(len(signal), 14)
    turns = np.exp(-2j * np.pi * frequency * np.arange(len(signal)) / rate)
    return complex(2 * np.dot(signal * window, turns) / window.sum())


def decibels(ratio: float) -> float:
    """A ratio of amplitudes in dB."""
    return float(20 * np.log10(max(ratio, 1e-9)))
