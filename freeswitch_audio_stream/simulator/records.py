"""The memory of a call, as the compiled media loop sees it.

Records consist of native ``int64`` fields, so that any thread may read a counter without a lock; C
structures (a frame, a codec implementation) keep the layout that `switch.layouts` gives them. Addresses are
plain integers.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ..native.atomics import pointer
from ..native.compiler import carray, native_helper
from ..switch import layouts

ALIVE = 0x5E5510
"""What `magic` holds from the making of a session to its destruction."""

APP_PARK, APP_PLAYBACK, APP_ECHO, APP_BRIDGE = range(4)

FRAME_BYTES = ctypes.sizeof(layouts.Frame)
IMPLEMENTATION_BYTES = ctypes.sizeof(layouts.CodecImplementation)
CODEC_BYTES = ctypes.sizeof(layouts.Codec)
PACKET_BYTES = 8192
"""The largest packet the switch handles (its recommended buffer size)."""
BUG_BUFFER_BYTES = 512 * 1024
LOCK_BYTES = 64
"""Room for a mutex or a read-write lock of the threads library."""


def _record(fields: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in fields.split()])


_FORMATS = {1: "u1", 4: "u4", 8: "i8"}
"""By size: small fields are counts, wide ones addresses."""


def _structure(kind: type[ctypes.Structure], fields: str) -> np.dtype[Any]:
    """The named fields of a C structure, at their own offsets."""
    types = dict(kind._fields_)  # type: ignore[arg-type]
    return np.dtype({
        "names": fields.split(),
        "formats": [_FORMATS[ctypes.sizeof(types[name])] for name in fields.split()],
        "offsets": [getattr(kind, name).offset for name in fields.split()],
        "itemsize": ctypes.sizeof(kind)})


FRAME = _structure(layouts.Frame, "codec data datalen buflen samples rate channels flags")
IMPLEMENTATION = _structure(layouts.CodecImplementation,
                            "iananame actual_samples_per_second microseconds_per_packet "
                            "decoded_bytes_per_packet number_of_channels codec_id impl_id")
CODEC = _structure(layouts.Codec, "implementation")

BUFFER = _record("data capacity start used")
"""Bytes in waiting. They begin at `start` and move to the front when room is short: a drained buffer
touches no new memory however long it lives.
"""

RECORDING = _record("samples capacity length frames frames_capacity frames_length")
"""What one direction of a call carried: `length` int16 values, of which the first `capacity` are kept, and
for every frame three int64: CLOCK_MONOTONIC ns, position and count of its values.
"""

SESSION = _record("""
    magic misuse
    channel state cause answered early_media held bridged bypassed moving
    session_lock read_mutex write_mutex bug_lock
    bugs read_impl write_impl read_codec write_codec linear_codec
    app interrupt partner idle_silence period due
    speech speech_length speech_position speech_ends_in_cng read_table spoken cng_frames
    play play_length play_position write_table heard
    read_frame read_data write_frame write_data sent_data app_frame app_data raw_write
    read_clock write_clock collisions writing
""")
"""One call. `channel` holds the address of the record, and its own address is the channel's."""

BUG = _record("""
    magic session next ready flags callback user
    read_mutex write_mutex read_buffer write_buffer scratch mixed replace_frame
""")
"""One media bug."""

CHANNEL_OFFSET = int(SESSION.fields["channel"][1])  # type: ignore[index]


def record_at(address: int, record: np.dtype[Any]) -> Any:
    """The record at an address for Python: an object with its fields as attributes, all plain ints."""
    return _MIRRORS[record].from_address(address)


_MIRRORS: dict[np.dtype[Any], type[ctypes.Structure]] = {
    record: type("Record", (ctypes.Structure,),
                 {"_fields_": [(name, ctypes.c_int64) for name in record.names or ()]})
    for record in (BUFFER, RECORDING, SESSION, BUG)}


@native_helper
def session_at(address: int) -> Any:
    return carray(pointer(address), (1,), SESSION)[0]


@native_helper
def bug_at(address: int) -> Any:
    return carray(pointer(address), (1,), BUG)[0]


@native_helper
def buffer_at(address: int) -> Any:
    return carray(pointer(address), (1,), BUFFER)[0]


@native_helper
def recording_at(address: int) -> Any:
    return carray(pointer(address), (1,), RECORDING)[0]


@native_helper
def frame_at(address: int) -> Any:
    return carray(pointer(address), (1,), FRAME)[0]


@native_helper
def codec_at(address: int) -> Any:
    return carray(pointer(address), (1,), CODEC)[0]


@native_helper
def implementation_at(address: int) -> Any:
    return carray(pointer(address), (1,), IMPLEMENTATION)[0]
