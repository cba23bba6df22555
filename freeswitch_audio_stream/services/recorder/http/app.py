"""The application: routes, keys, and what is refused; ``/docs`` shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket

from .... import __version__
from ....errors import AudioStreamError
from ....web.documentation import add_documentation
from ..sessions.sessions import Sessions
from ..storage.catalogue import SessionFilter, SessionRow, Status
from ..storage.interface import Interrupted
from .answers import Failed, Invalid, SessionInfo, session_info
from .audio import add_audio
from .endpoints import Endpoints, check_key, endpoints_of, find_row
from .metrics import CONTENT_TYPE, metrics
from .websocket import POLICY, refuse, serve_existing, serve_new

_DESCRIPTION = """Record audio over WebSocket: `ws://…/api/ws/audio` begins a session, and
`ws://…/api/ws/audio/{session_id}` continues one. Binary messages are audio, WAV or raw 16-bit samples; each is answered
when it is on disk.
"""


class Closed(SessionInfo):
    """A session that is closed."""

    success: bool
    message: str


class Page(BaseModel):
    """Some of the sessions, the newest first."""

    sessions: list[SessionInfo]
    total: int
    limit: int
    offset: int


def make_app(endpoints: Endpoints) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="freeswitch_audio_stream recorder", version=__version__, description=_DESCRIPTION,
                  docs_url=None, redoc_url=None)
    app.state.endpoints = endpoints
    for kind in (Invalid, AudioStreamError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer_error)
    add_documentation(app)
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Failed, "description": text} for status, text in (
            (401, "no API key, or a wrong one"), (404, "there is no such session"), (422, "a parameter is wrong"),
            (429, "too many wrong API keys"), (500, "the storage has failed"),
            (503, "the service is starting, or its storage is away"))}
    options: dict[str, Any] = {"dependencies": [Depends(_admit)], "responses": refusals, "tags": ["sessions"]}
    one = "/api/audio/sessions/{session_id}"
    app.get("/api/audio/sessions", summary="List sessions", response_model=Page, **options)(list_sessions)
    app.get(one, summary="Get session information", response_model=SessionInfo, **options)(get_session)
    app.post(f"{one}/close", summary="Close session", response_model=Closed, **options)(close_session)
    app.delete(one, summary="Delete a session and its recording", status_code=204, **options)(delete_session)
    add_audio(app, one, options)
    app.get("/health", tags=["service"], summary="Whether the service runs")(health)
    app.get("/ready", tags=["service"], summary="Whether it takes sessions", responses={503: refusals[503]})(ready)
    app.get("/metrics", tags=["service"], response_class=PlainTextResponse, summary="Metrics for Prometheus",
            responses={503: refusals[503]})(get_metrics)
    app.add_api_websocket_route("/api/ws/audio", _new)
    app.add_api_websocket_route("/api/ws/audio/{session_id}", _existing)
    return app


async def _admit(request: Request) -> None:
    check_key(request)
    await endpoints_of(request).opened()


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, Invalid):
        return JSONResponse(error.body, error.status)
    if isinstance(error, RequestValidationError):
        return JSONResponse({"error": "Invalid request parameters", "parameters": sorted(
            {str(wrong["loc"][-1]) for wrong in error.errors()})}, 422)
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, AudioStreamError):
        return JSONResponse({"error": str(error)}, 503 if isinstance(error, Interrupted) else 500)
    endpoints_of(request).on_fault(error)
    return JSONResponse({"error": "Internal server error: the log of the service tells more"}, 500)


async def _socket(socket: WebSocket) -> Sessions | None:
    try:
        check_key(socket)
        return await endpoints_of(socket).opened()
    except Invalid as error:
        await refuse(socket, POLICY, error.body)
        return None


async def _new(socket: WebSocket) -> None:
    sessions = await _socket(socket)
    if sessions is not None:
        await serve_new(socket, sessions)


async def _existing(socket: WebSocket) -> None:
    sessions = await _socket(socket)
    if sessions is not None:
        await serve_existing(socket, sessions, str(socket.path_params["session_id"]))


async def list_sessions(request: Request, user_id: Optional[str] = Query(None, max_length=256),
                        status: Optional[Status] = None,
                        since: Optional[datetime] = Query(None, description="created then or later"),
                        before: Optional[datetime] = Query(None, description="created before then"),
                        limit: int = Query(50, ge=1, le=1000), offset: int = Query(0, ge=0, le=1 << 40)) -> Any:
    endpoints = endpoints_of(request)
    which = SessionFilter(user_id, status, since.timestamp() if since else None, before.timestamp() if before else None)
    rows, total = await endpoints.ready.catalogue.find(which, limit, offset)
    return {"sessions": [await _info(endpoints, row) for row in rows], "total": total, "limit": limit, "offset": offset}


async def _info(endpoints: Endpoints, row: SessionRow) -> dict[str, Any]:
    session = endpoints.ready.active.get(row.id)
    return session_info(session.current() if session else row, endpoints.place(row.id),
                        len(session.inputs) if session else 0)


async def get_session(request: Request, session_id: str) -> Any:
    return await _info(endpoints_of(request), await find_row(request, session_id))


async def close_session(request: Request, session_id: str) -> Any:
    row, endpoints = await find_row(request, session_id), endpoints_of(request)
    session = await endpoints.ready.take(row.id)
    if session is not None:
        row = await endpoints.ready.close(session)
    return {**session_info(row, endpoints.place(row.id)), "success": row.status is Status.COMPLETED,
            "message": "Session closed" if row.status is Status.COMPLETED else row.error}


async def delete_session(request: Request, session_id: str) -> Response:
    row = await find_row(request, session_id)
    await endpoints_of(request).ready.delete(row.id)
    return Response(status_code=204)


async def health() -> dict[str, str]:
    return {"status": "ok"}


async def ready(request: Request) -> dict[str, str]:
    assert endpoints_of(request).ready
    return {"status": "ready"}


async def get_metrics(request: Request) -> Response:
    return PlainTextResponse(metrics(endpoints_of(request).ready), media_type=CONTENT_TYPE)
