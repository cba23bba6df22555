"""One stream: connecting, streaming, draining, closing, and the events on the way."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Callable

from ..commands import without_credentials
from ..config import Settings
from ..errors import ConnectError, ConnectTimeout, MessageError, RefusedError
from ..protocols.messages import (ClearAudio, Incoming, OutMessage, PlayAudio, SetCheckpoint, StreamInfo,
                                  TranscriptionReceived, WireProtocol)
from ..realtime.layout import (ATTEND_DRAINED, ATTEND_INBOX, ATTEND_OVERRUN, ATTEND_PEER_PROTOCOL, ATTEND_RATE,
                               ATTEND_SOCKET_BROKEN, ATTEND_SOCKET_DETACHED)
from ..realtime.path import MediaPath
from ..transports import Connection
from .attachment import Attachment
from .call import BugKind, Call
from .connector import Connector, Outcome
from .dispatcher import Dispatcher, Timer
from .inbox import BINARY, CLOSE, PING, TEXT, Message, MessageAssembler, MessageTooBig, close_payload, close_reason
from .player import Player
from .reports import Reporter, timestamp
from .states import TRANSITIONS, State, Step

CLOSE_NORMAL, CLOSE_GOING_AWAY, CLOSE_ABNORMAL, CLOSE_TOO_BIG = 1000, 1001, 1006, 1009
_CLOSE_SECONDS = 1.0   # a server that does not answer the close frame for so long is left
_DRAIN_SECONDS = 1.0   # what a stop or a hangup allows for the last audio to be taken
_POLL_SECONDS = 0.02
_WIRE_REASONS = {"requested": "normal_termination", "graceful": "graceful_shutdown", "hangup": "hangup",
                 "shutdown": "module_shutdown"}


@dataclass(frozen=True)
class Plan:
    """What a stream was asked to be."""

    info: StreamInfo
    url: str
    settings: Settings
    protocol: WireProtocol
    timeout: float | None
    """Seconds allowed to become connected; None = no limit."""
    bidirectional: bool
    bugs: list[BugKind]


class Stream:
    """A stream of one call. All methods only on its dispatcher, where nothing else is said."""

    def __init__(self, plan: Plan, call: Call, path: MediaPath, dispatcher: Dispatcher,
                 on_ended: Callable[[Stream], None]) -> None:
        """`on_ended` is called last, when neither the call nor the network nor a compiled thread knows of it."""
        self.plan = plan
        self.state = State.CONNECTING
        self.path = path
        self.reporter = Reporter(call, plan.info.stream_id)
        self.attachment = Attachment(call, path, self._call_released)
        self.player = Player(path, self.reporter, self._answer_checkpoint)
        self._dispatcher = dispatcher
        self._on_ended = on_ended
        self._began = time.monotonic()
        self._connector: Connector | None = None
        self._connection: Connection | None = None
        self._assembler = MessageAssembler(plan.settings.max_message_bytes)
        self._timers: dict[str, Timer] = {}
        self._reason: str | None = None
        self._detail = ""
        self._overrun_seen = 0
        self._close_sent = False
        self._close_code: tuple[int, str] | None = None
        self._gone = False

    # The start.

    def attach(self) -> None:
        """Add the bugs; on the thread of the command. Raises RefusedError, and then the stream ends by itself."""
        try:
            self.attachment.attach(self.plan.bugs)
        except RefusedError:
            self._dispatcher.post(self._abort)
            raise

    def _abort(self) -> None:
        self.state = State.ENDED
        self._listen()
        self.attachment.detach_all()

    def _listen(self) -> None:
        # Not before the last bug is attached: until then the command's thread is in charge.
        self._dispatcher.adopt(self.path.index, self.attend)
        self.attend()

    def begin(self) -> None:
        """Look after what the core reports, and connect."""
        self._listen()
        if self.state is State.CONNECTING:
            self._connector = Connector(self.plan.url, self.plan.settings, self.plan.timeout, self._on_outcome)

    def _on_outcome(self, connector: Connector, outcome: Outcome) -> None:
        self._dispatcher.post(lambda: self._take_outcome(connector, outcome))

    def _take_outcome(self, connector: Connector, outcome: Outcome) -> None:
        if connector is not self._connector or connector.cancelled or self.state is not State.CONNECTING:
            if isinstance(outcome, Connection):
                outcome.close()
            return
        self._connector = None
        if isinstance(outcome, Connection):
            self._connected(outcome)
        else:
            self._not_connected(outcome)

    def _connected(self, connection: Connection) -> None:
        self._connection = connection
        self._step(Step.CONNECTED)
        url = without_credentials(self.plan.url)
        now = timestamp()
        self.reporter.fire("connection_established", serverUrl=url, connectionTime=now, peer=connection.peer,
                           subprotocol=connection.subprotocol or None)
        self._send(self.plan.protocol.start(self.plan.info))
        self.path.open_media()
        self.path.attach_socket(connection.fileno(), connection.leftover)
        info = self.plan.info
        self.reporter.fire("stream_started", serverUrl=url, track=info.track.value, codec=info.encoding.value,
                           sampleRate=info.rate, protocol=self.plan.protocol.name,
                           bidirectional=self.plan.bidirectional, timestamp=now)
        self._every("heartbeat", self.plan.settings.heartbeat_secs, self._heartbeat)
        self._every("ping", self.plan.settings.ping_secs, self._ping)

    def _not_connected(self, error: ConnectError) -> None:
        timed_out = isinstance(error, ConnectTimeout)
        self.reporter.last_error = str(error)
        self.reporter.fire("connection_timeout" if timed_out else "connection_failed", error=str(error),
                           serverUrl=without_credentials(self.plan.url))
        self._set_reason("timeout" if timed_out else "error", str(error))
        self._step(Step.NOT_CONNECTED)
        self._stopped()

    # The end.

    def finish(self, reason: str, detail: str = "", seconds: float = _DRAIN_SECONDS) -> None:
        """End in order: capture no more, send what is buffered (for up to `seconds`), say stop, close."""
        if self.state not in (State.CONNECTING, State.STREAMING):
            return
        self._set_reason(reason, detail)
        was_connecting = self.state is State.CONNECTING
        self._step(Step.FINISH)
        if was_connecting:
            if self._connector is not None:
                self._connector.cancel()
            self._stopped()
            return
        # A graceful end lets the caller hear what the server has sent.
        keeps_playing = reason == "graceful" and not self.attachment.lost
        self.attachment.detach([BugKind.CAPTURE_READ, BugKind.CAPTURE_WRITE])
        if not keeps_playing:
            self.attachment.detach_all()
        self._after("drain", seconds, self._drained)
        self.path.drain_media()

    def finish_gracefully(self, detail: str) -> None:
        """As `finish`, with the time that graceful-secs gives, playing to the end what the server has sent."""
        self.finish("graceful", detail, self.plan.settings.graceful_secs)

    def hurry(self) -> None:
        """Stop waiting for what is buffered."""
        self._drained()

    def _sent_all(self) -> None:
        """The ring is empty; a graceful end also waits until the caller has heard everything."""
        if self.state is not State.DRAINING:
            return
        if self._reason == "graceful" and not self.attachment.lost and self.player.queued_ms > 0:
            self._after("play out", _POLL_SECONDS, self._sent_all)
            return
        self._drained()

    def _drained(self) -> None:
        if self.state is not State.DRAINING:
            return
        reason = self._detail or _WIRE_REASONS.get(self._reason or "", self._reason or "")
        self._send(self.plan.protocol.stop(self.plan.info, reason))
        self._step(Step.DRAINED)
        self._send_close(CLOSE_GOING_AWAY if self._reason == "shutdown" else CLOSE_NORMAL)

    def _send_close(self, code: int, reason: str = "") -> None:
        self.path.hold_media()
        if not self._close_sent:
            self._close_sent = True
            self.path.send(CLOSE, close_payload(code, reason))
        self._after("close", _CLOSE_SECONDS, lambda: self._lose(code, "the server did not answer the close"))

    def _set_reason(self, reason: str, detail: str = "") -> None:
        if self._reason is None:
            self._reason, self._detail = reason, detail

    def _lose(self, code: int, text: str) -> None:
        """The connection is over, in whatever way; `code` is the close code that describes it."""
        if State.DISCONNECTING not in TRANSITIONS[self.state].values():
            return
        self.reporter.fire("connection_closed", code=code, reason=text, willReconnect=False)
        if self.state in (State.STREAMING, State.DRAINING):
            self._set_reason("error", text)
        self._step(Step.LOST)
        self.path.detach_socket()
        self._stopped()

    def _stopped(self) -> None:
        """Say that the stream is over, and let go of the call."""
        self._cancel_timers()
        self.attachment.detach_all()
        self.player.abandon()
        self.reporter.fire("stream_stopped", reason=self._reason or "error", detail=self._detail or None,
                           statistics=self.statistics())
        self._end_when_free()

    def _detached(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._step(Step.DETACHED)
        self._end_when_free()

    def _call_released(self) -> None:
        self._end_when_free()

    def _end_when_free(self) -> None:
        if self.state is State.ENDED and self.attachment.released and not self._gone:
            self._gone = True
            self._cancel_timers()
            self._on_ended(self)

    def _step(self, step: Step) -> None:
        self.state = TRANSITIONS[self.state].get(step, self.state)

    # What the core reports.

    def attend(self) -> None:
        """The core wants attention."""
        bits = self.path.take_attention()
        self.player.attend(bits)
        self.attachment.attend(bits)
        if self._gone:
            return
        if self.attachment.lost:
            self._finish_without_call()
        if bits & ATTEND_INBOX:
            self._read_inbox()
        if bits & ATTEND_PEER_PROTOCOL:
            self._refuse_peer(self.path.protocol_error, "the server breaks the WebSocket protocol (RFC 6455)")
        if bits & ATTEND_OVERRUN:
            self._report_overrun()
        if bits & ATTEND_RATE:
            self.reporter.error("rate", "the call's codec has a sample rate that cannot be converted")
        if bits & ATTEND_DRAINED:
            self._sent_all()
        if bits & ATTEND_SOCKET_BROKEN:
            self._broken()
        if bits & ATTEND_SOCKET_DETACHED and self.state is State.DISCONNECTING:
            self._detached()

    def _finish_without_call(self) -> None:
        if self.attachment.end_reason:
            self.finish(self.attachment.end_reason)
        else:
            self.finish("error", "another module removed the media bug")

    def _broken(self) -> None:
        error = self.path.socket_error
        if self.state is State.CLOSING:
            code, text = (CLOSE_NORMAL, "closed") if self._close_code is None else self._close_code
        elif error:
            code, text = CLOSE_ABNORMAL, os.strerror(error)
        else:
            code, text = CLOSE_ABNORMAL, "the server closed the connection without a close frame"
            self._set_reason("server_closed", text)
        self._lose(code, text)

    def _report_overrun(self) -> None:
        dropped = self.path.statistics().dropped
        frame = max(1, self.path.format.chunk)
        self.reporter.fire("buffer_overrun", framesLost=-(-(dropped - self._overrun_seen) // frame),
                           totalFramesLost=-(-dropped // frame), bufferSecs=self.plan.settings.buffer_secs)
        self._overrun_seen = dropped

    # What the server says.

    def _read_inbox(self) -> None:
        for piece in self.path.take_inbox():
            try:
                message = self._assembler.add(piece)
            except MessageTooBig:
                limit = self.plan.settings.max_message_bytes
                self._refuse_peer(CLOSE_TOO_BIG, f"the server sent a message of more than {limit} bytes "
                                  "(max-message-bytes)")
                return
            if message is not None and self.state in (State.STREAMING, State.DRAINING, State.CLOSING):
                self._on_message(message)

    def _on_message(self, message: Message) -> None:
        if message.opcode == CLOSE:
            self._on_close(*close_reason(message.data))
        elif message.opcode == PING:
            self.path.send(PING + 1, message.data)
        elif message.opcode == TEXT:
            self._on_text(message.data)
        elif message.opcode == BINARY:
            self.reporter.error("binary", "the server sent binary audio on a one-way stream: start it with 1 as "
                                "its last flag")

    def _on_close(self, code: int, reason: str) -> None:
        if self._close_sent:
            # The answer to our own close, or both closed at once: the connection is over.
            self._lose(code, reason or "closed")
            return
        self._set_reason("server_closed", reason or f"close code {code}")
        self._close_code = (code, reason)
        self._step(Step.CLOSED)
        self._send_close(code if code not in (1005, 1006, 1015) else CLOSE_NORMAL)
        self._after("close", _CLOSE_SECONDS, lambda: self._lose(code, reason))

    def _refuse_peer(self, code: int, text: str) -> None:
        self.reporter.error("protocol", text)
        self._set_reason("error", text)
        self._close_code = (code, text)
        self._step(Step.CLOSED)
        self._send_close(code, text)

    def _on_text(self, data: bytes) -> None:
        if not self.plan.bidirectional:
            self.reporter.error("one_way", "the server sent a message on a one-way stream: start it with 1 as its "
                                "last flag")
            return
        try:
            messages = self.plan.protocol.receive(self.plan.info, data)
        except MessageError as error:
            self.reporter.error(error.kind, str(error))
            return
        for message in messages:
            self._obey(message)

    def _obey(self, message: Incoming) -> None:
        if isinstance(message, PlayAudio):
            self.player.play(message)
        elif isinstance(message, ClearAudio):
            self.player.clear()
        elif isinstance(message, SetCheckpoint):
            self.player.checkpoint(message.name)
        elif isinstance(message, TranscriptionReceived):
            self.reporter.fire("transcription_received", payload=message.payload)

    # What we say.

    def _send(self, message: OutMessage) -> None:
        if not self.path.send(TEXT, message.head, message.tail):
            self.reporter.error("outbox_full", "the server does not read: a message to it was dropped")

    def _answer_checkpoint(self, name: str, status: str) -> None:
        if self.state in (State.STREAMING, State.DRAINING):
            self._send(self.plan.protocol.checkpoint(self.plan.info, name, status))

    def send_digit(self, digit: str, duration_ms: int) -> None:
        """Tell the server of a digit."""
        if self.state is State.STREAMING:
            self._send(self.plan.protocol.dtmf(self.plan.info, digit, duration_ms))

    def send_text(self, text: str) -> None:
        """Queue a message of the application; any thread. Raises RefusedError with the reason."""
        if not self.plan.bidirectional:
            raise RefusedError("the stream is one-way: start it with 1 as its last flag to exchange text")
        if self.state is not State.STREAMING:
            raise RefusedError(f"the stream is {self.state.value}: text can be sent while it is streaming")
        message = self.plan.protocol.text(self.plan.info, text)
        if not self.path.send(TEXT, message.head, message.tail):
            raise RefusedError(f"the server does not read: {self.path.unsent} bytes of messages wait already")

    def _ping(self) -> None:
        self.path.send(PING, b"")

    # Looking at it.

    def _heartbeat(self) -> None:
        self.reporter.fire("heartbeat", state=self.state.value, statistics=self.statistics())

    def statistics(self) -> dict[str, Any]:
        """The counters, as events and `status` show them. Any thread."""
        counters = self.path.statistics()
        rate, frame = self.plan.info.rate, max(1, self.path.format.chunk)
        return {
            "seconds": round(time.monotonic() - self._began, 3),
            "framesCaptured": counters.captured_frames,
            "msCaptured": 1000 * counters.captured // rate,
            "messagesSent": counters.messages_sent, "bytesSent": counters.bytes_sent,
            "messagesReceived": counters.messages_received, "bytesReceived": counters.bytes_received,
            "framesDropped": -(-counters.dropped // frame),
            "playbackDroppedMs": 1000 * counters.play_dropped // max(1, counters.play_rate),
            "msPlayed": 1000 * counters.played // max(1, counters.play_rate),
            "captureQueueMs": 1000 * counters.waiting // rate,
            "playbackQueueMs": 1000 * counters.play_waiting // max(1, counters.play_rate),
            "reconnects": 0, "errors": self.reporter.errors,
        }

    def status(self) -> dict[str, Any]:
        """What `status` and `list` answer. Any thread."""
        info = self.plan.info
        return {
            "uuid": info.uuid, "streamId": info.stream_id, "state": self.state.value, "paused": self.path.paused,
            "serverUrl": without_credentials(self.plan.url), "track": info.track.value, "codec": info.encoding.value,
            "sampleRate": info.rate, "protocol": self.plan.protocol.name, "bidirectional": self.plan.bidirectional,
            **self.statistics(), "lastError": self.reporter.last_error,
        }

    # Timers.

    def _after(self, name: str, seconds: float, job: Callable[[], None]) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._dispatcher.call_later(seconds, job)

    def _every(self, name: str, seconds: float, job: Callable[[], None]) -> None:
        if seconds <= 0:
            return

        def again() -> None:
            job()
            self._after(name, seconds, again)
        self._after(name, seconds, again)

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
