"""Resamplers to compare, all behind the same few methods."""

from __future__ import annotations

from functools import lru_cache
from typing import Callable, Protocol

import numpy as np
import soxr

from ...audio import Samples
from ...realtime.media.resampler import ResamplerTables, convert, convert_block, select_rates
from ...realtime.records import RESAMPLER, RESAMPLER_WORK
from ..compiler import fresh_native


class Converter(Protocol):
    """One stream of mono int16 samples from one rate to another."""

    @property
    def name(self) -> str:
        """For tables."""

    def convert(self, samples: Samples) -> Samples:
        """What comes out when these go in."""

    def repeat(self, samples: Samples, times: int) -> None:
        """Convert the same samples again and again, as cheaply as it can be called."""

    def close(self) -> None:
        """Free it."""


@lru_cache(maxsize=1)
def _repeater() -> Callable[[int, int, int, int, int], None]:
    """Return a loop over `convert`; it is compiled, for a second or two, when it is first wanted."""
    @fresh_native("void(int64, int64, int64, int64, int64)")
    def repeat(resampler: int, source: int, inputs: int, target: int, times: int) -> None:
        for _ in range(times):
            convert(resampler, source, inputs, target)
    return repeat


_tables = ResamplerTables()


class Ours:
    """The product's own; see `Converter`."""

    name = "ours"

    def __init__(self, from_rate: int, to_rate: int) -> None:
        _tables.prepare(from_rate)
        self._work = np.zeros(RESAMPLER_WORK, np.float32)
        self._record = np.zeros(1, RESAMPLER)
        self._record["work"] = self._work.ctypes.data
        self._address = int(self._record.ctypes.data)
        self._target = np.zeros(to_rate, np.int16)
        select_rates(self._address, _tables.address, from_rate, to_rate)

    def convert(self, samples: Samples) -> Samples:
        count = convert_block(self._address, samples.ctypes.data, len(samples), self._target.ctypes.data)
        return self._target[:count].copy()

    def repeat(self, samples: Samples, times: int) -> None:
        _repeater()(self._address, samples.ctypes.data, len(samples), self._target.ctypes.data, times)

    def close(self) -> None:
        pass


class Soxr:
    """python-soxr's best, as a stream; see `Converter`."""

    name = "soxr VHQ"

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality="VHQ")

    def convert(self, samples: Samples) -> Samples:
        return np.asarray(self._stream.resample_chunk(samples), np.int16)

    def repeat(self, samples: Samples, times: int) -> None:
        for _ in range(times):
            self._stream.resample_chunk(samples)

    def close(self) -> None:
        pass
