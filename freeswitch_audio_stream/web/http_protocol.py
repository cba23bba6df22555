"""uvicorn's HTTP/1.1, with a deadline for everything that is the client's turn.

uvicorn itself waits without end for the rest of a request, for its body, and for a client that does not read. Here a
connection is either worked for, or its deadline runs: from its acceptance (a TLS handshake included) until the first
request is there as a whole; from the first byte of any other; while a client does not read an answer; and from the end
of an answer, after which uvicorn closes a connection that stays silent.
"""

from __future__ import annotations

from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .deadline import Deadline

REQUEST_SECONDS = 10.0
"""Within which a request has to come, as a whole."""


class _Parser(h11.Connection):
    """h11's, whose errors lead nowhere: frames of its own refer to them, and to the whole connection."""

    def next_event(self) -> Any:
        try:
            return super().next_event()
        except h11.RemoteProtocolError as error:
            raise error.with_traceback(None)


class HttpProtocol(H11Protocol):
    """One connection. It is made when the connection is accepted, and begins when its TLS handshake is done."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.conn = _Parser(h11.SERVER)
        self._deadline = Deadline()
        self._accepted_at = self.loop.time()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline.start(transport, REQUEST_SECONDS - (self.loop.time() - self._accepted_at))

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._let_go()

    def data_received(self, data: bytes) -> None:
        if self._is_between_requests:
            self._deadline.start(self.transport, REQUEST_SECONDS)
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        if event.http_version < b"1.1":  # which the other protocol is not told: RFC 6455 section 4.1 asks for 1.1
            self.send_400_response("a WebSocket is asked for by GET and HTTP/1.1")
            return
        super().handle_websocket_upgrade(event)
        self._let_go()
        early, _ = self.conn.trailing_data
        if early:  # nothing is lost that comes right behind the request
            self.transport.get_protocol().data_received(early)  # type: ignore[attr-defined]

    @property
    def _is_between_requests(self) -> bool:
        return (self.cycle is not None and self.cycle.response_complete and self.conn.their_state is h11.IDLE
                and not self.conn.trailing_data[0])

    @property
    def _is_worked_for(self) -> bool:
        return (self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
                and not self.flow.write_paused)

    def _watch(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # a WebSocket was asked for
        if self._is_worked_for:
            self._deadline.stop()
        elif not self._deadline.is_running and self in self.connections:
            self._deadline.start(self.transport, REQUEST_SECONDS)

    def _let_go(self) -> None:
        """Part from what refers to us and we to it, or it would all be left for the garbage collector."""
        self._deadline.stop()
        if self.timeout_keep_alive_task is not None:  # uvicorn leaves it where a connection breaks
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
