"""``resampler``: the compiled resampler beside soxr's best and the one that FreeSWITCH uses."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Callable

import numpy as np

from ..report.results import Curve, Results, Table
from ..work import FRAME_MS
from .converters import Converter, Ours, Soxr
from .response import delays, response
from .speex import FREESWITCH_QUALITY, Speex, find_library
from .trial import progress

CONVERSIONS = ((8000, 16000), (16000, 8000), (8000, 48000), (48000, 8000), (8000, 24000), (44100, 8000))
_TIMES, _ROUNDS = 200, 5
_WITHOUT_SPEEX = "Speex is left out: there is no libspeexdsp here, and no FreeSWITCH that brings one"

Contender = Callable[[int, int], Converter]


def contenders(prefix: Path | None) -> list[Contender]:
    """Who is there; `prefix` is that of a FreeSWITCH."""
    library = find_library(prefix)
    found: list[Contender] = [Ours, Soxr]
    return found if library is None else [*found, partial(Speex, library)]


def measure(prefix: Path | None, tones: int = 40) -> Results:
    """For every pair of rates."""
    table = Table("Resamplers, mono, frames of 20 ms", ("", "µs a frame", "delay ms", "held back ms", "ripple dB",
                                                        "images, aliases dB"))
    results = Results("resampler", [table])
    found = contenders(prefix)
    for from_rate, to_rate in CONVERSIONS:
        for make in found:
            _compare(partial(make, from_rate, to_rate), from_rate, to_rate, tones, results)
    results.rounds = table.records()
    table.notes += [
        "delay: by how much sound lies later in what comes out; held back: what is not given out when it is due",
        "ripple: up to 0.85 of the lower Nyquist frequency; images, aliases: the loudest of them from there on, 1.0",
        f"soxr is called through its Python binding, Speex has quality {FREESWITCH_QUALITY} as FreeSWITCH sets it"]
    if len(found) < 3:
        table.notes.append(_WITHOUT_SPEEX)
    return results


def _compare(make: Callable[[], Converter], from_rate: int, to_rate: int, tones: int, results: Results) -> None:
    name = _name(make)
    spectrum = response(make, from_rate, to_rate, tones)
    delay, held = delays(make, from_rate, to_rate)
    cost = microseconds(make, from_rate)
    results.tables[0].rows.append((f"{from_rate} to {to_rate}: {name}", cost, delay, held, spectrum.ripple,
                                   spectrum.worst))
    progress(f"{from_rate} to {to_rate}: {name}: {cost:.1f} µs a frame")
    results.curves.append(Curve(f"{from_rate} to {to_rate} Hz: level (dB)", name, list(spectrum.places),
                                list(spectrum.levels), "frequency / lower Nyquist frequency"))


def _name(make: Callable[[], Converter]) -> str:
    converter = make()
    try:
        return converter.name
    finally:
        converter.close()


def microseconds(make: Callable[[], Converter], from_rate: int) -> float:
    """CPU for a frame."""
    frame = np.random.default_rng(2).integers(-8000, 8000, from_rate * FRAME_MS // 1000).astype(np.int16)
    converter = make()
    rounds = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        converter.repeat(frame, _TIMES)
        rounds.append(1e6 * (time.thread_time() - began) / _TIMES)
    converter.close()
    return median(rounds)
