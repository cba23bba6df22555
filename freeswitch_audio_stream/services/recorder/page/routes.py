"""The routes of the page: its files, which anybody may read, and ``/live``, a stream of events for who has a key."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, AsyncIterator, Callable

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response, StreamingResponse

from ..http.answers import Invalid
from ..http.endpoints import Endpoints, check_key, endpoints_of
from .levels import Levels

PERIOD_SECONDS = 0.5
MOST_WATCHERS = 16
MOST_SHOWN = 100
_FOLDER = Path(__file__).parent
_FILES = {"": ("page.html", "text/html"), "page.css": ("page.css", "text/css"),
          "list.js": ("list.js", "text/javascript"), "recording.js": ("recording.js", "text/javascript")}
_HEADERS = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                       "media-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                                       "frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


def add_page(app: FastAPI) -> None:
    """Serve the page."""
    for path, (name, kind) in _FILES.items():
        app.add_route(f"/{path}", _file((_FOLDER / name).read_bytes(), kind), include_in_schema=False)
    app.state.watchers = set()
    app.add_route("/live", _live, include_in_schema=False)


def _file(content: bytes, kind: str) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)
    return answer


async def _live(request: Request) -> Response:
    check_key(request)
    await endpoints_of(request).opened()
    watchers: set[object] = request.app.state.watchers
    if len(watchers) >= MOST_WATCHERS:
        raise Invalid(429, {"error": f"{MOST_WATCHERS} pages are open already: close one"})
    return StreamingResponse(_events(endpoints_of(request), watchers), media_type="text/event-stream",
                             headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _events(endpoints: Endpoints, watchers: set[object]) -> AsyncIterator[bytes]:
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
            yield b"data: " + orjson.dumps({"sessions": told, "more": len(newest) - len(shown)}) + b"\n\n"
            await asyncio.sleep(PERIOD_SECONDS)
    finally:
        watchers.discard(watcher)
