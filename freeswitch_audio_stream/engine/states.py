"""The states of a stream and what leads from one to the next; nothing else may change them."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where a stream is; the value is what `status` shows."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    DRAINING = "draining"
    """Captures no more; sends, and for a graceful shutdown plays, what is buffered."""
    CLOSING = "closing"
    """The close frame is on its way; waiting for the server's."""
    DISCONNECTING = "disconnecting"
    """Waiting for the I/O loop to let go of the socket."""
    ENDED = "ended"


class Step(Enum):
    """What happens to a stream."""

    CONNECTED = "connected"
    NOT_CONNECTED = "not connected"
    FINISH = "finish"
    DRAINED = "drained"
    LOST = "connection lost"
    CLOSED = "closed by both sides"
    DETACHED = "socket let go"


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.CONNECTING: {Step.CONNECTED: State.STREAMING, Step.NOT_CONNECTED: State.ENDED, Step.FINISH: State.ENDED},
    State.STREAMING: {Step.FINISH: State.DRAINING, Step.LOST: State.DISCONNECTING, Step.CLOSED: State.CLOSING},
    State.DRAINING: {Step.DRAINED: State.CLOSING, Step.LOST: State.DISCONNECTING, Step.CLOSED: State.CLOSING},
    State.CLOSING: {Step.CLOSED: State.DISCONNECTING, Step.LOST: State.DISCONNECTING},
    State.DISCONNECTING: {Step.DETACHED: State.ENDED},
    State.ENDED: {},
}
"""A step that a state does not list means nothing in it: it came too late."""
