"""A stream's connection to its server: made, kept alive, closed in order, and made again.

The socket belongs to the core's I/O loop from `attach` to ATTEND_SOCKET_DETACHED; until then it is not closed.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Container, Mapping

from ...config import StreamSettings
from ...errors import ConnectError
from ...protocols.messages import OutMessage
from ...realtime.path import MediaPath
from ...realtime.records import ATTEND_INBOX, ATTEND_PEER_PROTOCOL, ATTEND_SOCKET_BROKEN, ATTEND_SOCKET_DETACHED
from ...realtime.wire.audiosocket import FRAME_OPCODE
from ...realtime.wire.outgoing import COMPRESSED
from ...transports import Cancel, Connection, Deflater, Inflater
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.timers import Timers
from ..state_machine import StateMachine
from .attempts import ConnectionAttempts
from .close_frame import CLOSE_ABNORMAL, CLOSE_GOING_AWAY, CLOSE_NORMAL, CloseFrame, close_payload, read_close
from .connector import Outcome, open_connection
from .inbox import BINARY, CLOSE, PING, PONG, TEXT, Inbox, Message
from .link_owner import LinkOwner, MessageHandler
from .link_states import LINK_TRANSITIONS, LinkState, LinkStep
from .media_clients import PendingConnection
from .watchdog import Watchdog

_WORTH_DEFLATING = 128  # bytes; shorter text hardly shrinks
_POLL_SECONDS = 0.01


class Link:
    """One connection after the other. Only on the dispatcher."""

    role = "client"
    """Of path.FRAMINGS; a link with an `pending` is the server."""
    pings = True
    rules = "the WebSocket protocol (RFC 6455)"
    close_seconds = 1.0
    """A server that does not answer the close frame for so long is left."""
    summary: dict[str, Any] | None = None
    """What the server has said about the whole stream at its end; None where it has not."""
    has_more = False
    """Whether the server has more to say, for which it has to be asked."""

    def __init__(self, url: str, settings: StreamSettings, path: MediaPath, dispatcher: Dispatcher,
                 pending: PendingConnection | None = None, counts_anew: bool = False,
                 handshake: Callable[[], Mapping[str, str]] = dict, final_closes: Container[int] = ()) -> None:
        """With an `pending` it is a client that connects to us, once; else we connect to the server at `url`.

        With `counts_anew` what the core counts in messages begins anew on each connection. `handshake` returns the
        protocol's headers for the next one, on any thread. After a close with one of `final_closes` there is no other.
        """
        self._handshake = handshake
        self._final_closes = final_closes
        self._counts_anew = counts_anew
        self._url = url
        self._pending = pending
        self._peer = "client" if pending else "server"
        self._settings = settings
        self._path = path
        self._owner: LinkOwner
        self._listener: MessageHandler
        self._timers = Timers(dispatcher)
        self._attempts = ConnectionAttempts(self._reach, pending, dispatcher, self._take_outcome)
        self._watchdog = Watchdog(path, self._timers, self._lose_silent)
        self._inbox = self._make_inbox(None)
        self._deflater: Deflater | None = None
        self._connection: Connection | None = None
        self._end: tuple[int, str, bool] | None = None
        self._states = StateMachine("connection", LINK_TRANSITIONS, LinkState.DOWN, dispatcher.report)

    def report_to(self, owner: LinkOwner, listener: MessageHandler) -> None:
        """Tell `owner` what becomes of the connection, and `listener` what the server says; before `connect`."""
        self._owner, self._listener = owner, listener

    def _reach(self, timeout: float | None, cancel: Cancel) -> Connection:
        """Connect, on the attempt's thread; see `connector.Reach`."""
        return open_connection(self._url, self._settings, self._handshake(), timeout, cancel)

    @property
    def state(self) -> LinkState:
        """Where the connection is. Any thread."""
        return self._states.state

    def _make_inbox(self, inflater: Inflater | None) -> Inbox:
        return Inbox(self._path, self._settings.max_message_bytes, inflater, self._peer, self._refuse)

    def connect(self, timeout: float | None) -> None:
        """Begin to connect, within `timeout` seconds (None = no limit); answered by link_up or link_failed."""
        if self._states.take(LinkStep.CONNECT):
            self._attempts.begin(timeout)

    def give_up(self) -> None:
        """Do not connect after all; nothing is answered."""
        if self._states.take(LinkStep.GIVE_UP):
            self._attempts.give_up()

    def _take_outcome(self, outcome: Outcome) -> None:
        if isinstance(outcome, ConnectError):
            if self._states.take(LinkStep.FAILED):
                self._owner.link_failed(outcome)
        elif self._states.take(LinkStep.CONNECTED):
            self._open(outcome)
        else:
            outcome.close()

    def _open(self, connection: Connection) -> None:
        self._connection, self._end = connection, None
        agreed = connection.deflate
        self._inbox = self._make_inbox(Inflater(agreed, self._settings.max_message_bytes) if agreed else None)
        self._deflater = Deflater(agreed) if agreed else None
        self._owner.link_up(connection)

    def attach(self) -> None:
        """Hand the socket to the I/O loop."""
        assert self._connection is not None
        self._path.attach_socket(self._connection.fileno(), self._connection.leftover,
                                 deflate=self._deflater is not None, tls=self._connection.tls,
                                 role=self.role if self._pending is None else "server",
                                 counts_anew=self._counts_anew)
        self._watchdog.start(self._settings.ping_secs if self.pings else 0)

    def send(self, message: OutMessage) -> bool:
        """Queue a message; return False if it does not fit. Any thread."""
        if message.kind is not None:
            return self._send_frame(message.kind, message.head)
        return self._send_text(message.head, message.tail)

    def _send_text(self, head: bytes, tail: bytes | None) -> bool:
        # Long text is compressed where that is agreed. Numbered messages and audio are not: RFC 7692 leaves it to the
        # sender, the number is known only when the message leaves, and audio would not become smaller.
        deflater = self._deflater
        if deflater is not None and tail is None and len(head) >= _WORTH_DEFLATING:
            return self._path.send(TEXT | COMPRESSED, deflater.message(head))
        return self._path.send(TEXT, head, tail)

    def _send_frame(self, kind: int, payload: bytes) -> bool:
        # A peer that does not send AudioSocket frames would take it for samples, and gets none.
        if not self._path.peer_sends_frames:
            return True
        return self._path.send(BINARY, bytes((kind,)) + len(payload).to_bytes(2, "big") + payload)

    @property
    def owes_recording(self) -> bool:
        """Whether there is something of the call that the server has to have, even where the call is over."""
        return False

    @property
    def shortfall(self) -> str:
        """What the server has not acknowledged, as a sentence; "" where it need not, or has."""
        return ""

    # The end of a connection.

    @property
    def peer_close_reason(self) -> str | None:
        """Why the peer has begun to close, where that is its good right; None while it has not."""
        return self._end[1] if self.state is LinkState.CLOSING and self._end and self._end[2] else None

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, behind the messages queued so far; answered by link_down."""
        if not self._states.take(LinkStep.CLOSE):
            return
        self._path.hold_media()
        self._path.discard_audio()  # or its answer could wait behind audio that nobody will hear
        self._say_goodbye(code, reason)
        self._watchdog.stop()
        self._timers.after("close", 1.0 if code == CLOSE_GOING_AWAY else self.close_seconds, self._close_unanswered)

    def _is_up(self) -> bool:
        return self.state in (LinkState.OPEN, LinkState.CLOSING)

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._path.send(CLOSE, close_payload(code, reason))

    def hung_up(self) -> None:
        """The server has hung up in words: close, and end as it wanted."""
        if self.state is LinkState.OPEN:
            self._end = (CLOSE_NORMAL, f"the {self._peer} hung up", True)
            self.close(CLOSE_NORMAL)

    def renew(self) -> None:
        """Leave this connection, for another to be made; answered by link_down."""
        if self.state is LinkState.OPEN:
            self._end = (CLOSE_NORMAL, "the connection is renewed", False)
            self.close(CLOSE_NORMAL)

    def _close_unanswered(self) -> None:
        self._down(*(self._end or (CLOSE_ABNORMAL, f"the {self._peer} did not answer the close", True)))

    def _refuse(self, code: int, text: str, for_good: bool = True) -> None:
        """Fail the connection (RFC 6455 section 7.1.7); unless `for_good`, it may be made again."""
        if not self._is_up():
            return
        self._end = self._end or (code, text, for_good)
        self._owner.link_refused(text, for_good)
        self.close(code, text)

    def _lose_silent(self) -> None:
        self._lose(f"the {self._peer} has not answered a ping for {self._settings.ping_secs} s", timed_out=True)

    def _lose(self, text: str, timed_out: bool = False) -> None:
        if self._is_up():
            self._owner.link_lost(text, timed_out)
            self._down(CLOSE_ABNORMAL, text, False)

    def _down(self, code: int, text: str, clean: bool) -> None:
        if not self._states.take(LinkStep.OVER):
            return
        self._timers.cancel_all()
        self._path.hold_media()
        self._path.detach_socket()
        self._owner.link_down(code, text, clean)

    # What the core reports.

    def attend(self, bits: int, inbox_end: int | None = None) -> None:
        """Take in what the core reports (ATTEND_…), and messages up to `inbox_end` of the path where one is given."""
        if bits & ATTEND_INBOX:
            self._read_inbox(inbox_end)
        if bits & ATTEND_PEER_PROTOCOL:
            self._refuse(self._path.protocol_error, f"the {self._peer} breaks {self.rules}")
        if bits & ATTEND_SOCKET_BROKEN:
            self._broken()
        if bits & ATTEND_SOCKET_DETACHED:
            self._released()

    def _broken(self) -> None:
        error = self._path.socket_error
        if self._end is not None:
            self._down(*self._end)
        elif self.state is LinkState.CLOSING:
            self._down(CLOSE_ABNORMAL, f"the {self._peer} closed the connection without answering the close", True)
        elif error:
            self._lose(os.strerror(error))
        else:
            self._lose(f"the {self._peer} closed the connection without a close frame")

    def _released(self) -> None:
        if not self._states.take(LinkStep.RELEASED):
            return
        for _ in self._path.take_inbox():
            pass  # the rest of a connection that is over
        self._path.discard_outbox()
        if self._connection is not None:
            self._connection.close()
        self._owner.link_released()

    def _read_inbox(self, end: int | None) -> None:
        if not self._is_up():
            return
        for message in self._inbox.messages(end):
            self._on_message(message)
            if not self._is_up():
                return
        self._path.settle_inbox()

    def _on_message(self, message: Message) -> None:
        if message.opcode >= FRAME_OPCODE:
            self._listener.take_frame(message.opcode - FRAME_OPCODE, message.data)
        elif message.opcode == CLOSE:
            self._on_close(read_close(message.data))
        elif message.opcode == PING:
            self._path.send(PONG, message.data)
        elif message.opcode != PONG:
            self._listener.take_message(message)

    def _on_close(self, close: CloseFrame) -> None:
        if self.state is LinkState.CLOSING:
            # The answer to our close, or both closed at once, and then ours may still be on its way.
            self._end = self._end or (close.code, close.reason or "closed", True)
            self._hang_up_when_sent()
            return
        if close.fault:
            self._refuse(close.answer, f"the {self._peer} sent {close.fault}", close.is_clean)
        else:
            self._end = (close.code, close.reason or f"the {self._peer} closed the connection with code {close.code}",
                         close.is_clean or close.code in self._final_closes)
            self.close(close.answer)
        if self._pending is not None:
            self._hang_up_when_sent()

    def _hang_up_when_sent(self) -> None:
        """End the TCP connection. That is the server's part (RFC 6455 section 7.1.1): a client that was asked to close
        waits for it.
        """
        if self._path.has_sent_all:
            self._close_unanswered()
        else:
            self._timers.after("hang up", _POLL_SECONDS, self._hang_up_when_sent)

    def join(self, seconds: float) -> bool:
        """Wait for the thread that a TLS connection had; return False if it still sends the last bytes. Any thread."""
        return self._connection is None or self._connection.join(seconds)
