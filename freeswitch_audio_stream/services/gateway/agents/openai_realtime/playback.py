"""Which audio of which item the caller has heard.

The gateway tells how many milliseconds of all audio were heard; the service wants to know it of each item. Audio can
be held: it is cleared, kept, and what was not heard is played again when it is released.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Deque, Iterable

from ..interface import BYTES_PER_MS, Output


@dataclass(frozen=True)
class ItemHeard:
    """No more of an item will be heard than this."""

    item: str
    milliseconds: int
    complete: bool


@dataclass
class _Piece:
    item: str
    start: int
    """Bytes of the item before this piece."""
    audio: bytes

    def skip(self, size: int) -> None:
        self.start += size
        self.audio = self.audio[size:]


class Playback:
    """Of one conversation; on the event loop."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._given: Deque[_Piece] = deque()
        """Was given to the output and not heard, as far as is known."""
        self._base = 0
        """Bytes that were heard before the first of those."""
        self._since: Deque[_Piece] = deque()
        """Was given behind an order to clear whose outcome is not known yet."""
        self._clears = 0
        """Orders to clear whose outcome is not known yet."""
        self._held: Deque[_Piece] = deque()
        """Comes behind what is held."""
        self._is_held = False
        self._is_released = False
        """Release when the outcome of the clear is known."""
        self._given_bytes: dict[str, int] = {}
        """Of each item of which it is not known how much will be heard."""
        self._finished: set[str] = set()

    @property
    def is_idle(self) -> bool:
        """Whether the caller has heard everything."""
        return not self._given_bytes

    def play(self, item: str, audio: bytes) -> None:
        """Let the caller hear more of an item."""
        if not audio:
            return
        start = self._given_bytes.get(item, 0)
        self._given_bytes[item] = start + len(audio)
        piece = _Piece(item, start, audio)
        if self._is_held or self._is_released:
            self._held.append(piece)
        else:
            self._give(piece)

    def _give(self, piece: _Piece) -> None:
        (self._since if self._clears else self._given).append(piece)
        self._output.play(piece.audio)

    def finish(self, item: str) -> list[ItemHeard]:
        """No more of an item comes. Return what is known of it by that."""
        if item in self._given_bytes:
            self._finished.add(item)
        return self._completed()

    def hold(self) -> None:
        """Let the caller hear nothing more until `release` or `clear`."""
        if not self._is_held:
            self._is_held, self._is_released = True, False  # also where a release has waited for an outcome
            self._stop()

    def release(self) -> None:
        """Go on where `hold` has stopped."""
        if self._is_held:
            self._is_held = False
            self._is_released = bool(self._clears)
            if not self._is_released:
                self._resume()

    def clear(self) -> list[ItemHeard]:
        """Let the caller hear nothing more of all this. Return what is known of it by that; `heard` tells the rest."""
        was_held = self._is_held or self._is_released
        self._is_held = self._is_released = False
        if not was_held:
            self._stop()
        return [] if self._clears else self._settle()

    def _stop(self) -> None:
        if self._since or self._given and not self._clears:
            self._given += self._since
            self._since.clear()
            self._clears += 1
            self._output.clear()

    def heard(self, milliseconds: int, cleared: bool) -> list[ItemHeard]:
        """Learn what `Agent.heard` learns. Return what is known of items by that."""
        position = milliseconds * BYTES_PER_MS
        self._advance(position)
        if cleared and self._clears:
            self._clears -= 1
            if not self._clears:
                return [*self._completed(), *self._outcome(position)]
        return self._completed()

    def _advance(self, position: int) -> None:
        """Up to one millisecond is missing in what was told, which counts whole ones."""
        while self._given and self._base + len(self._given[0].audio) < position + BYTES_PER_MS:
            self._base += len(self._given.popleft().audio)
        heard = (position - self._base) // 2 * 2
        if self._given and heard > 0:
            self._given[0].skip(heard)
            self._base += heard

    def _outcome(self, position: int) -> list[ItemHeard]:
        """It is known what was heard before the caller's side cleared the rest."""
        since, self._since = self._since, deque()
        self._base = position
        if self._is_held or self._is_released:
            self._held.extendleft(reversed(self._given))
            self._given.clear()
            if self._is_released:
                self._is_released = False
                self._resume()
            return []
        settled = self._settle({piece.item for piece in since})
        self._given = since
        return settled

    def _resume(self) -> None:
        held, self._held = self._held, deque()
        for piece in held:
            self._give(piece)

    def _settle(self, but: Iterable[str] = ()) -> list[ItemHeard]:
        """Nothing of what is left will be heard, but for these items."""
        heard = {item: size for item, size in self._given_bytes.items() if item not in but}
        for piece in reversed([*self._given, *self._held]):
            heard[piece.item] = piece.start
        self._given.clear()
        self._held.clear()
        reports = [ItemHeard(item, size // BYTES_PER_MS, item in self._finished and size == self._given_bytes[item])
                   for item, size in heard.items()]
        for report in reports:
            self._forget(report.item)
        return reports

    def _completed(self) -> list[ItemHeard]:
        """The items that came to their end and were heard to it."""
        left = {piece.item for piece in (*self._given, *self._since, *self._held)}
        whole = [item for item in self._given_bytes if item in self._finished and item not in left]
        reports = [ItemHeard(item, self._given_bytes[item] // BYTES_PER_MS, True) for item in whole]
        for item in whole:
            self._forget(item)
        return reports

    def _forget(self, item: str) -> None:
        self._given_bytes.pop(item, None)
        self._finished.discard(item)
