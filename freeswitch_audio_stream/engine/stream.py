"""One stream: connecting, streaming, reconnecting, draining, closing, and the events on the way."""

from __future__ import annotations

import random
import time
from typing import Any, Callable

import orjson

from ..config import Dialect
from ..errors import ConnectError, ConnectTimeout, MessageError, RefusedError
from ..protocols.messages import (ClearAudio, HangUp, Incoming, OutMessage, PlayAudio, SetCheckpoint, StreamAudio,
                                  TextReceived, TranscriptionReceived)
from ..realtime.layout import ATTEND_DRAINED, ATTEND_GARBAGE, ATTEND_OVERRUN, ATTEND_RATE
from ..realtime.path import MediaPath
from ..transports import Connection
from .attachment import Attachment
from .audiosocket_link import AudioSocketLink
from .call import BugKind, Call
from .community_reports import CommunityReporter
from .conversion import Conversion
from .decoding import samples_of
from .dispatcher import Dispatcher
from .guests import Visit
from .inbox import BINARY, TEXT, Message
from .link import CLOSE_GOING_AWAY, CLOSE_NORMAL, Link, LinkState
from .message_log import MessageLog
from .packet_report import PacketReport
from .planning import Plan
from .player import Player
from .reports import Reporter, timestamp
from .sound_files import SoundFiles
from .states import TRANSITIONS, State, Step
from .timers import Timers

_DRAIN_SECONDS = 1.0   # what a stop or a hangup allows for the last audio to be taken
_POLL_SECONDS = 0.02
_OVERRUN_SECONDS = 1.0  # how long an overrun is watched before it is reported with what it cost
_WIRE_REASONS = {"requested": "normal_termination", "graceful": "graceful_shutdown", "hangup": "hangup",
                 "shutdown": "module_shutdown"}
