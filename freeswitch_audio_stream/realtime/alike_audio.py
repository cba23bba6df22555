"""What one connection's text messages of audio have in common: told to the compiled core, which takes them by itself.

See `wire.alike`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import ALAW_DECODE, MULAW_DECODE, Encoding
from . import wakeup
from .records import LIKENESS
from .wire.encoding import BASE64_VALUES

_LEVELS = {Encoding.L16: 0, Encoding.MULAW: MULAW_DECODE.ctypes.data, Encoding.ALAW: ALAW_DECODE.ctypes.data}


MOST_KINDS = 16
"""That one connection has memory for."""


class _Likeness:
    """A record LIKENESS, and the memory it points to."""

    def __init__(self, head: bytes, tail: bytes, encoding: Encoding, rate: int) -> None:
        self._head, self._tail = (np.frombuffer(text, np.uint8).copy() for text in (head, tail))
        self._record = np.zeros(1, LIKENESS)
        field = self._record[0]
        field["head"], field["head_bytes"] = self._head.ctypes.data, len(head)
        field["tail"], field["tail_bytes"] = self._tail.ctypes.data, len(tail)
        field["rate"], field["levels"], field["base64"] = rate, _LEVELS[encoding], BASE64_VALUES.ctypes.data

    @property
    def address(self) -> int:
        """Where the record is."""
        return int(self._record.ctypes.data)


class AlikeAudio:
    """Of one stream; only on its dispatcher."""

    def __init__(self, record: NDArray[Any]) -> None:
        """`record` is STREAM[1]."""
        self._field = record[0]
        self._address = int(record.ctypes.data)
        # The I/O loop may still look at one that is not in force any more.
        self._known: dict[tuple[bytes, bytes, Encoding, int], _Likeness] = {}

    def expect(self, head: bytes, tail: bytes, encoding: Encoding, rate: int) -> None:
        """Have the core queue the audio of each whole message from now on that is `head`, base64 and `tail`, at `rate`
        (Hz, one of audio.ALL_RATES), unless a message before it waits in the inbox or has not been settled. This comes
        in place of what was expected before; after MOST_KINDS that differ nothing is expected any more.
        """
        key = head, tail, encoding, rate
        if key not in self._known and len(self._known) < MOST_KINDS:
            self._known[key] = _Likeness(*key)
        known = self._known.get(key)
        wakeup.set_likeness(self._address, known.address if known else 0)

    def forget(self) -> None:
        """Expect nothing. Only while no socket is attached."""
        wakeup.set_likeness(self._address, 0)
        self._known.clear()

    @property
    def taken(self) -> int:
        """How many messages the core has taken since the stream began."""
        return int(self._field["alike"])
