"""Waveforms: the lowest and the highest sample of each pixel, and audiowaveform's two forms of them, version 2. Pure.

Peaks are an array of int16 of the shape (pixels, channels, 2): lowest, highest.
https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

Peaks = npt.NDArray[np.int16]
BASE = 4096
"""Samples a pixel, of the peaks that are remembered; more a pixel are a multiple of it."""
_VERSION = 2
_EIGHT_BITS = 1
_HEAD = struct.Struct("<iIiiIi")


def peaks_of_samples(data: bytes, channels: int, per_pixel: int) -> Peaks:
    """Return the peaks of whole samples, 16-bit little-endian, channels interleaved; the last pixel may have fewer."""
    samples = np.frombuffer(data, "<i2").reshape(-1, channels)
    whole = len(samples) // per_pixel * per_pixel
    peaks = np.empty((-(-len(samples) // per_pixel), channels, 2), np.int16)
    for channel in range(channels):
        one = np.ascontiguousarray(samples[:, channel])
        blocks = one[:whole].reshape(-1, per_pixel)
        peaks[:len(blocks), channel, 0] = blocks.min(axis=1)
        peaks[:len(blocks), channel, 1] = blocks.max(axis=1)
        if whole < len(one):
            peaks[-1, channel] = one[whole:].min(), one[whole:].max()
    return peaks


def fold(peaks: Peaks, count: int) -> Peaks:
    """Return the peaks of so many pixels at a time; the last may be of fewer."""
    if count == 1 or not len(peaks):
        return peaks
    begins = np.arange(0, len(peaks), count)
    return np.stack((np.minimum.reduceat(peaks[:, :, 0], begins, axis=0),
                     np.maximum.reduceat(peaks[:, :, 1], begins, axis=0)), axis=2)


def as_json(peaks: Peaks, rate: int, per_pixel: int, bits: int) -> dict[str, Any]:
    """Return audiowaveform's JSON; `bits` is 8 or 16."""
    return {"version": _VERSION, "channels": peaks.shape[1], "sample_rate": rate, "samples_per_pixel": per_pixel,
            "bits": bits, "length": len(peaks), "data": _values(peaks, bits).ravel().tolist()}


def as_dat(peaks: Peaks, rate: int, per_pixel: int, bits: int) -> bytes:
    """Return audiowaveform's binary form; `bits` is 8 or 16."""
    head = _HEAD.pack(_VERSION, _EIGHT_BITS if bits == 8 else 0, rate, per_pixel, len(peaks), peaks.shape[1])
    return head + _values(peaks, bits).astype("<i2" if bits == 16 else "i1").tobytes()


def _values(peaks: Peaks, bits: int) -> Peaks:
    return peaks >> 8 if bits == 8 else peaks
