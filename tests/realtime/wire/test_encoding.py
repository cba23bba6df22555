"""Payload bytes against the standard library and against `audio`."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import ALAW_ENCODE, MULAW_ENCODE, Encoding, encode, samples_to_l16
from freeswitch_audio_stream.realtime.path_format import ENCODINGS
from freeswitch_audio_stream.realtime.wire.encoding import BASE64_TABLE

from .. import natives

GUARD = 0xA5
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)
TABLES = {Encoding.L16: None, Encoding.MULAW: MULAW_ENCODE, Encoding.ALAW: ALAW_ENCODE}


def to_base64(data: bytes) -> bytes:
    source = np.frombuffer(data + b"\0", np.uint8)
    length = natives.base64_length(len(data))
    target = np.full(length + 16, GUARD, np.uint8)
    natives.base64(target.ctypes.data, source.ctypes.data, len(data), BASE64_TABLE.ctypes.data)
    assert (target[length:] == GUARD).all()
    return target[:length].tobytes()


@given(st.binary(max_size=400))
def test_base64(data: bytes) -> None:
    assert to_base64(data) == base64.b64encode(data)


def test_base64_of_every_byte_at_every_place() -> None:
    for shift in range(3):
        data = bytes(shift) + bytes(range(256)) * 3
        assert to_base64(data) == base64.b64encode(data)


@pytest.mark.parametrize("encoding", Encoding)
def test_every_sample(encoding: Encoding) -> None:
    table = TABLES[encoding]
    target = np.full(2 * 65536 + 16, GUARD, np.uint8)
    count = natives.encode(target.ctypes.data, ALL_SAMPLES.ctypes.data, 65536, ENCODINGS[encoding],
                           0 if table is None else table.ctypes.data)
    assert target[:count].tobytes() == encode(ALL_SAMPLES, encoding)
    assert (target[count:] == GUARD).all()


def test_l16_is_little_endian() -> None:
    assert samples_to_l16(np.array([0x0102], np.int16)) == b"\x02\x01"


@given(st.one_of(st.integers(1, 10 ** 18 - 1), st.integers(0, 17).map(lambda power: 10 ** power),
                 st.integers(1, 17).map(lambda power: 10 ** power - 1)))
def test_decimal(number: int) -> None:
    target = np.full(32, GUARD, np.uint8)
    digits = natives.decimal(target.ctypes.data, number)
    assert target[:digits].tobytes() == str(number).encode()
    assert (target[digits:] == GUARD).all()


@given(st.binary(max_size=100), st.binary(min_size=4, max_size=4))
def test_mask(data: bytes, key: bytes) -> None:
    target = np.frombuffer(data + b"\xa5", np.uint8).copy()
    natives.xor_mask(target.ctypes.data, len(data), int.from_bytes(key, "little", signed=True))
    assert target[:-1].tobytes() == bytes(octet ^ key[place % 4] for place, octet in enumerate(data))
    assert target[-1] == GUARD
