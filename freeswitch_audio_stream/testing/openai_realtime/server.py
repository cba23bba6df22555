"""The local server: it accepts connections as the service does, and can be made to fail as the service does."""

from __future__ import annotations

import http
import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ..peers.server_thread import ServerThread
from .dialects import OPENAI, ServerDialect
from .script import Script
from .session import ServerSession

_BETA_CLOSED = 4000


class _Numbers:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def next(self, name: str) -> int:
        self._counts[name] += 1
        return self._counts[name] - 1


def _query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.path).query)


class RealtimeServer(ServerThread):
    """Runs on a thread of its own, from `start` to `stop`. Listens on a free port of 127.0.0.1."""

    def __init__(self, script: Script | None = None, key: str = "sk-test-0123456789",
                 dialect: ServerDialect = OPENAI) -> None:
        super().__init__("realtime-server")
        self.dialect = dialect
        self.script = script or Script()
        self.key = key
        self.sessions: list[ServerSession] = []
        """All there were, in order."""
        self.closed: list[int] = []
        """The close codes of clients, in order; 1006 for connections that just ended."""
        self.models: list[str] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        """Status and body with which connections are refused; None: they are accepted."""
        self.refused = 0
        self._connections: dict[ServerSession, ServerConnection] = {}
        self._numbers = _Numbers()

    @property
    def url(self) -> str:
        """What a client takes for the base URL."""
        return f"ws://127.0.0.1:{self.port}{self.dialect.path.removesuffix('/realtime')}"

    @property
    def live(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def drop(self, number: int | None = None) -> None:
        """End all connections, or that of one session, without a word, as a network does."""
        def abort() -> None:
            for session, connection in self._connections.items():
                if number is None or session is self.sessions[number]:
                    connection.transport.abort()
        self.call(abort)

    def say_error(self, code: str, text: str, kind: str = "invalid_request_error", close: int | None = None) -> None:
        """Send an error on all connections; with `close` they are closed then."""
        async def say() -> None:
            for session, connection in list(self._connections.items()):
                await session.emit("error", error={"type": kind, "code": code, "message": text, "param": None,
                                                   "event_id": None})
                if close is not None:
                    await connection.close(close)
        self.run(say())

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.refusal is not None:
            status, body = self.refusal
        elif self.key and not self._shows_key(request):
            status, body = 401, {"error": {"type": "invalid_request_error", "code": "invalid_api_key",
                                           "message": "Incorrect API key provided."}}
        elif urlsplit(request.path).path != self.dialect.path or not _query(request).get("model"):
            status, body = 404, {"error": {"type": "invalid_request_error", "code": "model_not_found",
                                           "message": "There is no such model."}}
        else:
            return None
        self.refused += 1
        return connection.respond(http.HTTPStatus(status), json.dumps(body))

    def _shows_key(self, request: Request) -> bool:
        return request.headers.get(self.dialect.key_header) == self.dialect.key_before + self.key

    async def converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        if "OpenAI-Beta" in connection.request.headers:
            await connection.close(_BETA_CLOSED, "the beta is gone")
            return
        model = _query(connection.request)["model"][0]
        self.models.append(model)
        session = ServerSession(connection.send, model, self.script, self._numbers, self.dialect)
        self.sessions.append(session)
        self._connections[session] = connection
        try:
            await session.begin()
            async for message in connection:
                await session.receive(message)
        except ConnectionClosed:
            pass
        finally:
            del self._connections[session]
            await session.end()
            self.closed.append(connection.close_code or 1006)
