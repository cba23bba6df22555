"""Reading FreeSWITCH's switch_frame_t and switch_codec_implementation_t from compiled code, by offset.

The offsets are the same in every release from 1.10.7 on; `switch.layouts` holds the full structures and a
test compares the two.
"""

from __future__ import annotations

import numpy as np

from ...native.atomics import bytes_at, int16_at, int32_at, int64_at, wide
from ...native.compiler import native_helper

FRAME_BYTES = 152
FRAME_CODEC, FRAME_DATA, FRAME_DATALEN, FRAME_BUFLEN = 0, 40, 48, 52
FRAME_SAMPLES, FRAME_RATE, FRAME_CHANNELS = 56, 60, 64
FRAME_DATA_BYTES = 16384  # a stereo read may take twice what `buflen` says

CODEC_MUTEX = 64  # in switch_codec_t

IMPLEMENTATION_BYTES = 144
IMPLEMENTATION_RATE, IMPLEMENTATION_MICROSECONDS = 28, 36
IMPLEMENTATION_DECODED_BYTES, IMPLEMENTATION_CHANNELS, IMPLEMENTATION_ID = 44, 52, 124


@native_helper
def word(address: int) -> int:
    """The uint32 at an address."""
    return wide(int32_at(address, 1)[0]) & 0xFFFFFFFF


@native_helper
def set_word(address: int, value: int) -> None:
    """Store a uint32."""
    int32_at(address, 1)[0] = np.int32(value)


@native_helper
def frame_data(frame: int) -> int:
    """The address of a frame's samples."""
    return int64_at(frame + FRAME_DATA, 1)[0]


@native_helper
def channels_of(implementation: int) -> int:
    """The channels of a codec implementation, at least 1."""
    return max(1, wide(bytes_at(implementation + IMPLEMENTATION_CHANNELS, 1)[0]))


@native_helper
def to_mono(samples: int, frames: int, channels: int) -> None:
    """Average interleaved int16 channels, in place."""
    if channels == 1:
        return
    data = int16_at(samples, frames * channels)
    for index in range(frames):
        total = wide(0)
        for channel in range(channels):
            total += data[index * channels + channel]
        data[index] = np.int16(total // channels)


@native_helper
def silence_missing(samples: int, count: int) -> None:
    """Turn the core's stand-in for missing audio (bytes 0xFF, sample −1) into digital silence."""
    data = int16_at(samples, count)
    for index in range(count):
        if data[index] != -1:
            return
    for index in range(count):
        data[index] = 0


@native_helper
def add_saturated(target: int, source: int, count: int) -> None:
    """``target += source`` for int16 samples, clipped."""
    left = int16_at(target, count)
    right = int16_at(source, count)
    for index in range(count):
        total = np.int32(left[index]) + np.int32(right[index])
        left[index] = np.int16(min(np.int32(32767), max(np.int32(-32768), total)))
