"""`Stream`: one stream as the commands, the digits and the compiled core see it."""

from __future__ import annotations

from typing import Callable

from ...realtime.records import ATTEND_DRAINED, ATTEND_INBOX
from ..attention import Attention
from ..dispatch.schedule import Job
from ..states import State
from .attaching import Attaching
from .connection_events import ConnectionEvents
from .end import StreamEnd
from .parts import StreamParts, StreamSetup


class Stream:
    """A stream of one call. All methods only on its dispatcher, where nothing else is said.

    It hears of things in the order in which they happened: what others want of it comes by `post`.
    """

    def __init__(self, setup: StreamSetup, on_ended: Callable[[Stream], None]) -> None:
        """`on_ended` is called last, when neither the call nor the network nor a compiled thread knows of it."""
        self.plan = setup.plan
        self.key = (setup.plan.info.uuid, setup.plan.info.stream_id)
        self.media = setup.media
        self.dispatcher = setup.dispatcher
        self.client_session = setup.client_session
        self.attention = Attention(setup.media, setup.dispatcher, self._attend, self._is_gone)
        parts = StreamParts(setup, self.attention, self._released)
        self._states = parts.states
        self._reporter = parts.reporter
        self._end_reason = parts.end_reason
        self.attachment = parts.attachment
        self.link = parts.link
        self.player = parts.player
        self.sender = parts.sender
        self.lifecycle = parts.lifecycle
        self._on_ended = on_ended
        self._end = StreamEnd(parts, self._gone)
        self._attaching = Attaching(parts, self._end)
        parts.link.report_to(ConnectionEvents(parts, self._end), parts.receiver)

    def _is_gone(self) -> bool:
        return self._end.is_gone

    def _released(self) -> None:
        self._end.leave_when_free()

    def _gone(self) -> None:
        self._on_ended(self)

    @property
    def state(self) -> State:
        """Where the stream is. Any thread."""
        return self._states.state

    @property
    def ended_by_itself(self) -> bool:
        """Whether it was connected once, and ended without being asked to."""
        return self.sender.has_introduced and self._end_reason.name in ("server_closed", "error", "timeout")

    def post(self, job: Job) -> None:
        """Run `job` behind what has happened to the stream by now, and before what happens to it later; not at all
        once it has ended. Any thread.
        """
        self.attention.post(job)

    # What commands want.

    def attach(self) -> None:
        """Add the bugs, if the call has media; on the thread of the command. Where that fails, the stream ends by
        itself.
        """
        self._attaching.attach()

    def begin(self) -> None:
        """Look after what the core reports; attach, where the call had no media before, and connect."""
        self._attaching.begin()

    def finish_gracefully(self, detail: str) -> None:
        """End in order, with the time that graceful-secs gives, playing to the end what the server has sent."""
        self._end.finish_gracefully(detail)

    def stop(self, reason: str, detail: str = "", seconds: float | None = None) -> None:
        """End in order: capture no more, send what is buffered (for up to `seconds`), say stop, close. A stream that
        is draining already has no more than `seconds` left, and plays no more.
        """
        self._end.stop(reason, detail, seconds)

    # What the core reports.

    def _attend(self, bits: int, inbox_end: int | None) -> None:
        if self.state is not State.ENDED:  # then everything has been told
            self.player.attend(bits)
            self.lifecycle.attend(bits)
        self.attachment.attend(bits)
        if self._end.is_gone:
            return
        if self.attachment.lost:
            # What the server had said before the call was over comes first; above all, that it closes.
            self.link.attend(bits & ATTEND_INBOX, self.media.path.inbox_end_at_close)
            self._end.finish_with_call()
        self.link.attend(bits, inbox_end)
        if bits & ATTEND_DRAINED:
            self._end.sent_all()

    def send_digit(self, digit: str, duration_ms: int) -> None:
        """Tell of a digit: always by an event, and the server where it wants to know."""
        if not self._attaching.has_begun or self.state is State.ENDED or self.attachment.released:
            return
        if self.attachment.call.hides_digits():
            return
        self._reporter.fire("dtmf", digit=digit, duration=duration_ms)
        if self.state is State.STREAMING and self.plan.settings.dtmf and self.plan.captures:
            self.sender.digit(digit, duration_ms)
