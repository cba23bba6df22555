"""The gateway's audio (16-bit, 16,000 Hz) and the service's (16-bit of 24,000 Hz, or G.711 of 8,000 Hz)."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from .....audio import ALAW_DECODE, ALAW_ENCODE, MULAW_DECODE, MULAW_ENCODE, Encoding, Samples
from ..interface import SAMPLE_RATE


def _resampler(source: int, target: int, is_steady: bool) -> Any:
    # At a variable rate soxr holds back a steady 15 ms, instead of up to 37 ms that come in bursts; its samples lie
    # 0.1 ms beside their places, which nobody hears. What the model says comes faster than it is heard: no need there.
    return soxr.ResampleStream(source, target, 1, dtype="int16", quality="HQ", vr=is_steady)


class ToService:
    """What the caller says, as a session gets it. One for each session."""

    def __init__(self, encoding: Encoding, rate: int) -> None:
        """`encoding` and `rate` (Hz) are the service's."""
        self._encoding = encoding
        self._resampler = _resampler(SAMPLE_RATE, rate, True)

    def convert(self, audio: bytes) -> bytes:
        """Return what can be said by now; the last 15 ms come the next time."""
        samples: Samples = self._resampler.resample_chunk(np.frombuffer(audio, "<i2").astype(np.int16))
        if self._encoding is Encoding.L16:
            return samples.astype("<i2").tobytes()
        table = MULAW_ENCODE if self._encoding is Encoding.MULAW else ALAW_ENCODE
        return table[samples.view(np.uint16)].tobytes()


class FromService:
    """What the model says. Each item is converted by itself, so that its length stays what it was."""

    def __init__(self, encoding: Encoding, rate: int) -> None:
        self._encoding, self._rate = encoding, rate
        self._item: str | None = None
        self._resampler: Any = None

    def convert(self, item: str, audio: bytes) -> bytes:
        """Return what of an item can be played by now."""
        if item != self._item:
            self._item, self._resampler = item, _resampler(self._rate, SAMPLE_RATE, False)
        converted: Samples = self._resampler.resample_chunk(self._samples(audio))
        return converted.astype("<i2").tobytes()

    def finish(self, item: str) -> bytes:
        """Return the rest of an item, of which no more comes."""
        if item != self._item:
            return b""
        rest: Samples = self._resampler.resample_chunk(np.zeros(0, np.int16), last=True)
        self.forget()
        return rest.astype("<i2").tobytes()

    def forget(self) -> None:
        """Nothing more of the present item is to be played."""
        self._item = self._resampler = None

    def _samples(self, audio: bytes) -> Samples:
        if self._encoding is Encoding.L16:
            return np.frombuffer(audio, "<i2").astype(np.int16)
        table = MULAW_DECODE if self._encoding is Encoding.MULAW else ALAW_DECODE
        return table[np.frombuffer(audio, np.uint8)]
