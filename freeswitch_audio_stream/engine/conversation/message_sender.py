"""What we say to the server, apart from the call's audio."""

from __future__ import annotations

import threading
from typing import Sequence

from ...errors import RefusedError
from ...protocols.messages import OutMessage
from ...realtime.path import MediaPath
from ...realtime.path_format import OUTBOX_BYTES
from ...realtime.wire.outgoing import OUTBOX_HEADER
from ..connection.link import Link
from ..connection.link_states import LinkState
from ..events.reports import Reporter
from ..plan.plan import Plan
from ..states import State, StreamStates
from .protocol_conversation import ProtocolConversation

MAX_WAITING_BYTES = OUTBOX_BYTES // 2
"""What texts may take up before there is a connection: behind the start message they all have to fit."""
_BEFORE = (State.WAITING, State.CONNECTING)  # the states in which there has been no connection yet


class MessageSender:
    """Of one stream; only on its dispatcher, but for `text`. What the protocol has no message for is not said."""

    def __init__(self, plan: Plan, conversation: ProtocolConversation, path: MediaPath, link: Link, reporter: Reporter,
                 states: StreamStates) -> None:
        self._plan = plan
        self._conversation = conversation
        self._path = path
        self._link = link
        self._reporter = reporter
        self._states = states
        self._waiting: list[str] = []
        self._waiting_bytes = 0
        self.has_introduced = False
        """Whether there has been a connection."""
        self._lock = threading.Lock()

    def start(self) -> None:
        """Introduce the stream to a server that has just been reached; then comes what the application has said while
        there was no connection.
        """
        with self._lock:
            self._conversation.begin()
            self._send(self._conversation.session.opening())
            for text in self._waiting:
                self._send(self._conversation.session.text(text))
            self._waiting.clear()
            self.has_introduced = True

    def give_up(self) -> None:
        """There will be no connection, as the state says already: report what has waited for it."""
        with self._lock:
            count = len(self._waiting)
            self._waiting.clear()
        if count:
            texts = "1 text" if count == 1 else f"{count} texts"
            self._reporter.error("text_not_sent", f"{texts} that waited for the connection will not be sent, because "
                                 "it could not be made", times=count)

    def stop(self, reason: str) -> None:
        """Say that the stream is over, before closing."""
        self._send(self._conversation.session.closing(reason))

    def digit(self, digit: str, duration_ms: int) -> None:
        """Tell of a digit."""
        self._send(self._conversation.session.digit(digit, duration_ms))

    def checkpoint(self, name: str, status: str) -> None:
        """Answer what became of a checkpoint, where there is still someone who waits for it."""
        if self._link.state is LinkState.OPEN:
            self._send(self._conversation.session.checkpoint(name, status))

    def heard(self, item: str, milliseconds: int, complete: bool) -> None:
        """Answer how much of an item the caller has heard, where there is still someone who waits for it."""
        if self._link.state is LinkState.OPEN:
            self._send(self._conversation.session.heard(item, milliseconds, complete))

    def playback_level(self, is_high: bool) -> None:
        """Tell that much is queued for the caller, or no longer, where the server wants to know."""
        if self._link.state is LinkState.OPEN:
            self._send(self._conversation.session.playback_level(is_high))

    def overflowed(self, queued_ms: int) -> None:
        """Tell that audio of the server's was dropped, where it wants to know."""
        if self._link.state is LinkState.OPEN:
            self._send(self._conversation.session.overflowed(queued_ms))

    def reply(self, messages: Sequence[OutMessage]) -> None:
        """Answer the server, where there is still someone who waits for it."""
        if self._link.state in (LinkState.OPEN, LinkState.CLOSING):
            self._send(messages)

    def playback(self, queued_ms: int, is_paused: bool) -> None:
        """Answer how much waits to be heard, and whether it is held back."""
        self.reply(self._conversation.session.playback(queued_ms, is_paused))

    def tool_result(self, call_id: str, output: str) -> None:
        """Answer a call of a function."""
        messages = self._conversation.session.tool_result(call_id, output)
        if not messages:
            self._reporter.error("tool_result", f"no function call {call_id} waits for an answer: it was answered, or "
                                 "never made")
        elif self._link.state is LinkState.OPEN:
            self._send(messages)

    def text(self, text: str) -> None:
        """Queue a message of the application; raise RefusedError with the reason if it cannot be sent. Any thread."""
        protocol = self._conversation.protocol
        if not protocol.has_text:
            raise RefusedError(f"the protocol {protocol.name} has no text messages: start the stream with the protocol "
                               "json, binary or community to exchange text")
        if not self._plan.bidirectional:
            raise RefusedError("the stream is one-way: start it with 1 as its last flag to exchange text")
        protocol.check_text(text)
        with self._lock:
            self._send_or_keep(text, self._states.state)

    def _send_or_keep(self, text: str, state: State) -> None:
        if state in _BEFORE and not self.has_introduced:
            self._keep(text)
        elif state not in (*_BEFORE, State.STREAMING):
            raise RefusedError(f"the stream is {state.value}: text can be sent while it is connecting or streaming")
        elif not all(map(self._link.send, self._conversation.session.text(text))):
            raise RefusedError(f"the server does not read: {self._path.unsent} bytes of messages wait already, and "
                               "this one does not fit beside them")

    def _keep(self, text: str) -> None:
        size = len(text.encode()) + OUTBOX_HEADER
        if self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise RefusedError(f"the stream is connecting, and of {MAX_WAITING_BYTES} bytes of texts that can wait for "
                               f"that {self._waiting_bytes} do already: send this one when it is streaming")
        self._waiting.append(text)
        self._waiting_bytes += size

    def _send(self, messages: Sequence[OutMessage]) -> None:
        if not all(map(self._link.send, messages)):
            self._reporter.error("outbox_full", "the server does not read: a message to it was dropped")
