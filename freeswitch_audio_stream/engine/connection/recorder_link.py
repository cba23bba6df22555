"""A stream's connection to the recorder: audio is kept until it is acknowledged, and goes on where the recorder says.

The first message of a connection tells the session and what it has. A connection that is lost is followed by another to
the same session, on which audio goes on with the byte that the recorder misses. It is the recorder that ends the last
connection, when it has completed the session.
"""

from __future__ import annotations

from typing import Any

from ...errors import ConnectError, HandshakeRefused, MessageError
from ...protocols.recorder import Answer, named_session, read_answer, session_url
from ...realtime.path import MediaPath
from ...transports import Cancel, Connection
from ..dispatch.dispatcher import Dispatcher
from ..plan.plan import Plan
from .close_frame import CLOSE_NORMAL, CLOSE_POLICY, CLOSE_TOO_BIG, CloseFrame, close_payload
from .connector import Outcome, open_connection
from .inbox import CLOSE, TEXT, Message
from .link import Link
from .link_states import LinkState

_NOT_FOUND, _CLOSED = "Session not found", "Session is closed"
_TAKEN_OVER = "Connection taken over"
_WILL_PASS = ("Too many", "The service is starting")
"""How refusals begin that another attempt may not meet with."""
_HTTP_NOT_FOUND = 404
_GREETING_SECONDS = 1.0
"""How long a recorder may take to introduce a new session; one that does not is sent audio all the same."""
_RESUMING_SECONDS = 5.0
"""The same of a session that is continued."""


