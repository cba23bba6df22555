"""A stream's connection to a server that speaks AudioSocket over TCP: no pings, and a frame to say goodbye."""

from __future__ import annotations

import os

from ...protocols.audiosocket import KIND_HANGUP
from .close_frame import CLOSE_NORMAL
from .link import Link
from .link_states import LinkState


class AudioSocketLink(Link):
    """See `Link`. Codes are those of a WebSocket's close frame, for there are no others."""

    role = "audiosocket"
    pings = False

    def _send_frame(self, kind: int, payload: bytes) -> bool:
        return self._path.send(kind, payload)

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._path.send(KIND_HANGUP, b"")

    def hung_up(self) -> None:
        super().hung_up()
        if self.state is LinkState.CLOSING:
            self._hang_up_when_sent()  # there is nothing to wait for

    def _broken(self) -> None:
        # To close the connection is as good as to hang up. Where not all was read of what we sent, it is reset, so a
        # reset means nothing while we are closing; else it is a failure.
        error = self._path.socket_error
        if self._end is not None:
            self._down(*self._end)
        elif self.state is LinkState.CLOSING or not error:
            self._down(CLOSE_NORMAL, f"the {self._peer} closed the connection", True)
        else:
            self._lose(os.strerror(error))
