"""What comes of the nouns that a server's messages are read as: a table, from a noun to what is done."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ...errors import MessageError
from ...protocols.messages import (AllowAudio, AskPlayback, CallerStopped, CallLater, ClearAudio, ControlCall,
                                   DiscardAudio, HangUp, IgnoreBinary, Incoming, KeepAudio, PausePlayback, PlayAudio,
                                   Reconnect, Reply, ReportError, SetCheckpoint, StreamAudio, TextReceived, ToolCall,
                                   TranscriptionReceived, UsageReported)
from ..connection.link import Link
from ..dispatch.timers import Timers
from ..events.agent_turns import AgentTurns
from ..events.reports import Reporter
from .audio_gate import AudioGate
from .call_control import CallControl
from .message_sender import MessageSender
from .playback.player import Player
from .playback.received_sounds import ReceivedSounds
from .protocol_conversation import ProtocolConversation
from .tool_calls import ToolCalls

Effect = Callable[[Any, "int | None"], object]
"""Takes a noun, and where the playback queue ended when its message came, if that is known: see `Player.checkpoint`."""
Effects = Mapping[type, Effect]


def on_the_caller(player: Player, sounds: ReceivedSounds, turns: AgentTurns) -> Effects:
    """Return what the caller hears, or no longer hears."""
    return {
        PlayAudio: lambda message, _: player.play(message),
        StreamAudio: lambda message, _: sounds.take(message),
        ClearAudio: lambda _, position: player.clear(position),
        SetCheckpoint: lambda message, position: player.checkpoint(message.name, position),
        PausePlayback: lambda message, _: player.pause(message.paused),
        CallerStopped: lambda message, _: turns.caller_stopped(message.silence_ms),
    }


def on_the_application(reporter: Reporter, control: CallControl, tools: ToolCalls) -> Effects:
    """Return what the application is told, or what is done with the call in its place."""
    return {
        TranscriptionReceived: lambda message, _: reporter.fire("transcription_received", payload=message.payload),
        TextReceived: lambda message, _: reporter.emit_text("json", message.text),
        UsageReported: lambda message, _: reporter.fire("agent_usage", usage=message.usage),
        ReportError: lambda message, _: reporter.error(message.kind, message.text),
        ControlCall: lambda message, _: control.obey(message),
        ToolCall: lambda message, _: tools.take(message),
    }


def on_the_connection(link: Link, sender: MessageSender, gate: AudioGate, player: Player) -> Effects:
    """Return what the protocol wants for itself."""
    return {
        Reply: lambda message, _: sender.reply([message.message]),
        AskPlayback: lambda _, __: sender.playback(player.queued_ms, player.is_paused),
        HangUp: lambda _, __: link.hung_up(),
        Reconnect: lambda _, __: link.renew(),
        **dict.fromkeys((AllowAudio, DiscardAudio, KeepAudio, IgnoreBinary), lambda message, _: gate.obey(message)),
    }


class MessageEffects:
    """Of one stream; only on its dispatcher. What cannot be done is reported, and never raises."""

    def __init__(self, conversation: ProtocolConversation, reporter: Reporter, timers: Timers,
                 *effects: Effects) -> None:
        """`effects` together have every noun but CallLater."""
        self._conversation = conversation
        self._reporter = reporter
        self._timers = timers
        self.table: Effects = {noun: effect for part in effects for noun, effect in part.items()} | {
            CallLater: lambda message, _: self._call_later(message)}

    def apply(self, messages: Sequence[Incoming], position: int | None) -> None:
        """Do what the server wants, one after the other; `position` as in `Effect`."""
        for message in messages:
            try:
                self.table[type(message)](message, position)
            except MessageError as error:
                self._reporter.error(error.kind, str(error))

    def _call_later(self, message: CallLater) -> None:
        session = self._conversation.session

        def call() -> None:
            if self._conversation.session is session:  # else the connection is another by now
                self._time_is_over(message.name)
        self._timers.after(f"protocol {message.name}", message.seconds, call)

    def opening_is_late(self) -> None:
        """The server has not allowed the call's audio in time."""
        self._time_is_over("opening")

    def _time_is_over(self, name: str) -> None:
        self.apply(self._conversation.session.later(name), None)
