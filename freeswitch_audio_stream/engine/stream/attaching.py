"""The beginning of a stream: its bugs are added to the call, as soon as that has media, and the server is called."""

from __future__ import annotations

from ...errors import RefusedError
from ..states import State, Step
from .end import StreamEnd
from .parts import StreamParts

MEDIA_SECONDS = 5.0
"""How long a call between two states is waited for."""
_POLL_SECONDS = 0.02


class Attaching:
    """Of one stream; only on its dispatcher, but for `attach`."""

    def __init__(self, parts: StreamParts, end: StreamEnd) -> None:
        self._parts = parts
        self._states = parts.states
        self._attachment = parts.attachment
        self._dispatcher = parts.dispatcher
        self._end = end
        self.has_begun = False
        """Whether the command's thread has handed the stream over."""

    def attach(self) -> None:
        """Add the bugs, if the call has media; on the thread of the command. Where that fails, the stream ends by
        itself.
        """
        if not self._attachment.call.has_media():
            return  # `begin` waits for it
        try:
            self._attach()
        except BaseException:
            self._dispatcher.post(self._abort)
            raise

    def _attach(self) -> None:
        self._attachment.attach(self._parts.plan.bugs)
        self._states.take(Step.ATTACHED)

    def _abort(self) -> None:
        self._end.abort()
        self._listen()
        self._attachment.detach_all()

    def _listen(self) -> None:
        # Not before the last bug is attached: until then the command's thread is in charge.
        self._parts.attention.adopt()
        self._dispatcher.enqueue(self._look_after_call)  # behind the commands that came meanwhile
        self._parts.media.open()

    def _look_after_call(self) -> None:
        self._attachment.look_after_call()
        if self._attachment.lost and not self._end.is_gone:
            self._end.finish_with_call()

    def begin(self) -> None:
        """Look after what the core reports; attach, where the call had no media before, and connect."""
        self.has_begun = True
        self._listen()
        if self._states.state is State.WAITING:
            self._wait_for_media(self._dispatcher.now() + MEDIA_SECONDS)
        else:
            self._connect()

    def _connect(self) -> None:
        if self._states.state is State.CONNECTING:
            self._parts.link.connect(self._parts.plan.timeout)

    def _wait_for_media(self, deadline: float) -> None:
        if self._states.state is not State.WAITING or self._ends_with_call():
            return
        if self._attachment.call.has_media():
            self._attach_late()
        elif self._dispatcher.now() < deadline:
            self._parts.timers.after("media", _POLL_SECONDS, lambda: self._wait_for_media(deadline))
        else:
            self._fail(f"the call has got no media within {MEDIA_SECONDS:g} s: answer or pre_answer it, do not bypass "
                       "or proxy its media, and start the stream again")

    def _ends_with_call(self) -> bool:
        """End the stream if the call has ended, and return whether it has."""
        reason = self._attachment.call.end_reason()
        if reason is not None:
            self._end.finish(reason)
        return reason is not None

    def _attach_late(self) -> None:
        try:
            self._attach()
        except RefusedError as error:
            if not self._ends_with_call():
                self._fail(str(error))
        else:
            self._look_after_call()
            self._connect()

    def _fail(self, text: str) -> None:
        self._parts.reporter.error("media", text)
        self._parts.end_reason.set_reason("error", text)
        self._end.fail()
