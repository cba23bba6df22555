"""One stream: waiting, connecting, streaming, reconnecting, draining, closing, and the events on the way."""

from __future__ import annotations

import math
from typing import Callable

from ..config import Dialect
from ..errors import ConnectError, ConnectTimeout, RefusedError
from ..realtime.records import ATTEND_DRAINED, ATTEND_INBOX
from ..transports import Connection
from .attention import Attention
from .call import BugKind, Call
from .connection.close_frame import CLOSE_GOING_AWAY, CLOSE_NORMAL
from .connection.link_states import LinkState
from .connection.links import make_link
from .connection.media_clients import ClientSession
from .connection.reconnecting import Reconnecting
from .conversation.audio_gate import AudioGate
from .conversation.call_control import CallControl
from .conversation.message_receiver import MessageReceiver
from .conversation.message_sender import MessageSender
from .conversation.player import Player
from .conversation.protocol_conversation import ProtocolConversation
from .conversation.sound_files import SoundFiles
from .conversation.tool_calls import ToolCalls
from .dispatch.dispatcher import Dispatcher
from .dispatch.schedule import Job
from .dispatch.timers import Timers
from .end_reason import EndReason
from .events.agent_turns import AgentTurns
from .events.community_reports import CommunityReporter
from .events.lifecycle import Lifecycle
from .events.reports import Reporter
from .media.attachment import Attachment
from .media.paths import MediaPaths
from .plan.plan import Plan
from .state_machine import StateMachine
from .states import TRANSITIONS, State, Step

_DRAIN_SECONDS = 1.0   # what a stop or a hangup allows for the last audio to be taken, which nobody acknowledges
_MEDIA_SECONDS = 5.0   # how long a call between two states is waited for
_POLL_SECONDS = 0.02


