"""What comes of a stream's connection: audio flows, or the connection is made again, or the stream ends."""

from __future__ import annotations

from ...errors import ConnectError, ConnectTimeout
from ...transports import Connection
from ..states import State, Step
from .end import StreamEnd
from .parts import StreamParts


class ConnectionEvents:
    """The `LinkOwner` of one stream; only on its dispatcher."""

    def __init__(self, parts: StreamParts, end: StreamEnd) -> None:
        self._parts = parts
        self._states = parts.states
        self._reconnecting = parts.reconnecting
        self._lifecycle = parts.lifecycle
        self._end = end

    def link_up(self, connection: Connection) -> None:
        """The server is there: introduce the stream, before any audio and before the application can send."""
        parts = self._parts
        parts.sender.start()
        self._states.take(Step.CONNECTED)
        self._reconnecting.connected()
        self._lifecycle.connected(connection)
        parts.player.new_connection()
        parts.gate.connected(parts.effects.opening_is_late)
        if self._states.state is State.DRAINING:
            parts.media.path.drain_media()
        parts.link.attach()
        self._lifecycle.streaming(connection)

    def link_failed(self, error: ConnectError) -> None:
        """The server is not there."""
        again = self._may_reconnect(State.RECONNECTING) and not error.for_good
        self._lifecycle.not_connected(error, again)
        if again:
            self._reconnecting.defer(error.retry_after or 0.0)
            self._reconnecting.try_again()
        else:
            self._parts.end_reason.set_reason("timeout" if isinstance(error, ConnectTimeout) else "error", str(error))
            self._end.fail()

    def link_refused(self, text: str, for_good: bool, in_words: bool = False) -> None:
        """The server breaks a rule, or refuses something."""
        self._parts.reporter.error("recorder" if in_words else "protocol", text)
        if for_good:
            self._parts.end_reason.set_reason("error", text)

    def link_lost(self, text: str, timed_out: bool) -> None:
        """The connection broke, or the server does not answer."""
        self._lifecycle.lost(text, timed_out)

    def link_deferred(self, seconds: float) -> None:
        """The server wants to be left alone for a while."""
        self._reconnecting.defer(seconds)

    def link_down(self, code: int, text: str, clean: bool) -> None:
        """The connection is over: for good, or to be made again."""
        self._reconnecting.disconnected()
        again = not clean and self._may_reconnect(State.STREAMING)
        self._lifecycle.disconnected(code, text, again)
        if again:
            self._states.take(Step.DROPPED)
            if self._states.state is State.DELIVERING:
                self._end.deliver()
        elif clean:
            self._end.closed_by_peer(text)
            if not self._parts.plan.captures and self._states.state is State.STREAMING:
                self._end.over_when_heard()
            else:
                self._end.over()
        else:
            self._parts.end_reason.set_reason("error", text)
            self._end.over()

    def link_released(self) -> None:
        """The socket is closed."""
        if self._states.state in (State.RECONNECTING, State.DELIVERING):
            self._reconnecting.try_again()
        else:
            self._end.leave_when_free()

    def _may_reconnect(self, state: State) -> bool:
        """Whether another connection may be made, in this state or at the end of a stream."""
        if self._states.state in (State.DRAINING, State.CLOSING, State.DELIVERING):
            return self._parts.sender.has_introduced and self._reconnecting.is_allowed and self._end.may_deliver()
        return self._states.state is state and self._reconnecting.is_allowed and not self._parts.attachment.lost
