"""The routes of the page: its files, which anybody may read, and ``/live``, a stream of events for who has a key."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, AsyncGenerator, Callable

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from ....web.live_page.routes import add_files, event_stream
from ....web.refusals import Refusal
from ..store.interface import SessionKey, SessionState, SessionStore
from .monitor import Monitor

PERIOD_SECONDS = 0.5
MOST_WATCHERS = 16
_FOLDER = Path(__file__).parent


def add_page(app: FastAPI, store: SessionStore, monitor: Monitor, scope_of: Callable[[Request], str]) -> None:
    """Serve the page. `scope_of` returns whose sessions a request may see, or raises Refusal."""
    add_files(app, _FOLDER, "live.html")

    async def live(request: Request) -> Response:
        scope = scope_of(request)
        if monitor.watchers >= MOST_WATCHERS:
            raise Refusal(429, f"{MOST_WATCHERS} look at live sessions already: close a page", {"Retry-After": "5"})
        return event_stream(_events(store, monitor, scope))
    app.add_route("/live", live, include_in_schema=False)


async def _events(store: SessionStore, monitor: Monitor, scope: str) -> AsyncGenerator[bytes, None]:
    """A message twice a second, for as long as somebody reads them."""
    told: dict[str, int] = {}
    monitor.enter()
    try:
        while not monitor.is_closed:
            states = await store.states(scope)
            ids = {state.opening.call_id for state in states}
            monitor.keep(scope, ids)
            told = {call_id: count for call_id, count in told.items() if call_id in ids}
            sessions = [_shown(state, monitor, scope, told) for state in states]
            yield orjson.dumps({"sessions": sessions})
            await asyncio.sleep(PERIOD_SECONDS)
    finally:
        monitor.leave()


def _shown(state: SessionState, monitor: Monitor, scope: str, told: dict[str, int]) -> dict[str, Any]:
    opening = state.opening
    meters = monitor.read(SessionKey(scope, opening.call_id))
    first, lines = told.get(opening.call_id, 0), state.lines
    told[opening.call_id] = len(lines)
    return {"callId": opening.call_id, "caller": opening.caller_number, "did": opening.did, "agent": opening.agent_ref,
            "seconds": max(0, int(time.time() - state.created_at)), "error": state.error, "first": first,
            "lines": [[line.speaker, line.text] for line in lines[first:]], "callerDb": round(meters.caller_db, 1),
            "agentDb": round(meters.agent_db, 1), "turns": meters.turns}
