"""Samples to payload bytes: L16 (little-endian), G.711 through a table, base64 (RFC 4648)."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from ...native.atomics import bytes_at, int16_at, int32_at, wide
from ...native.compiler import native_helper
from ...native.libc import copy
from ..records import ENCODING_L16

if sys.byteorder != "little":
    raise ImportError("the compiled core writes L16 in memory order and needs a little-endian machine")

_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
BASE64_TABLE: NDArray[np.uint16] = (
    _ALPHABET[np.arange(4096) >> 6].astype(np.uint16)
    | _ALPHABET[np.arange(4096) & 63].astype(np.uint16) << 8)
"""uint16[4096]: the two characters of each 12-bit value, first character in the low byte."""
NOT_BASE64 = 0x80
BASE64_VALUES: NDArray[np.uint8] = np.full(256, NOT_BASE64, np.uint8)
"""uint8[256]: the six bits of each character; NOT_BASE64 for what is none, such as padding."""
BASE64_VALUES[_ALPHABET] = np.arange(64, dtype=np.uint8)


@native_helper
def base64_length(count: int) -> int:
    """Characters that `count` bytes become, padding included."""
    return (count + 2) // 3 * 4


@native_helper
def base64(target: int, source: int, count: int, table: int) -> None:
    """Encode `count` bytes; writes `base64_length(count)` characters."""
    data = bytes_at(source, count)
    out = int16_at(target, 2 * ((count + 2) // 3))
    pairs = int16_at(table, 4096)
    whole = count // 3
    for group in range(whole):
        word = (np.uint32(data[3 * group]) << 16 | np.uint32(data[3 * group + 1]) << 8
                | np.uint32(data[3 * group + 2]))
        out[2 * group] = pairs[word >> 12]
        out[2 * group + 1] = pairs[word & 4095]
    rest = count - 3 * whole
    if rest:
        word = np.uint32(data[3 * whole]) << 16
        if rest == 2:
            word |= np.uint32(data[3 * whole + 1]) << 8
        out[2 * whole] = pairs[word >> 12]
        out[2 * whole + 1] = pairs[word & 4095]
        characters = bytes_at(target + 4 * whole, 4)
        characters[3] = 61  # "="
        if rest == 1:
            characters[2] = 61


@native_helper
def base64_bytes(source: int, count: int, values: int) -> int:
    """How many bytes `count` characters decode to; −1 unless they are whole groups of four, padded at the end alone.
    `values` is the address of BASE64_VALUES.
    """
    if count == 0 or count % 4:
        return -1
    text, table = bytes_at(source, count), bytes_at(values, 256)
    padding = 0
    if text[count - 1] == 61:  # "="
        padding = 2 if text[count - 2] == 61 else 1
    faults = np.uint8(0)
    for index in range(count - padding):
        faults |= table[text[index]]
    return -1 if faults & NOT_BASE64 else count // 4 * 3 - padding


@native_helper
def from_base64(target: int, source: int, count: int, values: int) -> None:
    """Decode what `base64_bytes` has found to be base64: whole groups, so up to two bytes more than it said. `target`
    may be `source`.
    """
    text, out, table = bytes_at(source, count), bytes_at(target, count // 4 * 3), bytes_at(values, 256)
    for group in range(count // 4):
        word = np.uint32(0)
        for index in range(4):
            word = word << np.uint32(6) | np.uint32(table[text[4 * group + index]] & 63)
        out[3 * group] = np.uint8(word >> 16)
        out[3 * group + 1] = np.uint8(word >> 8 & 255)
        out[3 * group + 2] = np.uint8(word & 255)


@native_helper
def encode(target: int, source: int, samples: int, encoding: int, table: int) -> int:
    """Encode int16 samples as payload bytes; return how many. `table` is `audio`'s G.711 table, unused for L16."""
    if encoding == ENCODING_L16:
        copy(target, source, 2 * samples)
        return 2 * samples
    data = int16_at(source, samples)
    out = bytes_at(target, samples)
    codes = bytes_at(table, 65536)
    for index in range(samples):
        out[index] = codes[wide(data[index]) & 0xFFFF]
    return samples


@native_helper
def decimal(target: int, number: int) -> int:
    """Write a positive number in decimal; return its digits."""
    digits = 1
    bound = 10
    while number >= bound:
        digits += 1
        bound *= 10
    out = bytes_at(target, digits)
    for index in range(digits - 1, -1, -1):
        out[index] = np.uint8(48 + number % 10)
        number //= 10
    return digits


@native_helper
def xor_mask(target: int, count: int, key: int) -> None:
    """Mask or unmask `count` bytes in place with a 4-byte key in memory order (RFC 6455 section 5.3)."""
    words = int32_at(target, count // 4)
    key32 = np.int32(key)
    for index in range(count // 4):
        words[index] ^= key32
    rest = bytes_at(target + count // 4 * 4, count % 4)
    for index in range(count % 4):
        rest[index] ^= np.uint8((wide(key) >> (8 * index)) & 255)
