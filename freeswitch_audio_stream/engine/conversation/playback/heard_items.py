"""How much the caller has heard of each item: the audio that a server has sent as parts of one response."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

from ....realtime.path import SettledMark

SetMark = Callable[[Callable[[SettledMark], None]], bool]
"""Puts a mark behind all that is queued, and calls back when it is settled; False if too many marks are queued."""


@dataclass
class _Item:
    """Positions are in samples, counted from the first that was ever queued for the caller."""

    name: str
    pieces: list[tuple[int, int, int]] = field(default_factory=list)
    """Audio of which it is not known yet whether it is heard: begin, end and rate (Hz), in order."""
    marked_to: int = 0
    """The position of its last mark."""
    heard: Counter[int] = field(default_factory=Counter)
    """Samples heard, by rate."""
    reported: tuple[int, bool] | None = None
    """What was reported last: milliseconds, and whether they were all."""

    @property
    def milliseconds(self) -> int:
        """How much was heard, rounded down."""
        return sum(1000 * samples // rate for rate, samples in self.heard.items())

    def add(self, begin: int, end: int, rate: int) -> None:
        """Queue a piece; one that continues the last is a part of it."""
        if self.pieces and self.pieces[-1][1:] == (begin, rate):
            begin = self.pieces.pop()[0]
        self.pieces.append((begin, end, rate))

    def hear(self, position: int) -> None:
        """The caller has heard what is before `position`."""
        for begin, end, rate in self.pieces:
            self.heard[rate] += max(0, min(end, position) - begin)
        self.drop(position)

    def waits_before(self, position: int) -> bool:
        """Return whether there is audio before `position` that the caller has not heard."""
        return bool(self.pieces) and self.pieces[0][0] < position

    def drop(self, position: int) -> None:
        """What is before `position` is settled."""
        self.pieces = [(max(begin, position), end, rate) for begin, end, rate in self.pieces if end > position]


class HeardItems:
    """Of one stream; only on its dispatcher.

    An item is told of when the caller has heard all that has come of it, and when the rest is cleared. That takes one
    mark at a time, and one more where another item follows, however many messages the audio came in.
    """

    def __init__(self, set_mark: SetMark, tell: Callable[[str, int, bool], None]) -> None:
        """`tell(item, milliseconds, complete)` as `ProtocolSession.heard`."""
        self._set_mark = set_mark
        self._tell = tell
        self._items: dict[str, _Item] = {}
        self._latest: _Item | None = None

    def before(self, name: str | None, position: int) -> None:
        """Audio of the item `name`, or of none, is to be queued at `position`."""
        latest = self._latest
        if latest is None or latest.name == name:
            return
        if latest.pieces and latest.marked_to < latest.pieces[-1][1]:
            self._mark(latest, position)
        self._latest = None
        if not latest.pieces:
            del self._items[latest.name]

    def queued(self, name: str, begin: int, end: int, rate: int) -> None:
        """Audio of the item `name`, at `rate` Hz, is queued from position `begin` to `end`."""
        item = self._latest = self._items.setdefault(name, _Item(name))
        if end > begin:
            item.add(begin, end, rate)
            if item.marked_to <= item.pieces[0][0]:
                self._mark(item, end)

    def clear(self, position: int) -> None:
        """All that is queued, up to `position`, is about to be cleared."""
        for item in list(self._items.values()):
            if item.pieces and not self._mark(item, position):
                self._settle(item, position, SettledMark(0, False, item.pieces[0][0]))

    def abandon(self, heard: int) -> None:
        """Nothing more will be heard: the caller has got to the position `heard`."""
        for item in list(self._items.values()):
            if item.pieces:
                self._settle(item, item.pieces[-1][1], SettledMark(0, False, heard))
        self.forget()

    def forget(self) -> None:
        """Tell of none of them any more."""
        self._items.clear()
        self._latest = None

    def _mark(self, item: _Item, position: int) -> bool:
        if not self._set_mark(lambda mark: self._settle(item, position, mark)):
            return False
        item.marked_to = position
        return True

    def _settle(self, item: _Item, position: int, mark: SettledMark) -> None:
        if self._items.get(item.name) is not item or not item.pieces:
            return  # forgotten, or settled by an earlier mark
        item.hear(mark.heard)
        if not mark.was_played and item.waits_before(position):
            item.drop(position)
            self._report(item, complete=False)
        elif not item.pieces:
            self._report(item, complete=True)
        self._follow(item, position)

    def _report(self, item: _Item, complete: bool) -> None:
        report = item.milliseconds, complete
        if report != item.reported:  # one clear settles several marks
            item.reported = report
            self._tell(item.name, *report)

    def _follow(self, item: _Item, position: int) -> None:
        """The mark at `position` is settled: set another behind what came later, or let go of the item."""
        if item.pieces:
            if item.marked_to <= position:
                self._mark(item, item.pieces[-1][1])
        elif item is not self._latest:
            del self._items[item.name]