class Stream:
    """A stream of one call. All methods only on its dispatcher, where nothing else is said.

    It hears of things in the order in which they happened: what others want of it comes by `post`.
    """

    def __init__(self, plan: Plan, call: Call, media: MediaPaths, dispatcher: Dispatcher, sounds: SoundFiles,
                 on_ended: Callable[[Stream], None], client_session: ClientSession | None = None) -> None:
        """`on_ended` is called last, when neither the call nor the network nor a compiled thread knows of it.

        With a `client_session` the stream is that of a client that connects to us.
        """
        self.plan = plan
        self.key = (plan.info.uuid, plan.info.stream_id)
        self._states = StateMachine("stream", TRANSITIONS, State.WAITING, dispatcher.report)
        self.media = media
        self.dispatcher = dispatcher
        self.client_session = client_session
        path = media.path
        reporter = CommunityReporter if plan.dialect is Dialect.COMMUNITY else Reporter
        self._reporter = reporter(call, plan.info.stream_id)
        self.attachment = Attachment(call, path, media.capture, self._end_when_free)
        self._timers = Timers(dispatcher)
        turns = AgentTurns(self._reporter)
        self.player = Player(path, self._reporter, self._timers, plan.settings.play_events == "each",
                             lambda: self.sender, turns.answer_heard)
        conversation = ProtocolConversation(plan.protocol, plan.info, lambda: path.media_position)
        control = CallControl(call, plan.settings, self._reporter, self.post)
        receiver = MessageReceiver(plan, conversation, call, path.format.binary_playback, self.player, turns, sounds,
                                   self._reporter, lambda: self.link.hung_up(),
                                   lambda messages: self.sender.reply(messages), self._timers,
                                   lambda: self.link.renew(), lambda: self._gate,
                                   control, ToolCalls(control, self.player, self._reporter,
                                                      lambda *answer: self.sender.tool_result(*answer)))
        self._gate = AudioGate(path, self._timers, plan.protocol.permit_seconds,
                               lambda: receiver.time_is_over("opening"))
        self.link = make_link(plan, media, dispatcher, self, receiver, conversation,
                              client_session.pending if client_session else None)
        self.sender = MessageSender(plan, conversation, path, self.link, self._reporter, lambda: self.state)
        self.attention = Attention(media, dispatcher, self._attend, lambda: self._gone)
        self._reconnecting = Reconnecting(plan.settings, plan.timeout, self._timers, dispatcher.reconnects,
                                          self.link.connect, plan.longest_wait)
        self.lifecycle = Lifecycle(plan, media, self._reporter, turns, self._timers, self._reconnecting, client_session,
                                   lambda: self.state)
        self._end_reason = EndReason()
        self._on_ended = on_ended
        self._drain_until = math.inf
        self._hurried = False
        self._begun = False
        self._told_all = False
        self._gone = False

    @property
    def state(self) -> State:
        """Where the stream is. Any thread."""
        return self._states.state

    def post(self, job: Job) -> None:
        """Run `job` behind what has happened to the stream by now, and before what happens to it later; not at all
        once it has ended. Any thread.
        """
        self.attention.post(job)

    # The start.

    def attach(self) -> None:
        """Add the bugs, if the call has media; on the thread of the command. Where that fails, the stream ends by
        itself.
        """
        if not self.attachment.call.has_media():
            return  # `begin` waits for it
        try:
            self._attach()
        except BaseException:
            self.dispatcher.post(self._abort)
            raise

    def _attach(self) -> None:
        self.attachment.attach(self.plan.bugs)
        self._step(Step.ATTACHED)

    def _abort(self) -> None:
        self._step(Step.FAILED)
        self._told_all = True
        self._listen()
        self.attachment.detach_all()

    def _listen(self) -> None:
        # Not before the last bug is attached: until then the command's thread is in charge.
        self.attention.adopt()
        self.dispatcher.enqueue(self._look_after_call)  # behind the commands that came meanwhile
        self.media.open()

    def _look_after_call(self) -> None:
        self.attachment.look_after_call()
        if self.attachment.lost and not self._gone:
            self._finish_without_call()

    def begin(self) -> None:
        """Look after what the core reports; attach, where the call had no media before, and connect."""
        self._begun = True
        self._listen()
        if self.state is State.WAITING:
            self._wait_for_media(self.dispatcher.now() + _MEDIA_SECONDS)
        else:
            self._connect()

    def _connect(self) -> None:
        if self.state is State.CONNECTING:
            self.link.connect(self.plan.timeout)

    def _wait_for_media(self, deadline: float) -> None:
        if self.state is not State.WAITING or self._ends_with_call():
            return
        if self.attachment.call.has_media():
            self._attach_late()
        elif self.dispatcher.now() < deadline:
            self._timers.after("media", _POLL_SECONDS, lambda: self._wait_for_media(deadline))
        else:
            self._fail_to_attach(f"the call has got no media within {_MEDIA_SECONDS:g} s: answer or pre_answer it, do "
                                 "not bypass or proxy its media, and start the stream again")

    def _ends_with_call(self) -> bool:
        """End the stream if the call has ended, and return whether it has."""
        reason = self.attachment.call.end_reason()
        if reason is not None:
            self.finish(reason)
        return reason is not None

    def _attach_late(self) -> None:
        try:
            self._attach()
        except RefusedError as error:
            if not self._ends_with_call():
                self._fail_to_attach(str(error))
        else:
            self._look_after_call()
            self._connect()

    def _fail_to_attach(self, text: str) -> None:
        self._reporter.error("media", text)
        self._end_reason.set_reason("error", text)
        self._step(Step.FAILED)
        self.sender.give_up()
        self._stopped()

    def link_up(self, connection: Connection) -> None:
        """The server is there: introduce the stream, before any audio and before the application can send."""
        self.sender.start()
        self._step(Step.CONNECTED)
        self._reconnecting.connected()
        self.lifecycle.connected(connection)
        self.player.new_connection()
        self._gate.connected()
        if self.state is State.DRAINING:
            self.media.path.drain_media()
        self.link.attach()
        self.lifecycle.streaming(connection)

    def link_failed(self, error: ConnectError) -> None:
        """The server is not there."""
        again = self._may_reconnect(State.RECONNECTING) and not error.for_good
        self.lifecycle.not_connected(error, again)
        if again:
            self._reconnecting.defer(error.retry_after or 0.0)
            self._reconnecting.try_again()
            return
        self._end_reason.set_reason("timeout" if isinstance(error, ConnectTimeout) else "error", str(error))
        self._step(Step.FAILED)
        self.sender.give_up()
        self._stopped()

    # The connection is over.

    def link_refused(self, text: str, for_good: bool, in_words: bool = False) -> None:
        """The server breaks a rule, or refuses something."""
        if in_words:
            self._reporter.error("recorder", text)
        else:
            self._reporter.error("protocol", text)
        if for_good:
            self._end_reason.set_reason("error", text)

    def link_lost(self, text: str, timed_out: bool) -> None:
        """The connection broke, or the server does not answer."""
        self.lifecycle.lost(text, timed_out)

    def link_deferred(self, seconds: float) -> None:
        """The server wants to be left alone for a while."""
        self._reconnecting.defer(seconds)

    def link_down(self, code: int, text: str, clean: bool) -> None:
        """The connection is over: for good, or to be made again."""
        self._reconnecting.disconnected()
        again = not clean and self._may_reconnect(State.STREAMING)
        self.lifecycle.disconnected(code, text, again)
        if again:
            self._step(Step.DROPPED)
            if self.state is State.DELIVERING:
                self._drain_within(math.inf)
            return
        if clean:
            self._closed_by_peer(text)
        else:
            self._end_reason.set_reason("error", text)
        if clean and not self.plan.captures and self.state is State.STREAMING:
            self._step(Step.FINISH)
            # A server that was there to be heard has said all it had to say: the caller hears it to the end.
            self._when_heard(self._over)
        else:
            self._over()

    @property
    def ended_by_itself(self) -> bool:
        """Whether it was connected once, and ended without being asked to."""
        return self.sender.has_introduced and self._end_reason.name in ("server_closed", "error", "timeout")

    def _closed_by_peer(self, text: str) -> None:
        self._end_reason.set_reason("client_closed" if self.client_session else "server_closed", text)

    def _over(self) -> None:
        """There is no connection any more, and will not be one."""
        if self.state is not State.ENDED:
            self._step(Step.LOST)
            self._stopped()

    def link_released(self) -> None:
        """The socket is closed."""
        if self.state in (State.RECONNECTING, State.DELIVERING):
            self._reconnecting.try_again()
        else:
            self._end_when_free()

    def _may_reconnect(self, state: State) -> bool:
        """Whether another connection may be made, in this state or at the end of a stream."""
        if self.state in (State.DRAINING, State.CLOSING, State.DELIVERING):
            return self.sender.has_introduced and self._reconnecting.is_allowed and self._may_deliver()
        return self.state is state and self._reconnecting.is_allowed and not self.attachment.lost

    def _may_deliver(self) -> bool:
        """Whether the end waits for a server that has to have something of the call."""
        return self.link.owes_recording and self.dispatcher.now() < self._drain_until

    # The end.

    def finish(self, reason: str, detail: str = "", seconds: float | None = None) -> None:
        """End in order: capture no more, send what is buffered (for up to `seconds`), say stop, close."""
        offline = self.state in (State.CONNECTING, State.RECONNECTING)
        if not self._step(Step.DEFER if offline and self._may_deliver() else Step.FINISH):
            return
        if self.link.peer_close_reason is not None:  # the server came first; its close is not over yet
            self._closed_by_peer(self.link.peer_close_reason)
        self._end_reason.set_reason(reason, detail)
        if self.state is State.ENDED:
            self.link.give_up()
            self._stopped()
            return
        self.attachment.detach([BugKind.CAPTURE_READ, BugKind.CAPTURE_WRITE])
        if not self._plays_to_the_end():
            self.attachment.detach_all()
            self.player.abandon()
        self._drain_within(self._patience if seconds is None else seconds)
        if self.state is State.DRAINING:
            self._gate.before_drain()
        self.media.drain()

    def finish_gracefully(self, detail: str) -> None:
        """As `finish`, with the time that graceful-secs gives, playing to the end what the server has sent."""
        self.media.path.pause_playback(False)
        self.finish("graceful", detail, self.plan.settings.graceful_secs)

    @property
    def _patience(self) -> float:
        """What a stop or a hangup allows for the last audio to be taken."""
        return self.plan.settings.deliver_secs if self.plan.protocol.acknowledges else _DRAIN_SECONDS

    def stop(self, reason: str, detail: str = "", seconds: float | None = None) -> None:
        """As `finish`; a stream that is draining already has no more than `seconds` left, and plays no more."""
        if self.state is State.DRAINING:
            self._hurry(self._patience if seconds is None else seconds)
        elif self.state in (State.DELIVERING, State.CLOSING):
            self._drain_within(self._patience if seconds is None else seconds)
        else:
            self.finish(reason, detail, seconds)

    def _hurry(self, seconds: float) -> None:
        if self.link.state in (LinkState.DETACHING, LinkState.DOWN):
            self._over()  # it was only being played to the end
            return
        self._hurried = True
        self.attachment.detach_all()
        self.player.abandon()
        self._drain_within(seconds)

    def _drain_within(self, seconds: float) -> None:
        now = self.dispatcher.now()
        self._drain_until = min(self._drain_until, now + seconds)
        self._timers.after("drain", max(0.0, self._drain_until - now), self._time_is_over)

    def _time_is_over(self) -> None:
        if self.state is State.DELIVERING:
            self.link.give_up()
            self._over()
        else:
            self._drained()

    def _plays_to_the_end(self) -> bool:
        return self._end_reason.name == "graceful" and not self.attachment.lost and not self._hurried

    def _sent_all(self) -> None:
        """The ring is empty; a graceful end also waits until the caller has heard everything."""
        if self._plays_to_the_end():
            self._when_heard(self._drained)
        else:
            self._drained()

    def _when_heard(self, then: Callable[[], None]) -> None:
        waits = (self.player.is_busy or self.link.has_more) and not self.attachment.lost and not self._hurried
        if self.state is State.DRAINING and waits:
            self._timers.after("play out", _POLL_SECONDS, lambda: self._when_heard(then))
        else:
            then()

    def _drained(self) -> None:
        if self.state is not State.DRAINING:
            return
        if self.link.state in (LinkState.DETACHING, LinkState.DOWN):
            self._over()
            return
        self.media.path.hold_media()  # audio that nobody took in time must not follow the last words
        self.sender.stop(self._end_reason.last_words(self.plan.dialect))
        self._step(Step.DRAINED)
        if self.plan.protocol.farewell_seconds and self._end_reason.name != "shutdown":
            self._timers.after("farewell", self.plan.protocol.farewell_seconds, self._say_goodbye)
        else:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        self.link.close(CLOSE_GOING_AWAY if self._end_reason.name == "shutdown" else CLOSE_NORMAL)

    def _stopped(self) -> None:
        """Say that the stream is over, and let go of the call."""
        self._timers.cancel_all()
        self.attachment.detach_all()
        self.player.abandon()
        if self.link.shortfall:
            self._reporter.error("not_recorded", self.link.shortfall)
        self.lifecycle.stopped(self._end_reason, self.link.summary)
        self._told_all = True
        self._end_when_free()

    def _end_when_free(self) -> None:
        free = self.attachment.released and self.link.state is LinkState.DOWN
        if self._told_all and free and not self._gone:
            self._gone = True
            self._on_ended(self)
            self.attachment.call.forget()

    def _step(self, step: Step) -> bool:
        """Return whether the state is another now."""
        return self._states.take(step)

    # What the core reports.

    def _attend(self, bits: int, inbox_end: int | None) -> None:
        if self.state is not State.ENDED:  # then everything has been told
            self.player.attend(bits)
            self.lifecycle.attend(bits)
        self.attachment.attend(bits)
        if self._gone:
            return
        if self.attachment.lost:
            # What the server had said before the call was over comes first; above all, that it closes.
            self.link.attend(bits & ATTEND_INBOX, self.media.path.inbox_end_at_close)
            self._finish_without_call()
        self.link.attend(bits, inbox_end)
        if bits & ATTEND_DRAINED:
            self._sent_all()

    def _finish_without_call(self) -> None:
        if self.attachment.end_reason:
            self.finish(self.attachment.end_reason)
        else:
            self.finish("error", "another module removed the media bug")

    def send_digit(self, digit: str, duration_ms: int) -> None:
        """Tell of a digit: always by an event, and the server where it wants to know."""
        if not self._begun or self.state is State.ENDED or self.attachment.released:
            return
        if self.attachment.call.hides_digits():
            return
        self._reporter.fire("dtmf", digit=digit, duration=duration_ms)
        if self.state is State.STREAMING and self.plan.settings.dtmf and self.plan.captures:
            self.sender.digit(digit, duration_ms)
