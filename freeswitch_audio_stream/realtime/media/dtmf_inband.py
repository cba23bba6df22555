"""Digits that are heard: a detector of DTMF (ITU-T Q.23) in the audio of a call, with the tolerances of Q.24.

Every 5 ms the last 20 ms are looked at through a Hann window by eight Goertzel filters. The strongest tone of
each group makes a digit if the two together are nearly all there is to hear, neither is much louder than the
other, and both are where they belong. How far off a tone is, its phase tells: it turns faster or slower from
one window to the next than the filter expects. That is far sharper than the filter itself, and it is what
speech and music, whose tones move, do not get past.

A window sees a digit where about 12 ms of it are within. So a tone of d ms is seen in (d - 3) / 5 windows:
23 ms in four or five, 40 ms in seven or eight. An interruption of up to 22 ms is none; a pause of 40 ms is
one.
"""

from __future__ import annotations

from math import atan2, cos, pi, sin
from typing import Any

import numpy as np

from ...native.atomics import float64_at, int16_at, wide
from ...native.compiler import native_helper
from ..records import DTMF_WINDOW, dtmf_at
from .dtmf import SAMPLES_PER_MS, append

FREQUENCIES = (697, 770, 852, 941, 1209, 1336, 1477, 1633)
"""Hz: four low tones, the rows of the keypad, and four high ones, its columns."""
KEYS = "123A456B789C*0#D"
_CODES = np.frombuffer(KEYS.encode(), np.uint8)

_RATE = 8000  # Hz, or somewhat more: as many samples become one as leave so many
_WINDOW_MS, _HOP_MS = 20, 5
_EDGES_MS = 3  # what the windows that see a digit leave of it unseen
_MIN_WINDOWS = 6
_MAX_GAP = 5  # windows
_MIN_POWER = 400.0 ** 2  # amplitude, squared, of the fainter tone: -35 dBm0
_MIN_SHARE = 0.7  # of all power in the window; speech in the background takes its part
_MAX_TWIST, _MIN_TWIST = 10 ** 0.6, 10 ** -1.0  # high to low: 2 dB more than the +4 and -8 dB of a clean line
_MAX_OFF = 0.04  # of the frequency, in one window
_MAX_MEAN_OFF = 0.025  # over the digit: between the 1.5 % to accept and the 3.5 % to refuse
_MAX_OVERTONE = 0.05  # power of the high tone's octave, over the digit: voices and instruments have overtones
_NONE = -1

# Where the parts of the work memory begin, in float64.
_HISTORY, _SHAPE, _SHAPED = 0, DTMF_WINDOW, 2 * DTMF_WINDOW
_COSINE, _SINE, _TURN_COSINE, _TURN_SINE, _REAL, _IMAGINARY, _SUMS = (
    3 * DTMF_WINDOW + 8 * n for n in range(7))


