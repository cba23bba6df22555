"""The digits of a call, told to each of its streams."""

from __future__ import annotations

from ..stream_table import StreamTable
from .digits import Digits


class DigitSharing:
    """On the dispatcher that reads the digits."""

    def __init__(self, digits: Digits, table: StreamTable) -> None:
        self._digits = digits
        self._table = table

    def share(self) -> None:
        """Tell of the digits that have come since the last call."""
        for digit in self._digits.take():
            for stream in self._table.running():
                if stream.attachment.call.session == digit.session and not stream.attachment.released:
                    stream.dispatcher.post(
                        lambda s=stream, d=digit: s.send_digit(d.digit, d.duration_ms))  # type: ignore[misc]
