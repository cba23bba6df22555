"""What the server says: its messages, read as the nouns of the protocol."""

from __future__ import annotations

from typing import Sequence

from ...errors import MessageError
from ...protocols.messages import Incoming, PlayAudio, StreamAudio
from ..connection.inbox import BINARY, TEXT, Message
from ..events.message_log import MessageLog
from ..events.reports import Reporter
from ..plan.plan import Plan
from .alike_messages import AlikeMessages
from .message_effects import MessageEffects
from .message_sender import MessageSender
from .playback.player import Player
from .protocol_conversation import ProtocolConversation


class MessageReceiver:
    """Of one stream; only on its dispatcher. What the server does wrong is reported, and never raises."""

    def __init__(self, plan: Plan, conversation: ProtocolConversation, effects: MessageEffects, player: Player,
                 sender: MessageSender, reporter: Reporter, log: MessageLog | None) -> None:
        """`effects` does what the server wants; `log`, if any, has a line for each text."""
        self._plan = plan
        self._conversation = conversation
        self._effects = effects
        self._player = player
        self._sender = sender
        self._reporter = reporter
        self._log = log
        self._alike = AlikeMessages(player.alike)
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
            messages = self._conversation.session.receive_frame(kind, payload)
        except MessageError as error:
            self._reporter.error(error.kind, str(error))
        else:
            self._effects.apply(messages, None)

    def _on_binary(self, data: bytes) -> None:
        """Binary messages that the compiled core did not take: compressed, or not to be played."""
        if self._player.takes_binary:
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
            self._sender.reply(self._conversation.session.refused(error))
            return
        self._note(messages, data)
        self._effects.apply(messages, position)
        if self._learns:
            self._alike.learn(data, messages, self._conversation.session)

    def _note(self, messages: Sequence[Incoming], data: bytes) -> None:
        # Not what is audio for the most part.
        if self._log and not any(isinstance(message, (PlayAudio, StreamAudio)) for message in messages):
            self._log.add(data.decode("utf-8", "replace"))
