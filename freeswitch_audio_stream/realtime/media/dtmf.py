"""Digits: the hook that FreeSWITCH calls when a digit is received, under the DTMF lock of a live call.

The hook carries no user data, so all sessions share one queue, whose address stands in a word of the hook's own; the
reader knows which streams a session has. A digit that finds the queue full is counted: nothing waits for a
reader here.
"""

from __future__ import annotations

import itertools
from typing import Any, Iterator, NamedTuple

import numpy as np

from ...native.atomics import (address_of, bytes_at, call3, fetch_add, int64_at, load_acquire, own_word,
                               store_release, wide)
from ...native.compiler import c_callback, native, native_helper
from ...native.libc import wake_event_fd
from .frames import word

_SLOTS = 1024  # a power of two
_SLOT_WORDS = 4  # session, digit, duration, source; a source is kept as its number and one: 0 is an empty slot
_TAIL, _HEAD, _LOST, _EVENT_FD, _FIRST_SLOT = range(5)
_DTMF_DURATION_OFFSET, _DTMF_SOURCE_OFFSET = 4, 12
SAMPLES_PER_MS = 8  # FreeSWITCH counts a digit's duration at 8 kHz, whatever the codec


class Digit(NamedTuple):
    """A digit received from a call."""

    session: int
    """Address of the session."""
    digit: str
    duration_ms: int
    source: int = 0
    """Who has noticed it: FreeSWITCH's switch_dtmf_source_t (0 unknown, 1 its own detector of tones, 2 RTP, 3 endpoint
    such as SIP INFO, 4 an application), or a detector of ours, by its address.
    """


@native_helper
def append(queue: int, session: int, digit: int, duration: int, source: int) -> None:
    """Queue a digit: its character, its duration in 1/8 ms, `Digit.source`. Counted where the queue is full. Any
    thread.
    """
    words = int64_at(queue, _FIRST_SLOT)
    # Half the slots are kept for digits that other threads append at this very moment.
    if load_acquire(queue + 8 * _TAIL) - load_acquire(queue + 8 * _HEAD) >= _SLOTS // 2:
        fetch_add(queue + 8 * _LOST, 1)
        return
    ticket = fetch_add(queue + 8 * _TAIL, 1)
    slot = queue + 8 * (_FIRST_SLOT + _SLOT_WORDS * (ticket & (_SLOTS - 1)))
    fields = int64_at(slot, _SLOT_WORDS)
    fields[0], fields[1], fields[2] = session, digit, duration
    store_release(slot + 8 * 3, source + 1)
    wake_event_fd(words[_EVENT_FD])


@native("int64(int64, int64)")
def _take(queue: int, target: int) -> int:
    """Move the oldest digit to int64[4] at `target`; 0 if there is none."""
    head = int64_at(queue, _FIRST_SLOT)[_HEAD]
    slot = queue + 8 * (_FIRST_SLOT + _SLOT_WORDS * (head & (_SLOTS - 1)))
    filled = load_acquire(slot + 8 * 3)
    if filled == 0:
        return 0
    fields, out = int64_at(slot, 3), int64_at(target, 4)
    out[0], out[1], out[2], out[3] = fields[0], fields[1], fields[2], filled - 1
    store_release(slot + 8 * 3, 0)
    store_release(queue + 8 * _HEAD, head + 1)
    return 1


_SET_QUEUE = -1  # no direction of FreeSWITCH's


def _make_hook(number: int) -> Any:
    """``switch_status_t (*)(switch_core_session_t *, const switch_dtmf_t *, switch_dtmf_direction_t)``.

    With the direction _SET_QUEUE, the first argument is the queue for what follows.
    """
    def dtmf_received(session: Any, dtmf: Any, direction: int) -> int:
        queue = own_word()
        if direction == _SET_QUEUE:
            store_release(queue, address_of(session))
            return 0
        address = address_of(dtmf)
        append(load_acquire(queue), address_of(session), wide(bytes_at(address, 1)[0]),
               word(address + _DTMF_DURATION_OFFSET), word(address + _DTMF_SOURCE_OFFSET))
        return 0
    dtmf_received.__qualname__ += f"_{number}"  # by their names compiled functions find each other
    # A process needs one, which is there without compiling; more than one is for tests.
    return c_callback("int32(voidptr, voidptr, int32)", kept=number == 0)(dtmf_received)


_hooks = itertools.chain([_make_hook(0)], map(_make_hook, itertools.count(1)))


@native("void(int64, int64)")
def _set_queue(hook: int, queue: int) -> None:
    call3(hook, queue, 0, _SET_QUEUE)


class DigitQueue:
    """The digits of all sessions, in the order in which they came."""

    def __init__(self, event_fd: int) -> None:
        """`event_fd` is written for every digit."""
        self._words = np.zeros(_FIRST_SLOT + _SLOT_WORDS * _SLOTS, np.int64)
        self._words[_EVENT_FD] = event_fd
        self.address = int(self._words.ctypes.data)
        """Where compiled code finds the queue."""
        self._hook = next(_hooks)
        self.hook_address: int = self._hook.address
        """What FreeSWITCH calls."""
        _set_queue(self.hook_address, self.address)

    @property
    def lost(self) -> int:
        """Digits that found the queue full."""
        return int(self._words[_LOST])

    def take(self) -> Iterator[Digit]:
        """The digits received since the last call. One reader."""
        out = np.zeros(4, np.int64)
        while _take(self.address, int(out.ctypes.data)):
            yield Digit(int(out[0]), chr(int(out[1]) & 0x7F), int(out[2]) // SAMPLES_PER_MS, int(out[3]))

    def discard(self) -> None:
        """Forget what has come while there was no reader, lost ones included. While there is none."""
        for _ in self.take():
            pass
        self._words[_LOST] = 0
