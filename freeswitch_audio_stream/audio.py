"""The vocabulary of audio: rates, tracks, formats, and the three encodings that travel.

Samples are NumPy int16 in native byte order; G.711 is a look-up in tables that the compiled core shares.
Everything here is pure and may be called from any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Octets = NDArray[np.uint8]

RATES = (8000, 16000, 24000, 32000, 44100, 48000)
"""Hz: what a stream may be asked for."""

ALL_RATES = tuple(sorted(RATES + (11025, 12000, 22050, 64000)))
"""Hz: what a codec may have, and what a server may send."""


class Track(Enum):
    """A side of a call, as the wire and the commands name it."""

    INBOUND = "inbound"
    """What the caller says."""
    OUTBOUND = "outbound"
    """What the caller hears."""
    BOTH = "both"
    MIXED = "mixed"
    """The sum of inbound and outbound, saturating, in one channel."""
    STEREO = "stereo"
    """Inbound left and outbound right, interleaved in two channels."""

    @property
    def parts(self) -> tuple[Track, ...]:
        """The single tracks in this one that travel apart, inbound first; MIXED and STEREO do not come apart."""
        return (Track.INBOUND, Track.OUTBOUND) if self is Track.BOTH else (self,)


class Encoding(Enum):
    """How samples travel."""

    L16 = "L16"
    """Linear, 16 bits, little-endian (RFC 3551 has the name, and the other byte order)."""
    MULAW = "MULAW"
    ALAW = "ALAW"

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of one channel."""
        return 2 if self is Encoding.L16 else 1


@dataclass(frozen=True)
class AudioFormat:
    """The shape of a codec's frames."""

    rate: int
    """Hz, of one channel."""
    channels: int = 1
    ptime_ms: int = 20
    """Milliseconds of audio in a frame."""

    @property
    def frame_samples(self) -> int:
        """Samples of one channel in a frame (rounded down: 11025 and 22050 Hz have no whole 10 ms)."""
        return self.rate * self.ptime_ms // 1000


# ITU-T G.711. The recommendation leaves open on which side a sample equal to a decision value falls. As the
# ITU's reference software does, each interval owns its lower bound: hence ~x, not -x, for the magnitude of a
# negative.

_MULAW_BIAS = 33
_MULAW_CLIP = 0x1FFF


def _magnitudes(samples: Samples) -> NDArray[np.int32]:
    wide = samples.astype(np.int32)
    return np.where(wide < 0, ~wide, wide)


def _bit_length(values: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int32)


def _mulaw_codes(samples: Samples) -> Octets:
    """14-bit magnitude plus bias = a 1, then 4 mantissa bits, then what is cut off; all bits inverted."""
    biased = np.minimum((_magnitudes(samples) >> 2) + _MULAW_BIAS, _MULAW_CLIP)
    exponent = _bit_length(biased) - 6
    mantissa = (biased >> (exponent + 1)) & 15
    sign = np.where(samples < 0, 0x80, 0)
    codes: Octets = (~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8)
    return codes


def _mulaw_levels(codes: Octets) -> Samples:
    bits = ~codes.astype(np.int32) & 0xFF
    exponent, mantissa = bits >> 4 & 7, bits & 15
    level = (((2 * mantissa + _MULAW_BIAS) << exponent) - _MULAW_BIAS) << 2
    return np.where(bits & 0x80, -level, level).astype(np.int16)


def _alaw_codes(samples: Samples) -> Octets:
    """12-bit magnitude; the lowest two of the eight segments share one step; even bits inverted."""
    magnitude = _magnitudes(samples) >> 4
    exponent = np.maximum(_bit_length(magnitude) - 4, 0)
    mantissa = (magnitude >> np.maximum(exponent - 1, 0)) & 15
    sign = np.where(samples < 0, 0, 0x80)
    codes: Octets = ((sign | exponent << 4 | mantissa) ^ 0x55).astype(np.uint8)
    return codes


def _alaw_levels(codes: Octets) -> Samples:
    bits = codes.astype(np.int32) ^ 0x55
    exponent, mantissa = bits >> 4 & 7, bits & 15
    step = np.where(exponent > 0, mantissa + 16, mantissa)
    level: NDArray[np.int32] = ((step << 4) + 8) << np.maximum(exponent - 1, 0)
    return np.where(bits & 0x80, level, -level).astype(np.int16)


def _constant(table: NDArray[Any]) -> NDArray[Any]:
    table.setflags(write=False)
    return table


_EVERY_SAMPLE: Samples = np.arange(1 << 16, dtype=np.uint16).view(np.int16)
_EVERY_CODE: Octets = np.arange(1 << 8, dtype=np.uint8)

MULAW_ENCODE: Octets = _constant(_mulaw_codes(_EVERY_SAMPLE))
"""uint8[65536], indexed by the sample's bits as uint16."""
MULAW_DECODE: Samples = _constant(_mulaw_levels(_EVERY_CODE))
"""int16[256], indexed by the code."""
ALAW_ENCODE: Octets = _constant(_alaw_codes(_EVERY_SAMPLE))
"""uint8[65536], indexed by the sample's bits as uint16."""
ALAW_DECODE: Samples = _constant(_alaw_levels(_EVERY_CODE))
"""int16[256], indexed by the code."""


def samples_to_mulaw(samples: Samples) -> Octets:
    """G.711 mu-law codes, uint8, of int16 samples; same shape."""
    return MULAW_ENCODE[samples.view(np.uint16)]


def mulaw_to_samples(codes: Octets) -> Samples:
    """int16 samples (14 bits, scaled by 4) of G.711 mu-law codes, uint8; same shape."""
    return MULAW_DECODE[codes]


def samples_to_alaw(samples: Samples) -> Octets:
    """G.711 A-law codes, uint8, of int16 samples; same shape."""
    return ALAW_ENCODE[samples.view(np.uint16)]


def alaw_to_samples(codes: Octets) -> Samples:
    """int16 samples (13 bits, scaled by 8) of G.711 A-law codes, uint8; same shape."""
    return ALAW_DECODE[codes]


def samples_to_l16(samples: Samples) -> bytes:
    """Little-endian bytes, two a sample, of int16 samples (channels interleaved, if there are several)."""
    return samples.astype("<i2", copy=False).tobytes()


def l16_to_samples(data: bytes) -> Samples:
    """int16[len(data) // 2] of little-endian bytes; may be a read-only view of `data`.

    Raise ValueError if the number of bytes is odd.
    """
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """The bytes on the wire of int16 samples."""
    if encoding is Encoding.L16:
        return samples_to_l16(samples)
    table = MULAW_ENCODE if encoding is Encoding.MULAW else ALAW_ENCODE
    return table[samples.view(np.uint16)].tobytes()


def decode(data: bytes, encoding: Encoding) -> Samples:
    """int16 samples of bytes from the wire; raises ValueError when L16 has an odd number of bytes."""
    if encoding is Encoding.L16:
        return l16_to_samples(data)
    table = MULAW_DECODE if encoding is Encoding.MULAW else ALAW_DECODE
    return table[np.frombuffer(data, np.uint8)]
