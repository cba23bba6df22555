"""The application: routes, keys, and what is refused; ``/docs`` shows it."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import Any, AsyncIterator, Callable, Optional

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.websockets import WebSocket

from .... import __version__
from ....errors import AudioStreamError
from ....web.documentation import add_documentation
from ....web.failure_limit import FailureLimit
from ....web.keys import Keys, bearer
from ..sessions.sessions import Sessions
from ..storage.catalogue import SessionFilter, SessionRow, Status
from ..storage.interface import Recording, UnknownRecording
from ..storage.wav import HEADER_BYTES, write_header
from .answers import Invalid, SessionInfo, not_found, session_info
from .metrics import CONTENT_TYPE, metrics
from .websocket import POLICY, refuse, serve_existing, serve_new

_PIECE_BYTES = 1 << 18
_OPENING_SECONDS = 60.0
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_DESCRIPTION = """Record audio over WebSocket: `ws://…/api/ws/audio` begins a session, and
`ws://…/api/ws/audio/{session_id}` continues one. Binary messages are audio, WAV or raw 16-bit samples; each is answered
when it is on disk.
"""


class Failed(BaseModel):
    """Every refusal has an error; some have more."""

    error: str


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


class Endpoints:
    """What stands behind the routes."""

    def __init__(self, keys: Keys[bool], place: Callable[[str], str],
                 on_fault: Callable[[BaseException], None]) -> None:
        """`place` returns where a recording's file will be. `open` comes before the first request."""
        self.sessions: Sessions | None = None
        self.keys = keys
        self.place = place
        self.on_fault = on_fault
        self.failures = FailureLimit()
        self._waiting: set[asyncio.Future[None]] = set()

    def open(self, sessions: Sessions) -> None:
        """Answer from now on. On the event loop."""
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
            (429, "too many wrong API keys"), (500, "the storage has failed"), (503, "the service is starting"))}
    options: dict[str, Any] = {"dependencies": [Depends(_admit)], "responses": refusals, "tags": ["sessions"]}
    one = "/api/audio/sessions/{session_id}"
    app.get("/api/audio/sessions", summary="List sessions", response_model=Page, **options)(list_sessions)
    app.get(one, summary="Get session information", response_model=SessionInfo, **options)(get_session)
    app.post(f"{one}/close", summary="Close session", response_model=Closed, **options)(close_session)
    app.delete(one, summary="Delete a session and its recording", status_code=204, **options)(delete_session)
    app.get(f"{one}/audio", summary="Hear a recording, also while it is being made", response_class=Response,
            **{**options, "responses": {**refusals, 200: {"content": {"audio/wav": {}}}, 206: {
                "content": {"audio/wav": {}}}, 416: {"model": Failed, "description": "the range is behind the end"}}}
            )(get_audio)
    app.get("/health", tags=["service"], summary="Whether the service runs")(health)
    app.get("/ready", tags=["service"], summary="Whether it takes sessions", responses={503: refusals[503]})(ready)
    app.get("/metrics", tags=["service"], response_class=PlainTextResponse, summary="Metrics for Prometheus",
            responses={503: refusals[503]})(get_metrics)
    app.add_api_websocket_route("/api/ws/audio", _new)
    app.add_api_websocket_route("/api/ws/audio/{session_id}", _existing)
    return app


def _endpoints(connection: Request | WebSocket) -> Endpoints:
    endpoints: Endpoints = connection.app.state.endpoints
    return endpoints


async def _admit(request: Request) -> None:
    _check_key(request)
    await _endpoints(request).opened()


def _check_key(connection: Request | WebSocket) -> None:
    headers = connection.headers
    key = bearer(headers.get("authorization", "")) or headers.get("x-api-key") or connection.query_params.get("api_key")
    _endpoints(connection).admit(key, connection.client.host if connection.client else "")


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, Invalid):
        return JSONResponse(error.body, error.status)
    if isinstance(error, RequestValidationError):
        return JSONResponse({"error": "Invalid request parameters", "parameters": sorted(
            {str(wrong["loc"][-1]) for wrong in error.errors()})}, 422)
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, AudioStreamError):
        return JSONResponse({"error": str(error)}, 500)
    _endpoints(request).on_fault(error)
    return JSONResponse({"error": "Internal server error: the log of the service tells more"}, 500)


