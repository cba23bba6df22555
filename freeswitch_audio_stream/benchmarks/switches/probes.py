"""What runs on the media threads of the switch that is measured: compiled, without a lock, an allocation or the GIL.

A factory compiles a callback for the addresses it is given, which become constants of its code. Callbacks stay
loaded for the life of the process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import address_of, call1, call3, int64_at, wide
from ...realtime.media.frames import (FRAME_BUFLEN, FRAME_BYTES, FRAME_DATA, FRAME_DATA_BYTES, FRAME_DATALEN,
                                      frame_data, set_word, word)
from ..clock import monotonic_ns
from ..compiler import fresh_callback
from ..histogram import count_duration
from ..stamps import NO_STAMP, age_of_l16, stamp

ABC_READ, ABC_WRITE_REPLACE, ABC_TAP_NATIVE_READ, ABC_CLOSE = 1, 3, 6, 8
TAP_NATIVE_READ = 0x2000
"""The flag of a bug that is shown what was received before anything is done with it."""

_BUG_CALLBACK = "int32(voidptr, voidptr, int32)"
BARE_BUG_BYTES = FRAME_BYTES + FRAME_DATA_BYTES
_kept: list[Any] = []


def _address(callback: Any) -> int:
    _kept.append(callback)
    return int(callback.address)


def timed_callback(inner: int, counts: int) -> int:
    """A bug's callback that calls the one at `inner` and counts how long it took in the histogram at `counts`."""
    def callback(bug: Any, user: Any, kind: int) -> int:
        began = monotonic_ns()
        answer = call3(inner, address_of(bug), address_of(user), wide(kind))
        if kind != ABC_CLOSE:
            count_duration(counts, monotonic_ns() - began)
        return np.int32(answer)  # type: ignore[return-value]
    return _address(fresh_callback(_BUG_CALLBACK)(callback))


def bare_callback(bug_read: int) -> int:
    """A READ_STREAM callback that reads its audio and does nothing with it: the least that a module can do.

    Its user data are BARE_BUG_BYTES of memory; `bug_read` is ``switch_core_media_bug_read``.
    """
    def callback(bug: Any, user: Any, kind: int) -> int:
        if kind == ABC_READ:
            frame = address_of(user)
            int64_at(frame + FRAME_DATA, 1)[0] = frame + FRAME_BYTES
            set_word(frame + FRAME_BUFLEN, FRAME_DATA_BYTES)
            while np.int32(call3(bug_read, address_of(bug), frame, 1)) == 0:
                pass
        return np.int32(1)  # type: ignore[return-value]
    return _address(fresh_callback(_BUG_CALLBACK)(callback))


def stamping_callback(native_frame: int) -> int:
    """A TAP_NATIVE_READ callback that stamps L16 as it is received.

    `native_frame` is ``switch_core_media_bug_get_native_read_frame``.
    """
    def callback(bug: Any, user: Any, kind: int) -> int:
        if kind == ABC_TAP_NATIVE_READ:
            frame = call1(native_frame, address_of(bug))
            if frame != 0:
                stamp(frame_data(frame), word(frame + FRAME_DATALEN) // 2)
        return np.int32(1)  # type: ignore[return-value]
    return _address(fresh_callback(_BUG_CALLBACK)(callback))


def stamping_read(bug_read: int) -> int:
    """``switch_core_media_bug_read`` that stamps what it hands out, for a switch without native taps."""
    def read(bug: int, frame: int, fill: int) -> int:
        status = np.int32(call3(bug_read, bug, frame, fill))
        if status == 0:
            stamp(frame_data(frame), word(frame + FRAME_DATALEN) // 2)
        return wide(status)
    return _address(fresh_callback("int64(int64, int64, int64)")(read))


def listening_callback(replace_frame: int, ages: int) -> int:
    """A WRITE_REPLACE callback that counts how old the stamps are that reach the caller, and changes nothing.

    `replace_frame` is ``switch_core_media_bug_get_write_replace_frame``, `ages` the address of a histogram.
    """
    def callback(bug: Any, user: Any, kind: int) -> int:
        if kind == ABC_WRITE_REPLACE:
            frame = call1(replace_frame, address_of(bug))
            if frame != 0:
                age = age_of_l16(frame_data(frame), word(frame + FRAME_DATALEN) // 2)
                if age != NO_STAMP:
                    count_duration(ages, 1000 * age)
        return np.int32(1)  # type: ignore[return-value]
    return _address(fresh_callback(_BUG_CALLBACK)(callback))
