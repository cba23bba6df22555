"""Audio in text messages that are alike, queued by the I/O loop.

A server writes its messages of audio with one serialiser, so from one to the next nothing but the audio differs. Python
reads the first, and says what is before and behind the audio in it (LIKENESS). A message that begins and ends in
the same way, and has nothing but base64 between, differs from that one in the audio alone, whatever its format is: it
needs no reading. All others go to the inbox as ever, and while one of them waits for Python, so do those that are
alike, for no audio may overtake another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, load_acquire
from ...native.compiler import native_helper
from ..media.playback import play
from ..records import OFFSET, likeness_at
from .delivery import octets_to_playback
from .encoding import base64_bytes, from_base64

_LIKENESS, _INBOX_SETTLED = OFFSET["likeness"], OFFSET["inbox_settled"]


@native_helper
def _same(first: int, second: int, count: int) -> bool:
    """Whether `count` bytes at two addresses are the same."""
    ours, theirs = bytes_at(first, count), bytes_at(second, count)
    difference = np.uint8(0)
    for index in range(count):
        difference |= ours[index] ^ theirs[index]
    return difference == 0


@native_helper
def take_alike(stream: Any, source: int, count: int) -> bool:
    """Queue the audio of a whole text message at address `source`, which is decoded in place; False, and nothing is
    changed, if Python has to read it.
    """
    address = load_acquire(stream.address + _LIKENESS)
    if address == 0 or stream.discards or load_acquire(stream.address + _INBOX_SETTLED) != stream.inbox_write:
        return False
    like = likeness_at(address)
    length = count - like.head_bytes - like.tail_bytes
    if length <= 0 or not (_same(source, like.head, like.head_bytes)
                           and _same(source + count - like.tail_bytes, like.tail, like.tail_bytes)):
        return False
    text = source + like.head_bytes
    audio = base64_bytes(text, length, like.base64)
    if audio <= 0 or (like.levels == 0 and audio & 1):
        return False
    from_base64(text, text, length, like.base64)
    if like.levels:
        octets_to_playback(stream, text, audio, like.rate, like.levels)
    else:
        play(stream.address, text, audio // 2, like.rate)
    stream.alike += 1
    return True
