"""What the server says, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

import orjson

from ...errors import MessageError
from ...protocols.messages import (AskPlayback, AudioFlow, CallerStopped, CallLater, ClearAudio, ControlCall, HangUp,
                                   Incoming, OutMessage, PausePlayback, PlayAudio, Reconnect, Reply, ReportError,
                                   SetCheckpoint, StreamAudio, TextReceived, ToolCall, TranscriptionReceived,
                                   UsageReported)
from ..call import Call
from ..connection.inbox import BINARY, TEXT, Message
from ..dispatch.timers import Timers
from ..events.agent_turns import AgentTurns
from ..events.message_log import MessageLog
from ..events.reports import Reporter
from ..plan.plan import Plan
from .alike_messages import AlikeMessages
from .audio_gate import AudioGate
from .call_control import CallControl
from .decoding import samples_of
from .player import Player
from .protocol_conversation import ProtocolConversation
from .sound_files import SoundFiles, explain
from .tool_calls import ToolCalls


class MessageReceiver:
    """Of one stream; only on its dispatcher. What the server does wrong is reported, and never raises."""

    def __init__(self, plan: Plan, conversation: ProtocolConversation, call: Call, takes_binary: bool, player: Player,
                 turns: AgentTurns, sounds: SoundFiles, reporter: Reporter, on_hang_up: Callable[[], None],
                 reply: Callable[[Sequence[OutMessage]], None], timers: Timers,
                 on_reconnect: Callable[[], None], gate: Callable[[], AudioGate], control: CallControl,
                 tools: ToolCalls) -> None:
        """`takes_binary`: whether binary messages are audio to be played. `on_hang_up` is called where the server
        hangs up in words, `reply` with what the protocol answers at once, and `on_reconnect` where it wants another
        connection. `gate` returns the one for the call's audio.
        """
        self._gate = gate
        self._control = control
        self._tools = tools
        self._plan = plan
        self._conversation = conversation
        self._call = call
        self._takes_binary = takes_binary
        self._player = player
        self._turns = turns
        self._sounds = sounds
        self._files = sounds.of_stream(call.uuid, plan.info.stream_id)
        self._reporter = reporter
        self._on_hang_up = on_hang_up
        self._reply = reply
        self._timers = timers
        self._on_reconnect = on_reconnect
        self._alike = AlikeMessages(player.alike)
        self._message_log = None if plan.settings.suppress_log else MessageLog(call.log)
        self._file_error = ""
        # An event for each message needs each of them to be read.
        self._learns = plan.protocol.audio_is_alike and plan.settings.play_events == "run"

    def take_message(self, message: Message) -> None:
        """The server sent a text or binary message."""
        if message.opcode == TEXT:
            self._on_text(message.data, message.play_position)
        elif message.opcode == BINARY and self._plan.protocol.text_is_binary:
            self._on_text(message.data, message.play_position)
        elif message.opcode == BINARY:
            self._on_binary(message.data)

    def take_frame(self, kind: int, payload: bytes) -> None:
        """The server sent an AudioSocket frame that is not audio."""
        try:
            for message in self._conversation.session.receive_frame(kind, payload):
                self._obey(message, None)
        except MessageError as error:
            self._reporter.error(error.kind, str(error))

    def _on_binary(self, data: bytes) -> None:
        """Binary messages that the compiled core did not take: compressed, or not to be played."""
        if self._takes_binary:
            self._player.play_binary(data, self._plan.binary_rate)
        elif not self._plan.protocol.has_binary:
            self._reporter.error("binary", f"the server sent a binary message, and the protocol "
                                 f"{self._plan.protocol.name} has none")
        elif not self._plan.bidirectional:
            self._reporter.error("binary", "the server sent binary audio on a one-way stream: start it with 1 as "
                                 "its last flag")

    def _on_text(self, data: bytes, position: int) -> None:
        if not self._plan.bidirectional and not self._plan.protocol.permit_seconds:
            self._reporter.error("one_way", "the server sent a message on a one-way stream: start it with 1 as its "
                                 "last flag")
            return
        try:
            messages = self._conversation.session.receive(data)
        except MessageError as error:
            self._reporter.unusable(error, data)
            self._reply(self._conversation.session.refused(error))
            return
        self._log(messages, data)
        self._obey_all(messages, position)
        if self._learns:
            self._alike.learn(data, messages, self._conversation.session)

    def time_is_over(self, name: str) -> None:
        """The time for something in the protocol, as of `CallLater`, is over."""
        self._obey_all(self._conversation.session.later(name), None)

    def _obey_all(self, messages: Sequence[Incoming], position: int | None) -> None:
        for message in messages:
            try:
                self._obey(message, position)
            except MessageError as error:
                self._reporter.error(error.kind, str(error))

    def _log(self, messages: Sequence[Incoming], data: bytes) -> None:
        # Not what is audio for the most part.
        if self._message_log and not any(isinstance(message, (PlayAudio, StreamAudio)) for message in messages):
            self._message_log.add(data.decode("utf-8", "replace"))

    def _obey(self, message: Incoming, position: int | None) -> None:
        """`position`: see `Player.checkpoint`."""
        if isinstance(message, PlayAudio):
            self._player.play(message)
        elif isinstance(message, ClearAudio):
            self._player.clear(position)
        elif isinstance(message, SetCheckpoint):
            self._player.checkpoint(message.name, position)
        elif isinstance(message, TranscriptionReceived):
            self._reporter.fire("transcription_received", payload=message.payload)
        elif isinstance(message, TextReceived):
            self._reporter.emit_text("json", message.text)
        elif isinstance(message, StreamAudio):
            self._take_sound(message)
        elif isinstance(message, HangUp):
            self._on_hang_up()
        elif isinstance(message, PausePlayback):
            self._player.pause(message.paused)
        elif isinstance(message, ControlCall):
            self._control.obey(message)
        elif isinstance(message, ToolCall):
            self._tools.take(message)
        else:
            self._obey_protocol(message)

    def _obey_protocol(self, message: Reply | AskPlayback | CallLater | ReportError | CallerStopped | UsageReported
                       | Reconnect | AudioFlow) -> None:
        """What the protocol wants for itself."""
        if isinstance(message, CallerStopped):
            self._turns.caller_stopped(message.silence_ms)
        elif isinstance(message, UsageReported):
            self._reporter.fire("agent_usage", usage=message.usage)
        elif isinstance(message, Reply):
            self._reply([message.message])
        elif isinstance(message, AskPlayback):
            self._reply(self._conversation.session.playback(self._player.queued_ms, self._player.is_paused))
        elif isinstance(message, CallLater):
            session = self._conversation.session

            def call() -> None:
                if self._conversation.session is session:  # else the connection is another by now
                    self.time_is_over(message.name)
            self._timers.after(f"protocol {message.name}", message.seconds, call)
        elif isinstance(message, ReportError):
            self._reporter.error(message.kind, message.text)
        elif isinstance(message, Reconnect):
            self._on_reconnect()
        else:
            self._gate().obey(message)

    def _take_sound(self, message: StreamAudio) -> None:
        """Audio as a file for the application, and to the caller where that is wanted, which needs no file."""
        file = self._write(message)
        # Who only waits for files reads the name in each such event: no file, no event.
        if file is not None or self._plan.plays:
            self._tell_of_sound({**message.fields, **({"file": str(file)} if file else {})})
        if self._plan.plays:
            samples, rate = samples_of(message, self._plan.settings.playback_secs)
            self._player.play_chunk(samples, rate, len(message.audio))

    def _tell_of_sound(self, body: dict[str, Any]) -> None:
        self._reporter.emit("play", body)
        if self._message_log:
            self._message_log.add(orjson.dumps(body).decode())

    def _write(self, message: StreamAudio) -> Path | None:
        """Return the file, or None if it could not be written, which is told once until it can again."""
        folder = self._call.temp_folder
        try:
            file = self._sounds.write(self._files, folder, message.audio, message.kind, message.rate)
        except OSError as error:
            self._tell_of_file_error(explain(error, folder))
            return None
        self._file_error = ""
        return file

    def _tell_of_file_error(self, text: str) -> None:
        if text == self._file_error:
            self._reporter.errors += 1
            return
        self._file_error = text
        heard = "; the caller hears it all the same" if self._plan.plays else ""
        self._reporter.error("file", text + heard)
