"""The routes of the page: its files, which anybody may read, and ``/live``, a stream of events for who has a key."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import AsyncGenerator

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from ....web.live_page.routes import add_files, event_stream
from ..http.answers import Invalid
from ..http.endpoints import Endpoints, check_key, endpoints_of
from .levels import Levels

PERIOD_SECONDS = 0.5
MOST_WATCHERS = 16
MOST_SHOWN = 100
_FOLDER = Path(__file__).parent


def add_page(app: FastAPI) -> None:
    """Serve the page."""
    add_files(app, _FOLDER, "page.html")
    app.state.watchers = set()
    app.add_route("/live", _live, include_in_schema=False)


async def _live(request: Request) -> Response:
    check_key(request)
    await endpoints_of(request).opened()
    watchers: set[object] = request.app.state.watchers
    if len(watchers) >= MOST_WATCHERS:
        raise Invalid(429, {"error": f"{MOST_WATCHERS} pages are open already: close one"})
    return event_stream(_events(endpoints_of(request), watchers))


async def _events(endpoints: Endpoints, watchers: set[object]) -> AsyncGenerator[bytes, None]:
    """A message twice a second, for as long as somebody reads them."""
    sessions = endpoints.ready
    levels = Levels(sessions.store)
    watcher = object()
    watchers.add(watcher)
    try:
        while True:
            newest = sorted(sessions.active.values(), key=lambda session: session.row.created, reverse=True)
            shown = newest[:MOST_SHOWN]
            levels.keep([session.row.id for session in shown])
            told = [{"id": session.row.id, "user": session.row.user, "rate": session.row.rate,
                     "channels": session.row.channels, "seconds": session.seconds, "degraded": session.degraded,
                     "connections": len(session.inputs), "levels": await levels.read(session)} for session in shown]
            yield orjson.dumps({"sessions": told, "more": len(newest) - len(shown)})
            await asyncio.sleep(PERIOD_SECONDS)
    finally:
        watchers.discard(watcher)