_RECONNECT_CEILINGS = (0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds; before each try a random part of its ceiling is waited (full jitter), so that streams of a server that
comes back do not all come at once."""
_RECONNECT_TIMEOUT = 10.0
_SETTLED_SECONDS = 10.0  # how long a connection lasts that makes the tries before it forgotten


class Stream:
    """A stream of one call. All methods only on its dispatcher, where nothing else is said."""

    def __init__(self, plan: Plan, call: Call, path: MediaPath, conversion: Conversion | None,
                 dispatcher: Dispatcher, sounds: SoundFiles, on_ended: Callable[[Stream], None],
                 visit: Visit | None = None) -> None:
        """`on_ended` is called last, when neither the call nor the network nor a compiled thread knows of it.

        With a `visit` the stream is that of a client that connects to us.
        """
        self.plan = plan
        self.state = State.CONNECTING
        self.path = path
        self.conversion = conversion
        self.capture = conversion.source if conversion else path
        """What the capture bugs write to."""
        reporter = CommunityReporter if plan.dialect is Dialect.COMMUNITY else Reporter
        self.reporter = reporter(call, plan.info.stream_id)
        self._sounds = sounds
        self._message_log = None if plan.settings.suppress_log else MessageLog(call.log)
        self.attachment = Attachment(call, path, self.capture, self._end_when_free)
        self.packets = PacketReport(path, self.reporter)
        self.player = Player(path, self.reporter, self._answer_checkpoint)
        self.visit = visit
        link = AudioSocketLink if plan.is_audiosocket else Link
        self.link = link(plan.url, plan.settings, path, dispatcher, self, visit.arrival if visit else None)
        self._dispatcher = dispatcher
        self._timers = Timers(dispatcher)
        self._on_ended = on_ended
        self._began = time.monotonic()
        self._tries = 0
        self._reconnects = 0
        self._begun = False
        self._started = False
        self._reason: str | None = None
        self._detail = ""
        self._overrun_seen = 0
        self._gone = False

    # The start.

    def attach(self) -> None:
        """Add the bugs; on the thread of the command. Where that fails, the stream ends by itself."""
        try:
            self.attachment.attach(self.plan.bugs)
        except BaseException:
            self._dispatcher.post(self._abort)
            raise

    def _abort(self) -> None:
        self.state = State.ENDED
        self._listen()
        self.attachment.detach_all()

    def _listen(self) -> None:
        # Not before the last bug is attached: until then the command's thread is in charge.
        for path in {self.path, self.capture}:
            self._dispatcher.adopt(path.index, self.attend)
        self.attachment.look_after_call()
        self.attend()
        if self.conversion:
            self.conversion.open()

    def begin(self) -> None:
        """Look after what the core reports, and connect."""
        self._begun = True
        self._listen()
        if self.state is State.CONNECTING:
            self.link.connect(self.plan.timeout)

    def link_up(self, connection: Connection) -> None:
        """The server is there: introduce the stream, before any audio and before the application can send."""
        self._send(self.plan.protocol.start(self.plan.info))
        self._step(Step.CONNECTED)
        attempt = self._tries
        # A server that accepts and drops at once has not been reached.
        self._timers.after("settled", _SETTLED_SECONDS, self._settle)
        now = timestamp()
        self.reporter.fire("connection_established", serverUrl=self.plan.shown_url, connectionTime=now,
                           peer=connection.peer, subprotocol=connection.subprotocol or None, attempt=attempt or None)
        self.player.new_connection()
        self.path.open_media()
        self.link.attach()
        if not self._started:
            self._started = True
            self._report_start(now)
        if self.visit:
            here, everywhere = self.visit.count()
            self.reporter.fire("media_client_attached", peer=connection.peer, encapsulation=self.plan.protocol.name,
                               conference=self.visit.guest.conference, clients=here, totalClients=everywhere)

    def _settle(self) -> None:
        self._tries = 0

    def _report_start(self, now: str) -> None:
        info = self.plan.info
        self.reporter.fire("stream_started", serverUrl=self.plan.shown_url, track=info.track.value,
                           codec=info.encoding.value, sampleRate=info.rate, protocol=self.plan.protocol.name,
                           bidirectional=self.plan.bidirectional, timestamp=now)
        self._timers.every("heartbeat", self.plan.settings.heartbeat_secs, self._heartbeat)

    def link_failed(self, error: ConnectError) -> None:
        """The server is not there."""
        if self.state is State.RECONNECTING and self._may_try_again():
            self.reporter.last_error = str(error)
            self._try_again()
            return
        self.reporter.not_connected(error, self.plan.shown_url)
        self._set_reason("timeout" if isinstance(error, ConnectTimeout) else "error", str(error))
        self._step(Step.FAILED)
        self._stopped()

    # Reconnecting.

    def link_lost(self, text: str, timed_out: bool) -> None:
        """The connection broke, or the server does not answer."""
        self.reporter.connection_lost(self.plan.shown_url, text, timed_out)

    def link_down(self, code: int, text: str, clean: bool) -> None:
        """The connection is over: for good, or to be made again."""
        self._timers.cancel("settled")
        again = self.state is State.STREAMING and not clean and self._may_try_again()
        self.reporter.fire("connection_closed", code=code, reason=text, willReconnect=again)
        if self.visit:
            self.visit.leave()
            here, everywhere = self.visit.count()
            self.reporter.fire("media_client_detached", peer=self.visit.guest.peer, code=code, reason=text,
                               conference=self.visit.guest.conference, clients=here, totalClients=everywhere)
        if again:
            self.reporter.last_error = text
            self._step(Step.DROPPED)
            return
        self._set_reason("error" if not clean else "client_closed" if self.visit else "server_closed", text)
        if clean and not self.plan.captures and self.state is State.STREAMING:
            self._step(Step.FINISH)
            self._play_out()
        else:
            self._over()

    def _play_out(self) -> None:
        """A server that was there to be heard has said all it had to say: the caller hears it to the end."""
        if self.state is State.DRAINING and self.player.is_busy and not self.attachment.lost:
            self._timers.after("play out", _POLL_SECONDS, self._play_out)
        else:
            self._over()

    def _over(self) -> None:
        """There is no connection any more, and will not be one."""
        if self.state is not State.ENDED:
            self._step(Step.LOST)
            self._stopped()

    def link_released(self) -> None:
        """The socket is closed."""
        if self.state is State.RECONNECTING:
            self._try_again()
        else:
            self._end_when_free()

    def _may_try_again(self) -> bool:
        settings = self.plan.settings
        return (settings.reconnect and not self.attachment.lost
                and (settings.reconnect_max == 0 or self._tries < settings.reconnect_max))

    def _try_again(self) -> None:
        ceiling = _RECONNECT_CEILINGS[min(self._tries, len(_RECONNECT_CEILINGS) - 1)]
        self._tries += 1
        self._reconnects += 1
        self._timers.after("reconnect", random.uniform(0, ceiling),
                           lambda: self.link.connect(self.plan.timeout or _RECONNECT_TIMEOUT))

    # The end.

    def finish(self, reason: str, detail: str = "", seconds: float = _DRAIN_SECONDS) -> None:
        """End in order: capture no more, send what is buffered (for up to `seconds`), say stop, close."""
        if Step.FINISH not in TRANSITIONS[self.state]:
            return
        self._set_reason(reason, detail)
        self._step(Step.FINISH)
        if self.state is State.ENDED:
            self.link.give_up()
            self._stopped()
            return
        self.attachment.detach([BugKind.CAPTURE_READ, BugKind.CAPTURE_WRITE])
        if not self._plays_to_the_end():
            self.attachment.detach_all()
        self._timers.after("drain", seconds, self._drained)
        if self.conversion:
            self.conversion.flush()
        self.path.drain_media()

    def finish_gracefully(self, detail: str) -> None:
        """As `finish`, with the time that graceful-secs gives, playing to the end what the server has sent."""
        self.path.pause_playback(False)
        self.finish("graceful", detail, self.plan.settings.graceful_secs)

    def hurry(self) -> None:
        """Stop waiting for what is buffered."""
        self._drained()

    def _plays_to_the_end(self) -> bool:
        return self._reason == "graceful" and not self.attachment.lost

    def _sent_all(self) -> None:
        """The ring is empty; a graceful end also waits until the caller has heard everything."""
        if self.state is State.DRAINING and self._plays_to_the_end() and self.player.is_busy:
            self._timers.after("play out", _POLL_SECONDS, self._sent_all)
        else:
            self._drained()

    def _drained(self) -> None:
        if self.state is not State.DRAINING:
            return
        if self.link.state in (LinkState.DETACHING, LinkState.DOWN):
            self._over()
            return
        self.path.hold_media()  # audio that nobody took in time must not follow the last words
        self._send(self.plan.protocol.stop(self.plan.info, self._last_words()))
        self._step(Step.DRAINED)
        self.link.close(CLOSE_GOING_AWAY if self._reason == "shutdown" else CLOSE_NORMAL)

    def _last_words(self) -> str:
        """The reason in the last message: what the command said; else a word of ours, where one is expected."""
        if self.plan.dialect is Dialect.COMMUNITY:
            return self._detail if self._reason in ("requested", "graceful") else ""
        return self._detail or _WIRE_REASONS.get(self._reason or "", self._reason or "")

    def _set_reason(self, reason: str, detail: str = "") -> None:
        if self._reason is None:
            self._reason, self._detail = reason, detail

    def _stopped(self) -> None:
        """Say that the stream is over, and let go of the call."""
        self._timers.cancel_all()
        self.attachment.detach_all()
        self.player.abandon()
        if self.path.statistics().dropped > self._overrun_seen:
            self._report_overrun()
        self.reporter.tell_the_rest()
        self.reporter.fire("stream_stopped", reason=self._reason or "error", detail=self._detail or None,
                           statistics=self.statistics())
        self._end_when_free()

    def _end_when_free(self) -> None:
        free = self.attachment.released and self.link.state is LinkState.DOWN
        if self.state is State.ENDED and free and not self._gone:
            self._gone = True
            self._on_ended(self)
            self.attachment.call.forget()

    def _step(self, step: Step) -> None:
        self.state = TRANSITIONS[self.state].get(step, self.state)

    # What the core reports.

    def attend(self) -> None:
        """The core wants attention."""
        bits = self.path.take_attention()
        if self.conversion:
            bits |= self.capture.take_attention()
            self.conversion.attend()
        self.player.attend(bits)
        self.attachment.attend(bits)
        if self._gone:
            return
        if self.attachment.lost:
            self._finish_without_call()
        self.link.attend(bits)
        if bits & ATTEND_OVERRUN:
            self._timers.after("overrun", _OVERRUN_SECONDS, self._report_overrun)
        if bits & ATTEND_RATE:
            self.reporter.error("rate", "the call's codec has a sample rate that cannot be converted")
        if bits & ATTEND_GARBAGE:
            self.packets.attend()
        if bits & ATTEND_DRAINED:
            self._sent_all()

    def _finish_without_call(self) -> None:
        if self.attachment.end_reason:
            self.finish(self.attachment.end_reason)
        else:
            self.finish("error", "another module removed the media bug")

    def _report_overrun(self) -> None:
        dropped = self.path.statistics().dropped
        frame = max(1, self.path.format.chunk)
        self.reporter.fire("buffer_overrun", framesLost=-(-(dropped - self._overrun_seen) // frame),
                           totalFramesLost=-(-dropped // frame), bufferSecs=self.plan.settings.buffer_secs)
        self._overrun_seen = dropped

    # What the server says.

    def link_refused(self, text: str) -> None:
        """The server breaks a rule."""
        self.reporter.error("protocol", text)
        self._set_reason("error", text)

    def link_message(self, message: Message) -> None:
        """The server says something."""
        if message.opcode == TEXT:
            self._on_text(message.data)
        elif message.opcode == BINARY:
            self._on_binary(message.data)

    def link_frame(self, kind: int, payload: bytes) -> None:
        """The server sent an AudioSocket frame that is not audio."""
        try:
            for message in self.plan.protocol.receive_frame(kind, payload):
                self._obey(message)
        except MessageError as error:
            self.reporter.error(error.kind, str(error))

    def _on_binary(self, data: bytes) -> None:
        """Binary messages that the compiled core did not take: compressed, or not to be played."""
        if self.path.format.binary_playback:
            self.player.play_binary(data, self.plan.binary_rate)
        elif not self.plan.bidirectional:
            self.reporter.error("binary", "the server sent binary audio on a one-way stream: start it with 1 as "
                                "its last flag")

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
        self._log(messages, data)
        for message in messages:
            try:
                self._obey(message)
            except MessageError as error:
                self.reporter.error(error.kind, str(error))

    def _log(self, messages: list[Incoming], data: bytes) -> None:
        # Not what is audio for the most part.
        if self._message_log and not any(isinstance(message, (PlayAudio, StreamAudio)) for message in messages):
            self._message_log.add(data.decode("utf-8", "replace"))

    def _obey(self, message: Incoming) -> None:
        if isinstance(message, PlayAudio):
            self.player.play(message)
        elif isinstance(message, ClearAudio):
            self.player.clear()
        elif isinstance(message, SetCheckpoint):
            self.player.checkpoint(message.name)
        elif isinstance(message, TranscriptionReceived):
            self.reporter.fire("transcription_received", payload=message.payload)
        elif isinstance(message, TextReceived):
            self.reporter.emit_text("json", message.text)
        elif isinstance(message, StreamAudio):
            self._take_sound(message)
        elif isinstance(message, HangUp):
            self.link.hung_up()

    def _take_sound(self, message: StreamAudio) -> None:
        """Audio as a file for the application, and to the caller where that is wanted."""
        call = self.attachment.call
        try:
            file = self._sounds.write(call.uuid, call.temp_folder, message.audio, message.kind, message.rate)
        except OSError as error:
            self.reporter.error("file", f"audio from the server could not be kept as a file: {error}")
            return
        body = {**message.fields, "file": str(file)}
        self.reporter.emit("play", body)
        if self._message_log:
            self._message_log.add(orjson.dumps(body).decode())
        if self.plan.plays:
            samples, rate = samples_of(message, self.plan.settings.playback_secs)
            self.player.play_chunk(samples, rate, len(message.audio))

    # What we say.

    def _send(self, message: OutMessage | None) -> None:
        if message is not None and not self._queue(message):
            self.reporter.error("outbox_full", "the server does not read: a message to it was dropped")

    def _queue(self, message: OutMessage) -> bool:
        if message.kind is not None:
            return self.link.send_frame(message.kind, message.head)
        return self.link.send_text(message.head, message.tail)

    def _answer_checkpoint(self, name: str, status: str) -> None:
        if self.link.state is LinkState.OPEN:
            self._send(self.plan.protocol.checkpoint(self.plan.info, name, status))

    def send_digit(self, digit: str, duration_ms: int) -> None:
        """Tell of a digit: always by an event, and the server where it wants to know."""
        if not self._begun or self.state is State.ENDED or self.attachment.released:
            return
        if self.attachment.call.hides_digits():
            return
        self.reporter.fire("dtmf", digit=digit, duration=duration_ms)
        if self.state is State.STREAMING and self.plan.settings.dtmf and self.plan.captures:
            self._send(self.plan.protocol.dtmf(self.plan.info, digit, duration_ms))

    def send_text(self, text: str) -> None:
        """Queue a message of the application; any thread. Raises RefusedError with the reason."""
        if not self.plan.bidirectional:
            raise RefusedError("the stream is one-way: start it with 1 as its last flag to exchange text")
        if self.state is not State.STREAMING:
            raise RefusedError(f"the stream is {self.state.value}: text can be sent while it is streaming")
        message = self.plan.protocol.text(self.plan.info, text)
        if message is None:
            raise RefusedError(f"the protocol {self.plan.protocol.name} has no text messages: start the stream with "
                               "the protocol json, binary or community to exchange text")
        if not self.link.send_text(message.head, message.tail):
            raise RefusedError(f"the server does not read: {self.path.unsent} bytes of messages wait already")

    # Looking at it.

    def _heartbeat(self) -> None:
        self.reporter.fire("heartbeat", state=self.state.value, statistics=self.statistics())

    def statistics(self) -> dict[str, Any]:
        """The counters, as events and `status` show them. Any thread."""
        counters = self.path.statistics()
        rate, frame = self.plan.info.rate, max(1, self.path.format.chunk)
        play_rate = max(1, counters.play_rate)
        return {
            "seconds": round(time.monotonic() - self._began, 3),
            "framesCaptured": self.capture.statistics().captured_frames,
            "msCaptured": 1000 * counters.captured // rate,
            "messagesSent": counters.messages_sent, "bytesSent": counters.bytes_sent,
            "messagesReceived": counters.messages_received, "bytesReceived": counters.bytes_received,
            "framesDropped": -(-counters.dropped // frame),
            "playbackDroppedMs": 1000 * counters.play_dropped // play_rate,
            "msPlayed": 1000 * counters.played // play_rate,
            "captureQueueMs": 1000 * counters.waiting // rate,
            "playbackQueueMs": 1000 * counters.play_waiting // play_rate,
            "reconnects": self._reconnects, "errors": self.reporter.errors, **self.packets.statistics(),
        }

    def status(self) -> dict[str, Any]:
        """What `status` and `list` answer. Any thread."""
        info = self.plan.info
        return {
            "uuid": info.uuid, "streamId": info.stream_id, "state": self.state.value, "paused": self.capture.paused,
            "serverUrl": self.plan.shown_url, "track": info.track.value, "codec": info.encoding.value,
            "sampleRate": info.rate, "protocol": self.plan.protocol.name, "bidirectional": self.plan.bidirectional,
            **self.statistics(), "lastError": self.reporter.last_error,
        }
