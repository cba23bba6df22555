"""The end of a stream: what is buffered is sent, the server is told, and everything is let go of."""

from __future__ import annotations

import math
from typing import Callable

from ..call import BugKind
from ..connection.close_frame import CLOSE_GOING_AWAY, CLOSE_NORMAL
from ..connection.link_states import LinkState
from ..states import State, Step
from .parts import StreamParts

DRAIN_SECONDS = 1.0
"""What a stop or a hangup allows for the last audio to be taken, which nobody acknowledges."""
_POLL_SECONDS = 0.02


class StreamEnd:
    """Of one stream; only on its dispatcher, as are all methods."""

    def __init__(self, parts: StreamParts, on_gone: Callable[[], None]) -> None:
        """`on_gone` is called when neither the call nor the network nor a compiled thread knows of the stream."""
        self._parts = parts
        self._states = parts.states
        self._reason = parts.end_reason
        self._attachment = parts.attachment
        self._link = parts.link
        self._player = parts.player
        self._timers = parts.timers
        self._on_gone = on_gone
        self._drain_until = math.inf
        self._hurried = False
        self._told_all = False
        self.is_gone = False
        """Whether all has been let go of. Any thread."""

    def finish(self, reason: str, detail: str = "", seconds: float | None = None) -> None:
        """End in order: capture no more, send what is buffered (for up to `seconds`), say stop, close."""
        offline = self._states.state in (State.CONNECTING, State.RECONNECTING)
        if not self._states.take(Step.DEFER if offline and self.may_deliver() else Step.FINISH):
            return
        if self._link.peer_close_reason is not None:  # the server came first; its close is not over yet
            self.closed_by_peer(self._link.peer_close_reason)
        self._reason.set_reason(reason, detail)
        if self._states.state is State.ENDED:
            self._link.give_up()
            self._stopped()
            return
        self._attachment.detach([BugKind.CAPTURE_READ, BugKind.CAPTURE_WRITE])
        if not self._plays_to_the_end():
            self._attachment.detach_all()
            self._player.abandon()
        self._drain_within(self._patience if seconds is None else seconds)
        if self._states.state is State.DRAINING:
            self._parts.gate.before_drain()
        self._parts.media.drain()

    def finish_with_call(self) -> None:
        """End in order a stream whose bugs somebody else has closed."""
        if self._attachment.end_reason:
            self.finish(self._attachment.end_reason)
        else:
            self.finish("error", "another module removed the media bug")

    def finish_gracefully(self, detail: str) -> None:
        """As `finish`, with the time that graceful-secs gives, playing to the end what the server has sent."""
        self._parts.media.path.pause_playback(False)
        self.finish("graceful", detail, self._parts.plan.settings.graceful_secs)

    @property
    def _patience(self) -> float:
        """What a stop or a hangup allows for the last audio to be taken."""
        plan = self._parts.plan
        return plan.settings.deliver_secs if plan.protocol.acknowledges else DRAIN_SECONDS

    def stop(self, reason: str, detail: str = "", seconds: float | None = None) -> None:
        """As `finish`; a stream that is draining already has no more than `seconds` left, and plays no more."""
        if self._states.state is State.DRAINING:
            self._hurry(self._patience if seconds is None else seconds)
        elif self._states.state in (State.DELIVERING, State.CLOSING):
            self._drain_within(self._patience if seconds is None else seconds)
        else:
            self.finish(reason, detail, seconds)

    def _hurry(self, seconds: float) -> None:
        if self._is_unlinked():
            self.over()  # it was only being played to the end
            return
        self._hurried = True
        self._attachment.detach_all()
        self._player.abandon()
        self._drain_within(seconds)

    def _is_unlinked(self) -> bool:
        return self._link.state in (LinkState.DETACHING, LinkState.DOWN)

    # What is buffered.

    def _drain_within(self, seconds: float) -> None:
        now = self._parts.dispatcher.now()
        self._drain_until = min(self._drain_until, now + seconds)
        self._timers.after("drain", max(0.0, self._drain_until - now), self._time_is_over)

    def deliver(self) -> None:
        """There is no connection, and the server has to have something: wait for it, if no time was given yet."""
        self._drain_within(math.inf)

    def may_deliver(self) -> bool:
        """Return whether the end waits for a server that has to have something of the call."""
        return self._link.owes_recording and self._parts.dispatcher.now() < self._drain_until

    def _time_is_over(self) -> None:
        if self._states.state is State.DELIVERING:
            self._link.give_up()
            self.over()
        else:
            self._drained()

    def _plays_to_the_end(self) -> bool:
        return self._reason.name == "graceful" and not self._attachment.lost and not self._hurried

    def sent_all(self) -> None:
        """The ring is empty; a graceful end also waits until the caller has heard everything."""
        if self._plays_to_the_end():
            self._when_heard(self._drained)
        else:
            self._drained()

    def over_when_heard(self) -> None:
        """A server that was there to be heard has said all it had to say: the caller hears it to the end."""
        self._states.take(Step.FINISH)
        self._when_heard(self.over)

    def _when_heard(self, then: Callable[[], None]) -> None:
        waits = (self._player.is_busy or self._link.has_more) and not self._attachment.lost and not self._hurried
        if self._states.state is State.DRAINING and waits:
            self._timers.after("play out", _POLL_SECONDS, lambda: self._when_heard(then))
        else:
            then()

    # The last words.

    def _drained(self) -> None:
        if self._states.state is not State.DRAINING:
            return
        if self._is_unlinked():
            self.over()
            return
        plan = self._parts.plan
        self._parts.media.path.hold_media()  # audio that nobody took in time must not follow the last words
        self._parts.sender.stop(self._reason.last_words(plan.dialect))
        self._states.take(Step.DRAINED)
        if plan.protocol.farewell_seconds and self._reason.name != "shutdown":
            self._timers.after("farewell", plan.protocol.farewell_seconds, self._say_goodbye)
        else:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        self._link.close(CLOSE_GOING_AWAY if self._reason.name == "shutdown" else CLOSE_NORMAL)

    def closed_by_peer(self, text: str) -> None:
        """The server, or the client, has closed the connection as is its good right."""
        self._reason.set_reason("client_closed" if self._parts.client_session else "server_closed", text)

    # Letting go.

    def over(self) -> None:
        """There is no connection any more, and will not be one."""
        if self._states.state is not State.ENDED:
            self._states.take(Step.LOST)
            self._stopped()

    def fail(self) -> None:
        """There will be no connection, or no audio for one; the reason is set."""
        self._states.take(Step.FAILED)
        self._parts.sender.give_up()
        self._stopped()

    def abort(self) -> None:
        """The stream has never begun: say nothing, and let go of the call."""
        self._states.take(Step.FAILED)
        self._told_all = True

    def _stopped(self) -> None:
        """Say that the stream is over, and let go of the call."""
        self._timers.cancel_all()
        self._attachment.detach_all()
        self._player.abandon()
        if self._link.shortfall:
            self._parts.reporter.error("not_recorded", self._link.shortfall)
        self._parts.lifecycle.stopped(self._reason, self._link.summary)
        self._told_all = True
        self.leave_when_free()

    def leave_when_free(self) -> None:
        """Be gone, if the stream is over and both the call and the connection have let go of it."""
        free = self._attachment.released and self._link.state is LinkState.DOWN
        if self._told_all and free and not self.is_gone:
            self.is_gone = True
            self._on_gone()
            self._attachment.call.forget()
