"""A stream's session on an HTTP server: audio is posted on one connection, and what it says is polled for on another.

To the stream it is one connection: up when the session has been created, down when a request fails for good or the
server cannot be reached. A connection that ends between two requests is as HTTP has it, and made again without a word.
"""

from __future__ import annotations

import os
from functools import partial

from ...errors import ConnectError
from ...protocols.http_streaming import RATE, HttpSession, creation, end_path, stream_path
from ...protocols.messages import OutMessage
from ...realtime.wire.http_incoming import ABOUT_MEDIA
from ...transports import Cancel, Connection
from ...transports.http import HttpConnection, HttpServer, connect, create_session, server_of
from ...transports.http_answers import Answer, explain, read_answer
from ..conversation.protocol_conversation import ProtocolConversation
from ..dispatch.dispatcher import Dispatcher
from ..media.paths import MediaPaths
from ..plan.plan import Plan
from .close_frame import CLOSE_ABNORMAL, CLOSE_NORMAL, CLOSE_POLICY
from .connector import Connector, Outcome, credentials, tls_options
from .inbox import BINARY, TEXT, Message
from .link import Link
from .link_states import LinkState
from .polls import Polls

_REOPEN_SECONDS = 10.0
_FULL_SECONDS = 10  # of the playback queue that are left free before no more is asked for
_EMPTY_SECONDS = 0.1  # between polls of a server that says nothing without having waited


