"""Leaving out quiet parts of what waits to be played, when more waits than there is a reason for.

What a server says in real time and what comes late, for a busy machine or network, is followed by audio that waits for
longer from then on: nothing speaks faster than it was said, and so each delay stays. Whoever asks for it is caught up
with, as jitter buffers do it: what has been in the queue all the time for a second is too much, and quiet 20 ms at a
time are left out until it is gone. Speech is never cut.
"""

from __future__ import annotations

from typing import Any

from ...native.atomics import int16_at, store_release
from ...native.compiler import native_helper
from ..records import OFFSET, stream_at
from ..rings import copy_out

_PLAY_READ = OFFSET["play_read"]
_WINDOW_MS = 1000
_PER_SECOND = 50  # pieces that may be left out; one with each frame at most, so that half of a pause always remains
_QUIET = 200  # mean of the samples' absolute values, -44 dB of full scale: the noise of a line is below, speech above


@native_helper
def _is_quiet(stream: Any, block: int, count: int) -> bool:
    copy_out(block, stream.play_ring, 2 * stream.play_read, 2 * count)
    samples = int16_at(block, count)
    total = 0
    for index in range(count):
        total += abs(int(samples[index]))
    return total <= _QUIET * count


@native_helper
def _watch(stream: Any, waiting: int, ms: int) -> None:
    """Once a second: how much there always was beyond what may wait, when a frame had been taken."""
    waiting -= ms * stream.play_rate // 1000
    stream.play_least = min(stream.play_least, waiting)
    stream.play_watched += ms
    if stream.play_watched >= _WINDOW_MS:
        stream.play_spare = stream.play_least - stream.catch_up * stream.play_rate // 1000
        stream.play_least, stream.play_watched = waiting, 0


@native_helper
def catch_up(address: int, waiting: int, until: int, ms: int, block: int) -> None:
    """Leave out what comes next, where it is quiet and not needed; by the media thread, before a frame of `ms` is
    rendered from `waiting` samples. The rate does not change before sample `until`; `block` is memory for a
    RESAMPLER_BLOCK.
    """
    stream = stream_at(address)
    _watch(stream, waiting, ms)
    piece = stream.play_rate // _PER_SECOND
    if 0 < piece <= min(stream.play_spare, until - stream.play_read) and _is_quiet(stream, block, piece):
        stream.play_spare -= piece
        stream.play_least -= piece
        stream.played += piece
        stream.caught_up += piece
        store_release(address + _PLAY_READ, stream.play_read + piece)