@native_helper
def _tune(detector: Any, rate: int) -> None:
    """Begin anew with samples at `rate` (Hz)."""
    detector.from_rate, detector.factor = rate, max(1, rate // _RATE)
    own = rate / detector.factor
    detector.window, detector.hop = wide(own * _WINDOW_MS / 1000 + 0.5), wide(own * _HOP_MS / 1000 + 0.5)
    detector.filled, detector.sum, detector.summed, detector.heard = 0, 0, 0, 0
    detector.digit, detector.hits, detector.misses, detector.length = _NONE, 0, 0, 0
    shape = float64_at(detector.work + 8 * _SHAPE, DTMF_WINDOW)
    for index in range(detector.window):
        shape[index] = 0.5 - 0.5 * cos(2 * pi * (index + 0.5) / detector.window)
    table = float64_at(detector.work, _SUMS)
    for tone, frequency in enumerate(FREQUENCIES):
        step = 2 * pi * frequency / own
        table[_COSINE + tone], table[_SINE + tone] = cos(step), sin(step)
        turn = step * detector.hop
        table[_TURN_COSINE + tone], table[_TURN_SINE + tone] = cos(turn), sin(turn)


@native_helper
def _shape(detector: Any) -> float:
    """Put the window over the history; return the mean power of the audio in it."""
    work = float64_at(detector.work, _COSINE)
    energy = 0.0
    for index in range(detector.window):
        value = work[_HISTORY + index] * work[_SHAPE + index]
        work[_SHAPED + index] = value
        energy += value * value
    return energy / (0.375 * detector.window)


@native_helper
def _filter(detector: Any, cosine: float) -> tuple[float, float]:
    """The Goertzel recurrence over the window, for the frequency with this cosine; its last two values."""
    shaped = float64_at(detector.work + 8 * _SHAPED, DTMF_WINDOW)
    last, before = 0.0, 0.0
    for index in range(detector.window):
        last, before = shaped[index] + 2 * cosine * last - before, last
    return last, before


@native_helper
def _power(detector: Any, square: float) -> float:
    """The square of a tone's amplitude from the square of a filter's result."""
    return 16 * square / (detector.window * detector.window)


@native_helper
def _tone(detector: Any, tone: int) -> tuple[float, float]:
    """The power of one of the eight tones in the window, and how far off it is in Hz."""
    work = float64_at(detector.work, _SUMS)
    cosine, sine = work[_COSINE + tone], work[_SINE + tone]
    last, before = _filter(detector, cosine)
    real, imaginary = last - before * cosine, before * sine
    old_real, old_imaginary = work[_REAL + tone], work[_IMAGINARY + tone]
    work[_REAL + tone], work[_IMAGINARY + tone] = real, imaginary
    # The turn since the window before, less that of a tone which is where it belongs.
    along, across = real * old_real + imaginary * old_imaginary, imaginary * old_real - real * old_imaginary
    turn_cosine, turn_sine = work[_TURN_COSINE + tone], work[_TURN_SINE + tone]
    turn = atan2(across * turn_cosine - along * turn_sine, along * turn_cosine + across * turn_sine)
    off = turn / (2 * pi) * detector.from_rate / (detector.factor * detector.hop)
    return _power(detector, real * real + imaginary * imaginary), off


@native_helper
def _octave(detector: Any, tone: int, off: float) -> float:
    """The power an octave above a tone that is off by that part of its frequency."""
    cosine = cos(4 * pi * FREQUENCIES[tone] * (1 + off) * detector.factor / detector.from_rate)
    last, before = _filter(detector, cosine)
    return _power(detector, last * last + before * before - 2 * cosine * last * before)


@native_helper
def _strongest(detector: Any, group: int) -> tuple[int, float, float]:
    """The strongest of four tones: which, its power, and how far off it is, as a part of its frequency."""
    best, power, off = 0, -1.0, 0.0
    for index in range(4):
        strength, deviation = _tone(detector, 4 * group + index)
        if strength > power:
            best, power, off = index, strength, deviation
    # What a tone that is off loses in a Hann window, near enough.
    loss = cos(pi / 4 * min(1.5, abs(off) * _WINDOW_MS / 1000)) ** 4
    return best, power / loss, off / FREQUENCIES[4 * group + best]


@native_helper
def _look(detector: Any) -> tuple[int, float, float, float]:
    """What the window shows: a place in KEYS or _NONE, how far off its tones are, and an overtone's power."""
    power = _shape(detector)
    heard, detector.heard = detector.heard, 0
    if power < _MIN_POWER / 2:
        return _NONE, 0.0, 0.0, 0.0
    detector.heard = 1
    row, low, low_off = _strongest(detector, 0)
    column, high, high_off = _strongest(detector, 1)
    is_digit = (heard == 1 and abs(low_off) < _MAX_OFF and abs(high_off) < _MAX_OFF
                and low >= _MIN_POWER and high >= _MIN_POWER
                and low * _MIN_TWIST <= high <= low * _MAX_TWIST
                and (low + high) / 2 >= _MIN_SHARE * power)
    if not is_digit:
        return _NONE, 0.0, 0.0, 0.0
    # Not the low tone's: its octave may lie too near to a high tone.
    return 4 * row + column, low_off, high_off, _octave(detector, 4 + column, high_off) / high


@native_helper
def _is_valid(detector: Any) -> bool:
    """Return whether what was seen of a digit in all its windows makes it one."""
    sums, hits = float64_at(detector.work + 8 * _SUMS, 3), detector.hits
    # A tone too far off is taken for a digit while it begins and ends, but not in between.
    return (hits >= _MIN_WINDOWS and 3 * hits >= 2 * detector.length and abs(sums[0]) < _MAX_MEAN_OFF * hits
            and abs(sums[1]) < _MAX_MEAN_OFF * hits and sums[2] < _MAX_OVERTONE * hits)


@native_helper
def _follow(detector: Any, queue: int, session: int, source: int) -> None:
    """Look at the window; report the digit that has ended."""
    found, low_off, high_off, overtone = _look(detector)
    sums = float64_at(detector.work + 8 * _SUMS, 3)
    if found != _NONE and (found == detector.digit or detector.hits < _MIN_WINDOWS):
        if found != detector.digit:
            detector.digit, detector.hits, detector.misses, detector.length = found, 0, 0, 0
            sums[0], sums[1], sums[2] = 0.0, 0.0, 0.0
        detector.hits += 1
        detector.length += detector.misses + 1
        detector.misses = 0
        sums[0] += low_off
        sums[1] += high_off
        sums[2] += overtone
    elif detector.digit != _NONE:
        detector.misses += 1
        if detector.misses > _MAX_GAP:
            if _is_valid(detector):
                duration = SAMPLES_PER_MS * (_HOP_MS * detector.length + _EDGES_MS)
                append(queue, session, wide(_CODES[detector.digit]), duration, source)
            detector.digit, detector.hits = _NONE, 0


@native_helper
def detect(state: int, rate: int, samples: int, count: int, queue: int, session: int) -> None:
    """Listen to `count` mono int16 samples at `rate` (Hz, 8000 or more), which follow those of the last call.

    `state` is the address of a DTMF record, zeroed but for `work`; a digit goes to the queue of a
    `dtmf.DigitQueue` when it has ended, as one of `session`, with `state` for its source.
    """
    detector = dtmf_at(state)
    if detector.from_rate != rate:
        _tune(detector, rate)
    history = float64_at(detector.work + 8 * _HISTORY, DTMF_WINDOW)
    data = int16_at(samples, count)
    for index in range(count):
        detector.sum += wide(data[index])
        detector.summed += 1
        if detector.summed < detector.factor:
            continue
        history[detector.filled] = detector.sum / detector.factor
        detector.sum, detector.summed = 0, 0
        detector.filled += 1
        if detector.filled == detector.window:
            _follow(detector, queue, session, state)
            detector.filled -= detector.hop
            for place in range(detector.filled):
                history[place] = history[place + detector.hop]
