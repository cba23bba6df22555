"""From a server that acknowledges audio: how many bytes it has, in JSON texts, and what may leave the ring for that.

Runs on a stream's I/O loop. A text acknowledges a chunk where it names it (`chunk_id`) and the bytes of the session up
to its end (`acked_bytes`), and no error. Where it says nothing but that, it costs no Python; one that says that
something is missing (`degraded`) and all other texts go to the inbox, each as one piece; of one that is longer than
`packet`, the beginning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, store_release, wide
from ...native.compiler import native_helper
from ..records import OFFSET
from .delivery import PIECE_ENDS_FRAME, PIECE_ENDS_MESSAGE, gather, to_inbox
from .outgoing import OPCODE_TEXT

_CAPTURE_READ = OFFSET["capture_read"]
_BLANK, _COLON = 32, 58
_MOST = 1 << 56
_CHUNK = np.frombuffer(b'"chunk_id"', np.uint8).copy()
_BYTES = np.frombuffer(b'"acked_bytes"', np.uint8).copy()
_ERROR = np.frombuffer(b'"error"', np.uint8).copy()
_DEGRADED = np.frombuffer(b'"degraded"', np.uint8).copy()


@native_helper
def _find(text: Any, length: int, word: Any) -> int:
    """Return where the word ends first; −1 where it does not occur."""
    for place in range(length - len(word) + 1):
        matching = 0
        while matching < len(word) and text[place + matching] == word[matching]:
            matching += 1
        if matching == len(word):
            return place + matching
    return -1


@native_helper
def _number(text: Any, begin: int, length: int) -> int:
    """Return the number that is the value of the member whose name ends at `begin`; −1 where there is none."""
    place = begin
    while place < length and (text[place] == _BLANK or text[place] == _COLON):
        place += 1
    if place == length or not 48 <= text[place] <= 57:
        return -1
    number = wide(0)
    while place < length and 48 <= text[place] <= 57 and number < _MOST:
        number = 10 * number + text[place] - 48
        place += 1
    return number


@native_helper
def _acknowledged(data: int, length: int) -> int:
    """Return how many bytes a text acknowledges; −1 where it says anything else."""
    text = bytes_at(data, length)
    if _find(text, length, _CHUNK) < 0 or _find(text, length, _ERROR) >= 0:
        return -1
    end = _find(text, length, _BYTES)
    return _number(text, end, length) if end >= 0 else -1


@native_helper
def _release(stream: Any, acknowledged: int) -> None:
    """Let what the server has leave the ring: whole sample times, and no more than it can have."""
    position = min((acknowledged - stream.acknowledged_base) // (2 * stream.channels), stream.capture_sent)
    if position > stream.capture_read:
        store_release(stream.address + _CAPTURE_READ, position)


@native_helper
def take_acknowledgement(stream: Any, source: int, count: int, ends_message: bool) -> None:
    """Take a piece of a text message."""
    gather(stream, source, count)
    if not ends_message:
        return
    length = min(stream.packet_length, stream.packet_capacity)
    stream.packet_length = 0
    acknowledged = _acknowledged(stream.packet, length) if stream.resumed else -1
    if acknowledged >= 0:
        _release(stream, acknowledged)
    if acknowledged < 0 or _find(bytes_at(stream.packet, length), length, _DEGRADED) >= 0:
        to_inbox(stream, OPCODE_TEXT, PIECE_ENDS_FRAME | PIECE_ENDS_MESSAGE, stream.packet, length)
