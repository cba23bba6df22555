"""The Speex resampler, as FreeSWITCH uses it: one of the two C libraries that the benchmark calls for comparison."""

from __future__ import annotations

import ctypes
import ctypes.util
from pathlib import Path
from typing import Any

import numpy as np

from ...audio import Samples
from ...native.atomics import int32_at, pointer
from ..compiler import fresh_native

FREESWITCH_QUALITY = 2
"""SWITCH_RESAMPLE_QUALITY of switch_resample.h."""
_PLACES = ("lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu")


def find_library(prefix: Path | None) -> ctypes.CDLL | None:
    """The system's libspeexdsp, else what the FreeSWITCH at `prefix` brings; None where there is neither."""
    files = [ctypes.util.find_library("speexdsp")]
    if prefix is not None:
        files += [str(file) for place in _PLACES for file in (prefix / place).glob("libfreeswitch.so*")]
    for file in filter(None, files):
        try:
            library = ctypes.CDLL(file)
            library.speex_resampler_init.restype = ctypes.c_void_p
            library.speex_resampler_init.argtypes = (*[ctypes.c_uint32] * 3, ctypes.c_int, ctypes.c_void_p)
            library.speex_resampler_destroy.argtypes = (ctypes.c_void_p,)
            library.speex_resampler_destroy.restype = None
            process = library.speex_resampler_process_interleaved_int
        except (OSError, AttributeError):
            continue
        process.argtypes, process.restype = (ctypes.c_void_p,) * 5, ctypes.c_int
        return library
    return None


def _compile(process: Any) -> Any:
    """``run(state, source, inputs, target, room, lengths, times)``; `lengths`: two uint32. It answers the outputs."""
    def run(state: int, source: int, inputs: int, target: int, room: int, lengths: int, times: int) -> int:
        counts = int32_at(lengths, 2)
        for _ in range(times):
            counts[0], counts[1] = inputs, room
            process(pointer(state), pointer(source), pointer(lengths), pointer(target), pointer(lengths + 4))
        return counts[1]
    return fresh_native("int64(int64, int64, int64, int64, int64, int64, int64)")(run)


class Speex:
    """One mono resampler; `resampler.Converter`."""

    name = "Speex as in FreeSWITCH"

    def __init__(self, library: ctypes.CDLL, from_rate: int, to_rate: int) -> None:
        self._library = library
        self._state: int = library.speex_resampler_init(1, from_rate, to_rate, FREESWITCH_QUALITY, None)
        self._run = _compiled(library)
        self._lengths = np.zeros(2, np.int32)
        self._target = np.zeros(to_rate, np.int16)

    def _process(self, samples: Samples, times: int) -> int:
        return int(self._run(self._state, samples.ctypes.data, len(samples), self._target.ctypes.data,
                             len(self._target), self._lengths.ctypes.data, times))

    def convert(self, samples: Samples) -> Samples:
        return self._target[:self._process(samples, 1)].copy()

    def repeat(self, samples: Samples, times: int) -> None:
        self._process(samples, times)

    def close(self) -> None:
        self._library.speex_resampler_destroy(self._state)


_run_of: dict[int, Any] = {}


def _compiled(library: ctypes.CDLL) -> Any:
    key = id(library)
    if key not in _run_of:
        _run_of[key] = _compile(library.speex_resampler_process_interleaved_int)
    return _run_of[key]