async def _socket(socket: WebSocket) -> Sessions | None:
    try:
        _check_key(socket)
        return await _endpoints(socket).opened()
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
    endpoints = _endpoints(request)
    which = SessionFilter(user_id, status, since.timestamp() if since else None, before.timestamp() if before else None)
    rows, total = await endpoints.ready.catalogue.find(which, limit, offset)
    return {"sessions": [await _info(endpoints, row) for row in rows], "total": total, "limit": limit, "offset": offset}


async def _info(endpoints: Endpoints, row: SessionRow) -> dict[str, Any]:
    session = endpoints.ready.active.get(row.id)
    return session_info(session.current() if session else row, endpoints.place(row.id),
                        len(session.inputs) if session else 0)


async def _find(request: Request, id: str) -> SessionRow:
    row = await _endpoints(request).ready.find(id.lower())
    if row is None:
        raise not_found(id)
    return row


async def get_session(request: Request, session_id: str) -> Any:
    return await _info(_endpoints(request), await _find(request, session_id))


async def close_session(request: Request, session_id: str) -> Any:
    row, endpoints = await _find(request, session_id), _endpoints(request)
    session = endpoints.ready.active.get(row.id)
    if session is not None:
        row = await endpoints.ready.close(session)
    return {**session_info(row, endpoints.place(row.id)), "success": row.status is Status.COMPLETED,
            "message": "Session closed" if row.status is Status.COMPLETED else row.error}


async def delete_session(request: Request, session_id: str) -> Response:
    row = await _find(request, session_id)
    await _endpoints(request).ready.delete(row.id)
    return Response(status_code=204)


async def get_audio(request: Request, session_id: str) -> Response:
    row = await _find(request, session_id)
    sessions = _endpoints(request).ready
    audio = row.audio_bytes - row.audio_bytes % Recording(row.id, row.rate, row.channels).frame_bytes
    size = HEADER_BYTES + audio
    begin, end, status = 0, size, 200
    headers = {"Accept-Ranges": "bytes", "Content-Disposition": f'inline; filename="{row.id}.wav"'}
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match and any(match.groups()):
        begin, end = _range(match[1], match[2], size)
        status, headers["Content-Range"] = 206, f"bytes {begin}-{end - 1}/{size}"
        if begin >= end:
            return JSONResponse({"error": "The range is behind the end", "size": size}, 416,
                                {"Content-Range": f"bytes */{size}"})
    try:
        await sessions.store.read(row.id, 0, 1)
    except UnknownRecording as error:
        raise not_found(session_id) from error
    headers["Content-Length"] = str(end - begin)
    header = write_header(row.rate, row.channels, audio)
    return StreamingResponse(_pieces(sessions, row.id, header, begin, end), status, headers, "audio/wav")


def _range(first: str, last: str, size: int) -> tuple[int, int]:
    """Begin and end of a range (RFC 9110 section 14.1.2)."""
    if not first:
        return max(0, size - int(last[:20])), size
    return int(first[:20]), min(size, int(last[:20]) + 1) if last else size


async def _pieces(sessions: Sessions, id: str, header: bytes, begin: int, end: int) -> AsyncIterator[bytes]:
    if begin < HEADER_BYTES:
        yield header[begin:end]
        begin = HEADER_BYTES
    while begin < end:
        piece = await sessions.store.read(id, begin - HEADER_BYTES, min(_PIECE_BYTES, end - begin))
        if not piece:
            return  # it has been deleted meanwhile
        yield piece
        begin += len(piece)


async def health() -> dict[str, str]:
    return {"status": "ok"}


async def ready(request: Request) -> dict[str, str]:
    assert _endpoints(request).ready
    return {"status": "ready"}


async def get_metrics(request: Request) -> Response:
    return PlainTextResponse(metrics(_endpoints(request).ready), media_type=CONTENT_TYPE)
