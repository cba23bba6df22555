"""A stream's hold on its call: the media bugs, the write clock and the call itself.

The order of letting go is what keeps FreeSWITCH alive: first every bug is closed (no callback can come any more),
then the write clock is off (no thread of ours is inside the session), and only then the call is released.
"""

from __future__ import annotations

import time
from typing import Callable

from ...realtime.core import CAPTURE_READ, CAPTURE_WRITE, PLAYBACK_REPLACE
from ...realtime.path import MediaPath
from ...realtime.records import (ATTEND_CLOCK_OFF, ATTEND_READ_CLOSED, ATTEND_REPLACE_CLOSED, ATTEND_WRITE_CLOSED,
                                 ATTEND_WRITE_CODEC)
from ..call import BugKind, Call

_CALLBACKS = {BugKind.CAPTURE_READ: CAPTURE_READ, BugKind.CAPTURE_WRITE: CAPTURE_WRITE,
              BugKind.PLAYBACK: PLAYBACK_REPLACE}
_CLOSED = {BugKind.CAPTURE_READ: ATTEND_READ_CLOSED, BugKind.CAPTURE_WRITE: ATTEND_WRITE_CLOSED,
           BugKind.PLAYBACK: ATTEND_REPLACE_CLOSED}


def wrap_callbacks(wrap: Callable[[BugKind, int], int]) -> None:
    """Have bugs attached from now on call `wrap(kind, callback)` instead of their callback; for whoever measures it.

    Both are addresses of C functions like `capture.capture_read`; the new one is called on media threads, and has to
    call the other.
    """
    for kind, callback in _CALLBACKS.items():
        _CALLBACKS[kind] = wrap(kind, callback)


class Attachment:
    """The bugs of one stream on one call."""

    def __init__(self, call: Call, path: MediaPath, capture: MediaPath, on_released: Callable[[], None]) -> None:
        """`path` plays and `capture`, as a rule the same, captures. `on_released` is called when nothing of the call is
        held any more.
        """
        self.call = call
        self._path = path
        self._capture = capture
        self._on_released = on_released
        self._open: set[BugKind] = set()
        self._detached: set[BugKind] = set()
        self._plays = False
        self._letting_go = False
        self.released = False
        self.lost = False
        """Whether a bug was closed by somebody else: as a rule, because the call is over."""
        self.end_reason: str | None = None
        """Why the call was over then, if it was; see `Call.end_reason`."""

    def attach(self, kinds: list[BugKind]) -> None:
        """Add the bugs, in this order.

        Raise RefusedError if one is refused; then `detach_all` is due for those added before.
        """
        for path in (self._path, self._capture):
            path.set_session(self.call.session, self.call.channel)
        for kind in kinds:
            self._attach(kind)
            if kind is BugKind.PLAYBACK:
                self._plays = True
                self._path.set_write_codec(*self.call.open_write_codec())
                self._path.enable_playback(time.monotonic_ns() // 1000)

    def _attach(self, kind: BugKind) -> None:
        # Counted as open before it is: the call may end, and close it, at once.
        self._open.add(kind)
        try:
            path = self._path if kind is BugKind.PLAYBACK else self._capture
            self.call.attach(kind, _CALLBACKS[kind], path.address)
        except BaseException:
            self._open.discard(kind)
            raise

    def detach(self, kinds: list[BugKind]) -> None:
        """Remove bugs; their closing comes back by `attend`."""
        for kind in kinds:
            if kind in self._open and kind not in self._detached:
                self._detached.add(kind)
                self.call.detach(kind)
        self._let_go_when_closed()

    def detach_all(self) -> None:
        """Remove every bug."""
        self.detach(list(BugKind))

    def attend(self, bits: int) -> None:
        """Take in what the core reports (ATTEND_…)."""
        closed = [kind for kind, bit in _CLOSED.items() if bits & bit and kind in self._open]
        for kind in closed:
            self._open.discard(kind)
            if kind not in self._detached and not self.lost:
                self.lost, self.end_reason = True, self.call.end_reason()
        if bits & ATTEND_WRITE_CODEC and BugKind.PLAYBACK in self._open:
            self._path.set_write_codec(*self.call.open_write_codec())
        if closed:  # not where none has been added yet
            self._let_go_when_closed()
        if bits & ATTEND_CLOCK_OFF and self._letting_go:
            self._release()

    def look_after_call(self) -> None:
        """Notice a call that ended while the bugs were being added: those that came too late nobody closes."""
        if not self.released and not self.lost:
            self.end_reason = self.call.end_reason()
            self.lost = self.end_reason is not None

    def _let_go_when_closed(self) -> None:
        if self._open or self._letting_go:
            return
        self._letting_go = True
        if self._plays:
            self._path.stop_clock()
        else:
            self._release()

    def _release(self) -> None:
        if not self.released:
            self.released = True
            self.call.release()
            self._on_released()
