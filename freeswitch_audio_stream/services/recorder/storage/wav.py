"""WAV headers: RIFF, and RF64 (EBU Tech 3306) for what is longer than 4 GB.

A header of ours always has 80 bytes: 28 are reserved at the beginning for the chunk ``ds64`` with its 64-bit sizes, in
a chunk ``JUNK`` while they are not needed. So a recording may grow past 4 GB without one of its samples being moved.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .interface import SAMPLE_BYTES

HEADER_BYTES = 80
"""Before the first sample."""
_UNKNOWN = 0xFFFFFFFF
_PCM, _EXTENSIBLE = 1, 0xFFFE
_DS64 = struct.Struct("<QQQI")
_FORMAT = struct.Struct("<HHIIHH")


@dataclass(frozen=True)
class WavHeader:
    """What is in front of the samples."""

    rate: int
    channels: int
    bits: int
    is_pcm: bool
    """Linear integers."""
    offset: int
    """Of the first sample, in bytes from the beginning."""
    data_bytes: int | None
    """None: not known when the header was written."""


def write_header(rate: int, channels: int, data_bytes: int | None) -> bytes:
    """Return the header of so many bytes of 16-bit samples; None: until the end of the file."""
    frame = channels * SAMPLE_BYTES
    frames = (data_bytes or 0) // frame
    size = (data_bytes or 0) + HEADER_BYTES - 8
    is_long = data_bytes is not None and size >= _UNKNOWN
    if data_bytes is None or is_long:
        riff_size = data_size = _UNKNOWN
    else:
        riff_size, data_size = size, data_bytes
    reserved = _DS64.pack(size, data_bytes or 0, frames, 0) if is_long else bytes(_DS64.size)
    form = _FORMAT.pack(_PCM, channels, rate, rate * frame, frame, 8 * SAMPLE_BYTES)
    return b"".join((b"RF64" if is_long else b"RIFF", struct.pack("<I", riff_size), b"WAVE",
                     b"ds64" if is_long else b"JUNK", struct.pack("<I", _DS64.size), reserved,
                     b"fmt ", struct.pack("<I", _FORMAT.size), form, b"data", struct.pack("<I", data_size)))


def read_header(data: bytes) -> WavHeader | None:
    """Return the header at the beginning of a WAV or RF64 file; None where more bytes are needed to know.

    Raise ValueError with what is wrong where it cannot be one. Chunks before the samples are skipped.
    """
    if not b"RIFF".startswith(data[:4]) and not b"RF64".startswith(data[:4]):
        raise ValueError("it does not begin with RIFF or RF64")
    if len(data) < 12:
        return None
    if data[8:12] != b"WAVE":
        raise ValueError("it is RIFF, but not WAVE")
    at, form, long_size = 12, None, None
    while len(data) >= at + 8:
        name, size = data[at:at + 4], int.from_bytes(data[at + 4:at + 8], "little")
        if name == b"data":
            if form is None:
                raise ValueError("its samples come before their format")
            return _header(form, at + 8, size, long_size)
        body = data[at + 8:at + 8 + min(size, 64)]
        if name in (b"fmt ", b"ds64"):
            needed = _FORMAT.size if name == b"fmt " else 16
            if size < needed:
                raise ValueError(f"its chunk {name.decode().strip()} is too short")
            if len(body) < min(size, 64):
                return None
            if name == b"fmt ":
                form = body
            else:
                long_size = int.from_bytes(body[8:16], "little")
        at += 8 + size + size % 2
    return None


def _header(form: bytes, offset: int, size: int, long_size: int | None) -> WavHeader:
    tag, channels, rate, _, frame, bits = _FORMAT.unpack_from(form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")  # the beginning of the sub-format's GUID
    if not channels or not rate or not frame or not bits:
        raise ValueError("its format has no channels, rate or bits")
    if size == _UNKNOWN:
        data_bytes = long_size
    else:
        data_bytes = size or None  # programs that write into a pipe say 0
    return WavHeader(rate, channels, bits, tag == _PCM, offset, data_bytes)
