"""What we say to the server, apart from the call's audio."""

from __future__ import annotations

from typing import Callable

from ..errors import RefusedError
from ..protocols.messages import OutMessage
from ..realtime.path import MediaPath
from .link import Link, LinkState
from .planning import Plan
from .reports import Reporter
from .states import State


class Speaker:
    """Of one stream; only on its dispatcher, but for `text`. What the protocol has no message for is not said."""

    def __init__(self, plan: Plan, path: MediaPath, link: Link, reporter: Reporter,
                 state: Callable[[], State]) -> None:
        """`state` answers that of the stream now."""
        self._plan = plan
        self._path = path
        self._link = link
        self._reporter = reporter
        self._state = state

    def start(self) -> None:
        """Introduce the stream."""
        self._send(self._plan.protocol.start(self._plan.info))

    def stop(self, reason: str) -> None:
        """Say that the stream is over, before closing."""
        self._send(self._plan.protocol.stop(self._plan.info, reason))

    def digit(self, digit: str, duration_ms: int) -> None:
        """Tell of a digit."""
        self._send(self._plan.protocol.dtmf(self._plan.info, digit, duration_ms))

    def checkpoint(self, name: str, status: str) -> None:
        """Answer what became of a checkpoint, where there is still someone who waits for it."""
        if self._link.state is LinkState.OPEN:
            self._send(self._plan.protocol.checkpoint(self._plan.info, name, status))

    def text(self, text: str) -> None:
        """Queue a message of the application; any thread. Raises RefusedError with the reason."""
        if not self._plan.bidirectional:
            raise RefusedError("the stream is one-way: start it with 1 as its last flag to exchange text")
        state = self._state()
        if state is not State.STREAMING:
            raise RefusedError(f"the stream is {state.value}: text can be sent while it is streaming")
        message = self._plan.protocol.text(self._plan.info, text)
        if message is None:
            raise RefusedError(f"the protocol {self._plan.protocol.name} has no text messages: start the stream with "
                               "the protocol json, binary or community to exchange text")
        if not self._link.send_text(message.head, message.tail):
            raise RefusedError(f"the server does not read: {self._path.unsent} bytes of messages wait already")

    def _send(self, message: OutMessage | None) -> None:
        if message is not None and not self._queue(message):
            self._reporter.error("outbox_full", "the server does not read: a message to it was dropped")

    def _queue(self, message: OutMessage) -> bool:
        if message.kind is not None:
            return self._link.send_frame(message.kind, message.head)
        return self._link.send_text(message.head, message.tail)