class HttpLink(Link):
    """See `Link`. Codes are those of a WebSocket's close frame, for there are no others."""

    role = "http"
    pings = False
    rules = "HTTP/1.1 (RFC 9112)"
    close_seconds = 3.0

    def __init__(self, plan: Plan, media: MediaPaths, dispatcher: Dispatcher,
                 conversation: ProtocolConversation) -> None:
        super().__init__(plan.url, plan.settings, media.path, dispatcher)
        self._plan = plan
        self._dispatcher = dispatcher
        self._conversation = conversation
        self._server: HttpServer | None = None
        self._polls = None if media.polls is None else Polls(
            media.polls, dispatcher, plan.settings.max_message_bytes, plan.settings.poll_ms, self._build_poll,
            self._take_poll, self._take_polls_end)
        self._polls_answered = 0
        self._asked_at = 0.0
        self._posts_released = self._polls_released = False
        self._reopening: Connector | None = None
        self._position: int | None = None
        self._heard_before = 0
        self._progress_at_loss = -1
        self._owed: tuple[bool, int] | None = None

    # The session.

    def _reach(self, timeout: float | None, cancel: Cancel) -> Connection:
        settings = self._settings
        server = server_of(self._plan.url, settings.headers, settings.api_key, settings.api_key_header,
                           credentials(settings))
        return create_session(server, creation(self._plan.info), end_path(self._plan.info.uuid), tls_options(settings),
                              timeout, cancel)

    def attach(self) -> None:
        """Begin to post and to poll."""
        connection = self._connection
        assert isinstance(connection, HttpConnection) and connection.server is not None
        self._server = connection.server
        self._posts_released, self._polls_released = False, self._polls is None
        if connection.is_new:
            counters = self._path.statistics()
            self._position, self._heard_before = None, counters.queued - counters.cleared
        self._session.resume(self._position)
        self._attach_posts(connection)
        self._owed = None
        self._timers.every("answer", self._settings.ping_secs, self._look_for_answer)
        if self._polls is not None:
            self._polls.start(partial(self._connect_again, self._server))

    @property
    def _session(self) -> HttpSession:
        session = self._conversation.session
        assert isinstance(session, HttpSession)
        return session

    def _connect_again(self, server: HttpServer, timeout: float | None, cancel: Cancel) -> Connection:
        return connect(server, tls_options(self._settings), timeout, cancel)

    def send(self, message: OutMessage) -> bool:
        """Return False: nothing but audio is sent."""
        return False

    # Posts.

    def _attach_posts(self, connection: Connection) -> None:
        assert self._server is not None
        self._inbox = self._make_inbox(None)
        self._path.attach_socket(connection.fileno(), connection.leftover, tls=connection.tls, role=self.role,
                                 request_head=self._server.post_head(stream_path(self._plan.info.uuid)))

    def _on_message(self, message: Message) -> None:
        answer = read_answer(message.data)
        if message.opcode == ABOUT_MEDIA:
            self._on_post_answer(answer)
        else:
            self._on_end_answer(answer)

    def _on_post_answer(self, answer: Answer) -> None:
        if answer.status in (400, 413, 422) or answer.json.get("status") == "invalid_audio":
            self._owner.link_refused(f"the server does not take some audio (HTTP {answer.status}"
                                     f"{': ' + answer.detail if answer.detail else ''}): it is not sent again", False)
        elif answer.is_success:
            self._session_gone()
        else:
            self._fail(answer)

    def _fail(self, answer: Answer) -> None:
        """An answer is no success: leave the server, for good or for a while."""
        text = f"the server {explain(answer)}"
        if answer.status == 404:
            self._session_gone()
        elif answer.status in (401, 403) or answer.is_redirect:
            self._refuse(CLOSE_POLICY, text, True)
        else:
            self._owner.link_deferred(answer.retry_after or 0.0)
            self._lose(text)

    def _session_gone(self) -> None:
        """The server does not know the session any more: it is created anew, unless that did not help before."""
        progress = self._path.accepted + self._polls_answered
        if progress == self._progress_at_loss:
            self._refuse(CLOSE_POLICY, "the server has no session of this call, although it has just been created: "
                         "does another stream of this call end it?", True)
            return
        self._progress_at_loss = progress
        self._lose("the server has no session of this call any more: it is created anew")

    def _look_for_answer(self) -> None:
        owed = self._path.owes_answer, self._path.statistics().messages_sent
        if owed[0] and owed == self._owed:
            self._lose(f"the server has not answered a request for {self._settings.ping_secs} s", timed_out=True)
        self._owed = owed

    def _broken(self) -> None:
        error = self._path.socket_error
        if not self._is_up():
            return
        if self.state is LinkState.CLOSING and self._path.owes_answer and not self._path.unsent:
            self._down(CLOSE_ABNORMAL, "the server closed the connection without answering the end", True)
        elif self._path.answers:
            self._reopen()
        else:
            self._lose(os.strerror(error) if error else "the server closed the connection without an answer")

    def _reopen(self) -> None:
        """Connect again: the server closes what is idle, or every connection after one answer."""
        assert self._connection is not None and self._server is not None
        self._connection.close()
        self._reopening = Connector(partial(self._connect_again, self._server), _REOPEN_SECONDS, self._on_reopened)

    def _on_reopened(self, attempt: Connector, outcome: Outcome) -> None:
        self._dispatcher.post(lambda: self._take_reopened(attempt, outcome))

    def _take_reopened(self, attempt: Connector, outcome: Outcome) -> None:
        if attempt is not self._reopening:
            if isinstance(outcome, Connection):
                outcome.abandon()
            return
        self._reopening = None
        if isinstance(outcome, ConnectError):
            self._lose(str(outcome))
        else:
            self._connection = outcome
            self._attach_posts(outcome)

    # Polls.

    def _build_poll(self) -> bytes | None:
        if self._is_full():
            return None
        assert self._server is not None
        self._asked_at = self._dispatcher.now()
        counters = self._path.statistics()
        heard = 1000 * max(0, counters.played - self._heard_before) // RATE
        return self._server.get(stream_path(self._plan.info.uuid) + "/response",
                                self._session.poll(self._settings.poll_ms, heard))

    def _take_poll(self, answer: Answer) -> float | None:
        """Return the seconds until the next poll; None where the answer was a failure that may pass."""
        if not answer.is_success:
            return self._take_poll_failure(answer)
        session, was_at = self._session, self._session.position
        session.was_empty, session.has_more = True, False
        self._listener.take_message(Message(TEXT, answer.body))
        self._polls_answered += 1
        self._position, self.has_more = session.position, session.has_more
        if session.position is not None and was_at is None:
            self._path.number_requests()
        waited = self._dispatcher.now() - self._asked_at
        return _EMPTY_SECONDS if session.was_empty and waited < _EMPTY_SECONDS else 0.0

    def _take_poll_failure(self, answer: Answer) -> float | None:
        if answer.status in (401, 403, 404) or answer.is_redirect:
            self._fail(answer)
        else:
            self._owner.link_refused(f"the server {explain(answer)}", False)
        return None

    def _is_full(self) -> bool:
        """Whether more would perhaps not fit into the playback queue."""
        counters = self._path.statistics()
        free = self._settings.playback_secs - counters.play_waiting / max(1, counters.play_rate)
        return free < min(_FULL_SECONDS, self._settings.playback_secs / 2)

    # The end.

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._timers.cancel("answer")
        if self._polls is not None:
            self._polls.stop()
        assert self._server is not None
        self._path.send(BINARY, self._server.post(end_path(self._plan.info.uuid), b"{}"))

    def _on_end_answer(self, answer: Answer) -> None:
        summary = answer.json.get("summary")
        if answer.is_success and isinstance(summary, dict):
            self.summary = summary
        if answer.is_success or answer.status == 404:
            self._down(CLOSE_NORMAL, "the session has ended", True)
        else:
            self._down(CLOSE_ABNORMAL, f"the server {explain(answer)}", True)

    def _refuse(self, code: int, text: str, for_good: bool = True) -> None:
        """Leave the server without a word: it would not understand, or not obey."""
        if self._is_up():
            self._end = self._end or (code, text, for_good)
            self._owner.link_refused(text, for_good)
            self._down(*self._end)

    def _down(self, code: int, text: str, clean: bool) -> None:
        if self._is_up():
            self.has_more = False
            if self._reopening is not None:
                self._reopening.cancel()
                self._reopening = None
            if self._polls is not None and self.state is LinkState.OPEN:
                self._polls.stop()
        super()._down(code, text, clean)

    def _released(self) -> None:
        self._posts_released = True
        self._release()

    def _take_polls_end(self) -> None:
        self._polls_released = True
        self._release()

    def _release(self) -> None:
        """Both connections have to be over before the stream hears of it."""
        if self._posts_released and self._polls_released:
            super()._released()
