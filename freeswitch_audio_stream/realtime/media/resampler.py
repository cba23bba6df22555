"""Sample rate conversion: a polyphase windowed-sinc FIR.

Design: the prototype low-pass runs at ``up × from_rate``; its half length is 24 samples of the lower rate (3
ms at 8 kHz), its Kaiser window (β = 5.8) puts images and aliases 60 dB down, and its cut-off lies so that the
response is flat to 0.85 of the lower Nyquist frequency and gone at 1.0 of it. Every input frame yields its
exact share of samples at once: the number of outputs depends on positions only, never on the audio.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from ...native.atomics import float32_at, int16_at, int64_at, wide
from ...native.compiler import native, native_helper
from ...native.libc import clear, copy
from ..records import MAX_TAPS, RESAMPLER_BLOCK, resampler_at

TABLE_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 96000, 192000)
"""Every rate in Hz that the core converts from or to: audio.ALL_RATES, and what AudioSocket can have beyond."""
HALF_LENGTH = 24
_KAISER_BETA = 5.8
_CUTOFF = 0.92
_TABLE_WORDS = 4  # up, down, taps, address of coefficients


def _kaiser(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """The window at places from -1 to 1 (0 outside)."""
    inside = np.clip(1 - place ** 2, 0, None)
    window: NDArray[np.float64] = np.i0(_KAISER_BETA * np.sqrt(inside)) / np.i0(_KAISER_BETA)
    return window * (np.abs(place) <= 1)


@lru_cache(maxsize=None)
def design(from_rate: int, to_rate: int) -> tuple[int, int, NDArray[np.float32]]:
    """``(up, down, coefficients)``: float32 of shape (up, taps), each row one phase, oldest input first.

    Rates in Hz. Kept for ever: compiled code holds the addresses.
    """
    common = gcd(from_rate, to_rate)
    up, down = to_rate // common, from_rate // common
    taps = -(-2 * HALF_LENGTH * max(up, down) // up)
    lower_nyquist = min(from_rate, to_rate) / 2
    # The centre lies HALF_LENGTH samples of the lower rate back: the delay is a whole number of them.
    centre = HALF_LENGTH * max(up, down)
    time = (np.arange(taps * up) - centre) / (up * from_rate)
    prototype = np.sinc(2 * _CUTOFF * lower_nyquist * time) * _kaiser(np.arange(taps * up) / centre - 1)
    phases = prototype.reshape(taps, up).T[:, ::-1]
    # Each phase passes a constant unchanged, so no phase adds a tone of its own to the signal.
    phases = phases / phases.sum(axis=1, keepdims=True)
    if taps > MAX_TAPS:
        raise ValueError(f"{from_rate} to {to_rate} Hz would need {taps} taps")
    return up, down, np.ascontiguousarray(phases, dtype=np.float32)


class ResamplerTables:
    """Where the compiled core finds its filters: one row per pair of `TABLE_RATES`, filled in when needed."""

    def __init__(self) -> None:
        self._rows = np.zeros((len(TABLE_RATES), len(TABLE_RATES), _TABLE_WORDS), np.int64)
        self.address = int(self._rows.ctypes.data)

    def prepare(self, rate: int) -> None:
        """Make every filter from and to `rate` (Hz). Not on a media thread: it computes for milliseconds."""
        for other in TABLE_RATES:
            for pair in ((rate, other), (other, rate)):
                self._fill(*pair)

    def _fill(self, from_rate: int, to_rate: int) -> None:
        row = self._rows[TABLE_RATES.index(from_rate), TABLE_RATES.index(to_rate)]
        if from_rate == to_rate or row[0]:
            return
        up, down, coefficients = design(from_rate, to_rate)
        row[1:] = down, coefficients.shape[1], coefficients.ctypes.data
        row[0] = up  # last: a row counts as filled once `up` is set


@native_helper
def _rate_index(rate: int) -> int:
    for index, known in enumerate(TABLE_RATES):
        if known == rate:
            return index
    return -1


@native_helper
def select(resampler: int, tables: int, from_rate: int, to_rate: int) -> int:
    """Make a resampler convert between two rates (Hz); 0 where no filter is at hand.

    Its history is silence, unless the source goes on at the same rate: then it is what the last filter heard.
    """
    record = resampler_at(resampler)
    if record.from_rate == from_rate and record.to_rate == to_rate:
        return 1
    record.phase = 0
    before = record.taps if record.from_rate == from_rate else 0
    if from_rate == to_rate:
        record.up, record.down, record.taps = 1, 1, 0
    else:
        from_index, to_index = _rate_index(from_rate), _rate_index(to_rate)
        if from_index < 0 or to_index < 0:
            return 0
        row = int64_at(tables + 8 * _TABLE_WORDS * (from_index * len(TABLE_RATES) + to_index), _TABLE_WORDS)
        if row[0] == 0:
            return 0
        record.up, record.down, record.taps, record.coefficients = row[0], row[1], row[2], row[3]
        kept = min(before, record.taps)
        copy(record.work + 4 * (record.taps - kept), record.work + 4 * (before - kept), 4 * kept)
        clear(record.work, 4 * (record.taps - kept))
    record.from_rate, record.to_rate = from_rate, to_rate
    return 1


@native_helper
def outputs_for(resampler: int, inputs: int) -> int:
    """Return how many samples come out when `inputs` more go in."""
    record = resampler_at(resampler)
    span = inputs * record.up - record.phase
    if span <= 0:
        return 0
    return -(-span // record.down)


@native_helper
def inputs_for(resampler: int, outputs: int) -> int:
    """Return how many samples must go in so that `outputs` come out."""
    record = resampler_at(resampler)
    if outputs <= 0:
        return 0
    last = record.phase + (outputs - 1) * record.down
    return max(0, last // record.up + 1)


@native_helper
def convert_exact(resampler: int, source: int, inputs: int, target: int, outputs: int) -> None:
    """Convert at most RESAMPLER_BLOCK samples to exactly `outputs`, at most `outputs_for(inputs)`.

    `source` 0 means silence. What could have come out but was not wanted comes out next time.
    """
    record = resampler_at(resampler)
    if record.taps == 0:
        if source == 0:
            clear(target, 2 * outputs)
        else:
            copy(target, source, 2 * outputs)
        return
    taps, up, down = record.taps, record.up, record.down
    fresh = float32_at(record.work + 4 * taps, inputs)
    if source == 0:
        for index in range(inputs):
            fresh[index] = np.float32(0)
    else:
        samples = int16_at(source, inputs)
        for index in range(inputs):
            fresh[index] = np.float32(samples[index])
    result = int16_at(target, outputs)
    phase = record.phase
    for index in range(outputs):
        newest = phase // up  # -1 is the youngest sample of the history
        window = float32_at(record.work + 4 * (newest + 1), taps)
        coefficients = float32_at(record.coefficients + 4 * (phase - newest * up) * taps, taps)
        total = np.float32(0)
        for tap in range(taps):
            total += window[tap] * coefficients[tap]
        rounded = wide(np.floor(total + np.float32(0.5)))
        result[index] = np.int16(min(32767, max(-32768, rounded)))
        phase += down
    record.phase = phase - inputs * up
    copy(record.work, record.work + 4 * inputs, 4 * taps)


@native_helper
def convert(resampler: int, source: int, inputs: int, target: int) -> int:
    """Convert `inputs` int16 samples; return how many were written to `target`. `source` 0 means silence."""
    done = 0
    written = 0
    while done < inputs:
        block = min(RESAMPLER_BLOCK, inputs - done)
        outputs = outputs_for(resampler, block)
        part = 0 if source == 0 else source + 2 * done
        convert_exact(resampler, part, block, target + 2 * written, outputs)
        done += block
        written += outputs
    return written


@native("int64(int64, int64, int64, int64)")
def convert_block(resampler: int, source: int, inputs: int, target: int) -> int:
    """`convert`, callable from Python: addresses of RESAMPLER, int16[inputs] and of room for the result."""
    return convert(resampler, source, inputs, target)


@native("int64(int64, int64, int64, int64)")
def select_rates(resampler: int, tables: int, from_rate: int, to_rate: int) -> int:
    """`select`, callable from Python."""
    return select(resampler, tables, from_rate, to_rate)