class RecorderLink(Link):
    """See `Link`."""

    close_seconds = 10.0

    def __init__(self, plan: Plan, path: MediaPath, dispatcher: Dispatcher) -> None:
        super().__init__(plan.url, plan.settings, path, dispatcher)
        self._info = plan.info
        self._width = 2 * path.format.channels
        self._session = named_session(plan.url)
        self._base: int | None = None
        """Bytes that the session had where the stream's first sample belongs; None: the recorder has not said it."""
        self._earlier: list[str] = []
        self._is_greeted = False
        self._is_completed = False
        self._asks_for_end = self._has_asked_for_end = False
        self._refusal: Answer | None = None
        self._degraded = ""

    def _reach(self, timeout: float | None, cancel: Cancel) -> Connection:
        url = session_url(self._url, self._info, self._session)
        return open_connection(url, self._settings, {}, timeout, cancel)

    def _take_outcome(self, outcome: Outcome) -> None:
        is_gone = isinstance(outcome, HandshakeRefused) and outcome.status == _HTTP_NOT_FOUND
        if is_gone and self._base is not None and self.state is LinkState.CONNECTING:
            self._forget_session(str(outcome))
            outcome = ConnectError(str(outcome))  # what is tried next is something else
        super()._take_outcome(outcome)

    def attach(self) -> None:
        self._is_greeted, self._asks_for_end, self._refusal = False, False, None
        super().attach()
        self._timers.after("greeting", _GREETING_SECONDS if self._base is None else _RESUMING_SECONDS,
                           self._go_on_ungreeted)

    # What the stream wants to know.

    @property
    def owes_recording(self) -> bool:
        first, last = self._path.kept
        return not self._is_completed and (first < last or self._base is not None)

    @property
    def shortfall(self) -> str:
        first, last = self._path.kept
        if first == last:
            return ""
        session = f" in session {self._session}" if self._session else ""
        return (f"the last {1000 * (last - first) // self._info.rate} ms are perhaps not in the recording: the "
                f"recorder has not acknowledged them{session}; a longer deliver-secs gives it more time")

    # What the recorder says.

    def _on_message(self, message: Message) -> None:
        if message.opcode != TEXT:
            super()._on_message(message)
            return
        try:
            answer = read_answer(message.data)
        except MessageError as error:
            self._complain(f"an answer of the recorder cannot be read: {error}")
            return
        if answer.error and not answer.is_final:
            self._on_error(answer)
        elif answer.is_final:
            self._on_end(answer)
        elif self._is_greeted:
            self._on_acknowledgement(answer)
        else:
            self._on_greeting(answer)

    def _complain(self, text: str, for_good: bool = False) -> None:
        self._owner.link_refused(text, for_good, in_words=True)

    def _on_greeting(self, answer: Answer) -> None:
        told = answer.body.get("sample_rate", self._info.rate), answer.body.get("channels", self._info.channels)
        if told != (self._info.rate, self._info.channels):
            self._refuse(CLOSE_POLICY, f"the session {answer.session} is of {told[0]} Hz and {told[1]} channels, and "
                         f"this stream of {self._info.rate} Hz and {self._info.channels}: start it like the session")
            return
        self._session = answer.session or self._session
        self.summary = self._summary({"session_id": self._session, "status": answer.status})
        self._go_on(self._bytes(answer))

    def _go_on_ungreeted(self) -> None:
        if self._base is not None:
            self._complain("the recorder does not say what it has of the session: audio goes on with what it has not "
                           "acknowledged, some of which may be there twice")
        self._go_on(None if self._base is None else self._base + self._width * self._path.kept[0])

    def _go_on(self, acknowledged: int | None) -> None:
        """Send audio, from what the recorder has; None: a new session."""
        self._is_greeted = True
        self._timers.cancel("greeting")
        first, last = self._path.kept
        has = acknowledged or 0
        if self._base is None:
            self._base = has - self._width * first
        missing = self._base + self._width * first - has
        if missing > 0:
            self._complain(f"the recorder has lost {missing} bytes that it had acknowledged: the recording lacks them")
            self._base -= missing
        beyond = has - self._base - self._width * last
        if beyond > 0:
            self._complain(f"the recorder has {beyond} bytes more than it was sent: does another stream write to the "
                           "same session?")
            self._base += beyond
        self._path.resume(has, self._base)

    def _bytes(self, answer: Answer) -> int:
        """How much the session has; of a recorder that counts chunks only, each of which has the same length."""
        if answer.acknowledged is not None:
            return answer.acknowledged
        return answer.chunks * self._width * self._path.format.chunk

    def _on_acknowledgement(self, answer: Answer) -> None:
        """One that the core has not taken, or has, but there is more to it."""
        self._session = self._session or answer.session
        degraded = answer.body.get("degraded")
        if isinstance(degraded, str) and degraded != self._degraded:
            self._degraded = degraded
            self._complain(f"the recorder says of session {self._session}: {degraded}")
        if answer.acknowledged is None:
            self._acknowledge(answer)

    def _acknowledge(self, answer: Answer) -> None:
        if self._base is not None:
            self._path.acknowledge((self._bytes(answer) - self._base) // self._width)

    # What goes wrong.

    def _on_error(self, answer: Answer) -> None:
        if answer.error == _TAKEN_OVER:
            self._refuse(CLOSE_POLICY, f"another stream or program continues the session {self._session}: each stream "
                         "needs one of its own")
        elif self._is_greeted:  # a chunk was not taken: the next connection begins with it
            self._complain(f"the recorder has not taken some audio, which is sent again: {answer.explanation}")
            self._lose(f"the recorder: {answer.explanation}")
        elif self._session is not None and answer.error in (_NOT_FOUND, _CLOSED):
            self._on_session_gone(answer)
        else:
            self._refusal = answer  # its close frame says whether that is for good

    def _on_session_gone(self, answer: Answer) -> None:
        first, last = self._path.kept
        if self._base is None:
            self._refuse(CLOSE_POLICY, f"the recorder: {answer.explanation} ({self._session}): start the stream "
                         "without its id in the URL", True)
        elif self._has_asked_for_end and answer.status == "completed" and first == last:
            self._is_completed = True
            self.summary = self._summary(answer.body)
            self._end = (CLOSE_NORMAL, "the recorder has completed the session", True)
        else:
            self._forget_session(f"the recorder: {answer.explanation}")
            self._lose(f"the recorder: {answer.explanation}")

    def _forget_session(self, text: str) -> None:
        """What is not acknowledged goes to a new session."""
        self._complain(f"{text}: the rest of the call is recorded in a new session, and what was acknowledged before "
                       f"is in session {self._session}, if it is anywhere")
        if self._session is not None:
            self._earlier.append(self._session)
        self._session, self._base, self.summary = None, None, self._summary({})

    def _on_close(self, close: CloseFrame) -> None:
        refusal = self._refusal
        if self.state is not LinkState.OPEN or close.fault:
            super()._on_close(close)
        elif self._end is not None:
            self.close(close.answer)
        elif refusal is not None:
            self._leave(close, f"the recorder: {refusal.explanation}",
                        close.code == CLOSE_POLICY and not refusal.error.startswith(_WILL_PASS))
        elif close.code == CLOSE_TOO_BIG:
            self._leave(close, "the recorder does not take messages of "
                        f"{self._width * self._path.format.chunk} bytes: choose a smaller chunk-ms, or have it take "
                        "longer ones (MAX_MESSAGE_SIZE_BYTES)", True)
        elif close.code == CLOSE_POLICY and self._base is not None and not self._is_greeted:
            self._forget_session(f"the recorder does not continue the session ({close.reason or close.code})")
            self._lose("the recorder does not continue the session")
        elif close.code == CLOSE_POLICY and not self._is_greeted:
            self._leave(close, f"the recorder refuses the stream ({close.reason or close.code}): see its log", True)
        else:
            super()._on_close(close)

    def _leave(self, close: CloseFrame, text: str, for_good: bool) -> None:
        self._complain(text, for_good)
        self._end = (close.code, text, for_good)
        self.close(close.answer)

    # The end.

    def _on_end(self, answer: Answer) -> None:
        """The session has ended: because we have asked for it, or for another reason."""
        self._acknowledge(answer)
        if answer.status == "error":
            self._forget_session(f"the recorder has given the session up: {answer.explanation}")
            self._lose(f"the recorder: {answer.explanation}")
            return
        self._is_completed = True
        self.summary = self._summary(answer.body)
        if self.state is LinkState.CLOSING and self._end is None:
            self._end = (CLOSE_NORMAL, "the recorder has completed the session", True)
            self._path.send(CLOSE, close_payload(CLOSE_NORMAL))

    def _summary(self, body: Any) -> dict[str, Any] | None:
        told = {name: value for name, value in body.items() if name != "message" and value is not None}
        if self._earlier:
            told["earlier_sessions"] = self._earlier
        return told or None

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._timers.cancel("greeting")
        if self._end is None and self._is_greeted:
            self._asks_for_end = self._has_asked_for_end = True  # in words, before; the rest is the recorder's
        else:
            super()._say_goodbye(code, reason)

    def _close_unanswered(self) -> None:
        if self._end is None and self._asks_for_end:
            self._lose(f"the recorder has not completed the session within {self.close_seconds:g} s", True)
        else:
            super()._close_unanswered()

    def _broken(self) -> None:
        if self._end is None and self.state is LinkState.CLOSING:
            self._lose("the connection was lost before the recorder had completed the session")
        else:
            super()._broken()
