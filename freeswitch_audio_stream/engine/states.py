"""The states of a stream and what leads from one to the next; nothing else may change them."""

from __future__ import annotations

from enum import Enum

from .state_machine import StateMachine


class State(Enum):
    """Where a stream is; the value is what `status` shows."""

    WAITING = "waiting"
    """The call is between two states, and has no media: it is attached to as soon as it has."""
    CONNECTING = "connecting"
    STREAMING = "streaming"
    RECONNECTING = "reconnecting"
    """The connection failed; audio waits in the ring while the server is tried again."""
    DRAINING = "draining"
    """Captures no more; sends, and for a graceful shutdown plays, what is buffered."""
    DELIVERING = "delivering"
    """Captures no more, and has no connection: the server is tried again, for what it has to have of the call."""
    CLOSING = "closing"
    """Has said stop, and waits for the server's close."""
    ENDED = "ended"
    """Its last event is fired; threads and FreeSWITCH are letting go of it."""


class Step(Enum):
    """What happens to a stream."""

    ATTACHED = "attached to the call"
    CONNECTED = "connected"
    FAILED = "not attached, or not connected"
    DROPPED = "connection lost, to be made again"
    LOST = "connection over"
    FINISH = "asked to end"
    DEFER = "asked to end, while something cannot be sent that the server has to have"
    DRAINED = "nothing is left to send"


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.WAITING: {Step.ATTACHED: State.CONNECTING, Step.FAILED: State.ENDED, Step.FINISH: State.ENDED},
    State.CONNECTING: {Step.CONNECTED: State.STREAMING, Step.FAILED: State.ENDED, Step.FINISH: State.ENDED,
                       Step.DEFER: State.DELIVERING},
    State.STREAMING: {Step.FINISH: State.DRAINING, Step.DROPPED: State.RECONNECTING, Step.LOST: State.ENDED},
    State.RECONNECTING: {Step.CONNECTED: State.STREAMING, Step.FAILED: State.ENDED, Step.FINISH: State.ENDED,
                         Step.DEFER: State.DELIVERING},
    # Several may ask a stream to end: a command, its call, its server, the end of the module. The first one counts.
    State.DRAINING: {Step.DRAINED: State.CLOSING, Step.LOST: State.ENDED, Step.FINISH: State.DRAINING,
                     Step.DROPPED: State.DELIVERING},
    State.DELIVERING: {Step.CONNECTED: State.DRAINING, Step.FAILED: State.ENDED, Step.LOST: State.ENDED,
                       Step.FINISH: State.DELIVERING},
    State.CLOSING: {Step.LOST: State.ENDED, Step.FINISH: State.CLOSING, Step.DROPPED: State.DELIVERING},
    # A module that is unloaded while a command's thread is still attaching does not wait for it for ever.
    State.ENDED: {Step.FINISH: State.ENDED, Step.ATTACHED: State.ENDED, Step.FAILED: State.ENDED},
}
"""A step that leads to the state it comes from is one that comes too late, or twice, and is known to; a step that a
state does not list is a defect of ours."""
StreamStates = StateMachine[State, Step]
