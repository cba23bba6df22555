"""What stands behind the routes: who is admitted, and the sessions once they have been taken up."""

from __future__ import annotations

import asyncio
from typing import Callable

from fastapi import Request
from starlette.websockets import WebSocket

from ....web.failure_limit import FailureLimit
from ....web.keys import Keys, bearer
from ..sessions.sessions import Sessions
from ..storage.catalogue import SessionRow
from .answers import Invalid, not_found

_OPENING_SECONDS = 60.0
_MOST_ENCODERS = 4
"""Answers that are encoded at once; more wait."""


class Endpoints:
    """One for a service; on its event loop."""

    def __init__(self, keys: Keys[bool], place: Callable[[str], str],
                 on_fault: Callable[[BaseException], None], tell: Callable[[str], None] = print) -> None:
        """`place` returns where a recording's file will be. `open` comes before the first request."""
        self.sessions: Sessions | None = None
        self.keys = keys
        self.place = place
        self.on_fault = on_fault
        self.tell = tell
        self.encoders = asyncio.Semaphore(_MOST_ENCODERS)
        self.failures = FailureLimit()
        self._waiting: set[asyncio.Future[None]] = set()

    def open(self, sessions: Sessions) -> None:
        """Answer from now on."""
        self.sessions = sessions
        for waiting in self._waiting:
            waiting.set_result(None)

    async def opened(self) -> Sessions:
        """Return the sessions when they have been taken up: whoever is connecting again waits for its own."""
        if self.sessions is None:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await asyncio.wait({waiting}, timeout=_OPENING_SECONDS)
            finally:
                self._waiting.discard(waiting)
        return self.ready

    @property
    def ready(self) -> Sessions:
        """Return the sessions; raise Invalid while recordings are still being taken up."""
        if self.sessions is None:
            raise Invalid(503, {"error": "The service is starting: try again in a moment"})
        return self.sessions

    def admit(self, key: str | None, address: str) -> None:
        """Return if `key` may record and hear; raise Invalid."""
        if not len(self.keys):
            return
        seconds = self.failures.wait_seconds(address)
        if seconds:
            raise Invalid(429, {"error": "Too many wrong API keys", "retry_after_seconds": seconds})
        if not self.keys.find(key or ""):
            self.failures.failed(address)
            raise Invalid(401, {"error": "An API key is needed: send it as Authorization: Bearer, X-API-Key or "
                                         "?api_key="})


def endpoints_of(connection: Request | WebSocket) -> Endpoints:
    endpoints: Endpoints = connection.app.state.endpoints
    return endpoints


def check_key(connection: Request | WebSocket) -> None:
    """Return if whoever has connected may record and hear; raise Invalid."""
    headers = connection.headers
    key = bearer(headers.get("authorization", "")) or headers.get("x-api-key") or connection.query_params.get("api_key")
    endpoints_of(connection).admit(key, connection.client.host if connection.client else "")


async def find_row(request: Request, id: str) -> SessionRow:
    """Return a session as it is now; raise Invalid where there is none."""
    row = await endpoints_of(request).ready.find(id.lower())
    if row is None:
        raise not_found(id)
    return row
