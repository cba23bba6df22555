"""The routes, as a FastAPI application; ``/docs`` shows them.

Audio and polls come thousands of times a second: their bodies are read, checked and answered here, and FastAPI only
documents them.
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Mapping

import orjson
from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.types import Receive, Scope, Send

from ... import __version__
from ...errors import AgentNotFound, AudioStreamError
from ...web.documentation import add_documentation
from ...web.occasionally import Occasionally
from ...web.refusals import RETRY_SECONDS, Refusal, Refused, answer_error, answer_errors, documented, refusal_of
from ...web.request_body import has_gone, read_body
from . import messages
from .agents import Profiles
from .authorisation import Authorisation
from .conversation import Conversations
from .metrics import CONTENT_TYPE, Metrics
from .page.monitor import Monitor
from .page.routes import add_page
from .store.interface import (Heard, Input, Opening, SessionExists, SessionGone, SessionKey, SessionStore, StoreAway,
                              TooManyPolls, TooManySessions, TooMuchAudio)

_DESCRIPTION = """A phone call over plain HTTP: create a session, post what the caller says, poll for what the agent
answers, end the session. Audio is 16-bit linear PCM, little-endian, 16,000 Hz, one channel, in base64."""
_REFUSALS: Mapping[int, str] = {
    401: "no API key, or a wrong one", 404: "there is no such session",
    429: "too much at once; Retry-After says when to come back",
    503: "the gateway is being shut down, or its Redis is away; Retry-After says when to come back",
}


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    store: SessionStore
    conversations: Conversations
    profiles: Profiles
    authorisation: Authorisation
    metrics: Metrics
    monitor: Monitor
    tell: Callable[[str], None]
    on_fault: Callable[[BaseException], None]


def make_app(parts: Parts) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="freeswitch_audio_stream gateway", version=__version__, description=_DESCRIPTION,
                  docs_url=None, redoc_url=None)
    app.state.parts = parts
    app.state.is_draining = False

    away = Occasionally(parts.tell)

    def refuse(error: AudioStreamError) -> Refusal:
        parts.metrics.count("refusals_total")
        if isinstance(error, StoreAway):
            away.tell(f"a request is refused with 503: {error}")
            return Refusal(503, "sessions cannot be reached at present", {"Retry-After": "1"})
        return refusal_of(error)
    answer_errors(app, parts.on_fault, refuse)
    add_documentation(app)
    _add_sessions(app)
    _add_audio(app)
    _add_operation(app)
    add_page(app, parts.store, parts.monitor, parts.authorisation.scope)
    return app


_LONGEST_NUMBER = 20
_SHOWN = 40
_KEY = [Depends(HTTPBearer(auto_error=False, scheme_name="Authorization header")),
        Depends(APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="X-API-Key header"))]
"""For the documentation alone; `Authorisation` reads them."""
_ID: Any = Path(description="the callId that the session was created with", max_length=128)


def _responses(*statuses: int, **more: str) -> dict[int | str, dict[str, Any]]:
    return documented({**{status: _REFUSALS[status] for status in statuses},
                       **{int(name[1:]): text for name, text in more.items()}})


def _body(model: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


def _add_sessions(app: FastAPI) -> None:
    options: dict[str, Any] = {"tags": ["sessions"], "dependencies": _KEY, "response_model_exclude_unset": True}
    app.post("/api/voice/session/create", summary="Create a session", response_model=messages.SessionCreated,
             openapi_extra=_body(messages.CreateSession), responses=_responses(
                 401, 429, 503, s400="the body is no JSON", s403="the key is another tenant's",
                 s409="the call has a session of another tenant", s413="the body is longer than 10 MiB",
                 s422="something in the body is wrong, or, with strict-agents, there is no such agent"),
             **options)(create_session)
    app.post("/api/voice/session/{call_id}/end", summary="End a session", response_model=messages.SessionEnded,
             responses=_responses(401, 404, 429, 503), **options)(end_session)
    app.get("/api/voice/session/{call_id}", summary="What a session is at present",
            response_model=messages.SessionInfo, responses=_responses(401, 404, 429, 503), **options)(get_session)
    app.get("/api/voice/sessions", summary="All sessions", response_model=messages.Sessions,
            responses=_responses(401, 429, 503), **options)(get_sessions)


def _add_audio(app: FastAPI) -> None:
    options: dict[str, Any] = {"tags": ["audio"], "dependencies": _KEY}
    refused = {"model": messages.StreamRefused}
    app.post("/api/voice/stream/{call_id}", summary="Send what the caller says", response_model=messages.Streamed,
             openapi_extra=_body(messages.PostAudio), responses={
                 **_responses(401, 429, 503, s413="the body is longer than 10 MiB",
                              s422="something in the body is wrong", s500="the agent has failed"),
                 400: {**refused, "description": "the audio cannot be used, or the body is no JSON",
                       "model": messages.StreamRefused | Refused},
                 404: {**refused, "description": _REFUSALS[404]}}, **options)(post_audio)
    app.get("/api/voice/stream/{call_id}/response", summary="Wait for what the agent says",
            response_model=messages.AgentAnswer, responses=_responses(
                401, 404, 429, 503, s422="a number in the query is wrong", s500="the agent has failed"),
            **options)(poll)


async def _post_audio(request: Request) -> Response:
    return await post_audio(request, request.path_params["call_id"])


async def _poll(request: Request) -> Response:
    timeout = _number(request, "timeout", messages.MAX_TIMEOUT_MS)
    return await poll(request, request.path_params["call_id"],
                      messages.DEFAULT_TIMEOUT_MS if timeout is None else timeout,
                      _number(request, "heard", 1 << 40), _number(request, "received", 1 << 53))


class HotPath:
    """The application, with a short cut to what comes thousands of times a second.

    FastAPI's middleware, routing and dependencies cost more than the rest of such a request.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _HOT.fullmatch(scope["path"]) if scope["type"] == "http" else None
        answer = _SHORT_CUTS.get((scope["method"], bool(found[2]))) if found else None
        if found is None or answer is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["path_params"] = self._app, {"call_id": found[1]}
        request = Request(scope, receive)
        try:
            response = await answer(request)
        except Exception as error:
            response = await answer_error(request, error)
        await response(scope, receive, send)


_HOT = re.compile(r"/api/voice/stream/([^/]+)(/response)?")
_SHORT_CUTS: Mapping[tuple[str, bool], Callable[[Request], Awaitable[Response]]] = {
    ("POST", False): _post_audio, ("GET", True): _poll}


def _number(request: Request, name: str, most: int) -> int | None:
    """Return a number of the query, None where it is not there; raise Refusal (422) where it is none."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER and int(text) <= most):
        raise Refusal(422, f"{name} in the query is a number from 0 to {most}, and not {text[:_SHOWN]!r}")
    return int(text)


def _add_operation(app: FastAPI) -> None:
    app.get("/health", summary="Whether the process works", tags=["operation"])(health)
    app.get("/ready", summary="Whether new sessions are accepted", tags=["operation"],
            responses=_responses(503))(ready)
    app.get("/metrics", summary="Counts, in Prometheus' text format", tags=["operation"],
            response_class=Response)(metrics)


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _not_found() -> Refusal:
    return Refusal(404, "there is no such session: it was not created, has ended, or was idle for too long")


def _too_many(text: str) -> Refusal:
    return Refusal(429, text, {"Retry-After": "1"})


def _shutting_down() -> Refusal:
    return Refusal(503, "the gateway is being shut down", {"Retry-After": str(RETRY_SECONDS)})


async def create_session(request: Request) -> Response:
    parts = _parts(request)
    scope = parts.authorisation.scope(request)
    asked: messages.CreateSession = messages.read_model(
        messages.CreateSession, await read_body(request, messages.MAX_BODY_BYTES))
    if scope and asked.tenantId not in ("", scope):
        raise Refusal(403, "the API key is another tenant's than tenantId: leave tenantId out, or use the tenant's key")
    key = SessionKey(scope, asked.callId)
    if request.app.state.is_draining:
        raise _shutting_down()
    try:
        choice = parts.profiles.choose(asked.aiAgentRef)
    except AgentNotFound as error:
        raise Refusal(422, str(error)) from error
    opening = Opening(asked.callId, asked.tenantId or scope, asked.storeId, asked.did, asked.callerNumber,
                      asked.aiAgentRef, choice.remark)
    try:
        is_new = await parts.store.create(key, opening)
    except SessionExists as error:
        raise Refusal(409, "the call has a session of another tenant already: use another callId") from error
    except TooManySessions as error:
        raise _too_many(str(error)) from error
    if is_new:
        parts.metrics.count("sessions_created_total")
        if choice.remark:
            parts.tell(f"call {asked.callId}: {choice.remark}")
    return _json({"sessionId": asked.callId, "status": "created" if is_new else "existing"})


async def post_audio(request: Request, call_id: str = _ID) -> Response:
    parts = _parts(request)
    key = SessionKey(parts.authorisation.scope(request), call_id)
    text, heard, sequence = messages.read_post(await read_body(request, messages.MAX_BODY_BYTES))
    try:
        audio = messages.read_audio(text)
    except ValueError as error:
        return _stream_refused(parts, 400, "invalid_audio", str(error))
    inputs: list[Input] = [audio] if heard is None else [Heard(heard, False), audio]
    try:
        error_text = await parts.store.post(key, inputs, sequence)
    except SessionGone:
        return _stream_refused(parts, 404, "session_not_found", str(_not_found()))
    except TooMuchAudio as error:
        raise _too_many("more of the caller's audio waits for the agent than may: send no faster than it is said"
                        ) from error
    if error_text:
        raise Refusal(500, f"the agent has failed: {error_text}")
    parts.monitor.posted(key, audio)
    parts.metrics.count("chunks_total")
    parts.metrics.count("received_audio_bytes_total", len(audio))
    return Response(b'{"status":"streamed"}', media_type="application/json")


def _stream_refused(parts: Parts, status: int, word: str, detail: str) -> Response:
    parts.metrics.count("refusals_total")
    return _json({"status": word, "detail": detail}, status)


async def poll(request: Request, call_id: str = _ID, timeout: int = Query(
        messages.DEFAULT_TIMEOUT_MS, ge=0, le=messages.MAX_TIMEOUT_MS, description="ms to wait, at most"),
        heard: int | None = Query(None, ge=0, le=1 << 40, description="ms of the session's audio that the caller has "
                                  "heard so far, without what was cleared"),
        received: int | None = Query(None, ge=0, le=1 << 53, description="the position of the last answer that has "
                                     "arrived, 0 at first: an answer that was lost comes again")) -> Response:
    parts = _parts(request)
    key = SessionKey(parts.authorisation.scope(request), call_id)

    async def is_wanted() -> bool:
        return not has_gone(request)
    try:
        taken = await parts.store.take(key, timeout / 1000, heard, received, is_wanted)
    except SessionGone as error:
        raise _not_found() from error
    except TooManyPolls as error:
        raise _too_many("too many polls of this session wait: one at a time is enough") from error
    if taken.error:
        raise Refusal(500, f"the agent has failed: {taken.error}")
    answer: dict[str, Any] = {"audio": base64.b64encode(taken.audio).decode(), "transcript": taken.transcript,
                              "hasMore": taken.has_more}
    if taken.clear:
        answer["clear"] = True
        parts.metrics.count("clears_total")
    if received is not None:
        answer["position"] = taken.position
    parts.monitor.polled(key, taken.audio)
    parts.metrics.count("sent_audio_bytes_total", len(taken.audio))
    return _json(answer)


async def end_session(request: Request, call_id: str = _ID) -> Response:
    parts = _parts(request)
    try:
        state = await parts.store.end(SessionKey(parts.authorisation.scope(request), call_id))
    except SessionGone as error:
        raise _not_found() from error
    parts.metrics.count("sessions_ended_total")
    return _json({"status": "ended", "summary": messages.summary(state, time.time())})


async def get_session(request: Request, call_id: str = _ID) -> Response:
    parts = _parts(request)
    try:
        return _json(messages.info(await parts.store.state(SessionKey(parts.authorisation.scope(request), call_id))))
    except SessionGone as error:
        raise _not_found() from error


async def get_sessions(request: Request) -> Response:
    parts = _parts(request)
    states = await parts.store.states(parts.authorisation.scope(request))
    return _json({"sessions": [messages.info(state) for state in states], "count": len(states)})


async def health(request: Request) -> dict[str, str]:
    return {"status": "ok", "version": __version__}


async def ready(request: Request) -> dict[str, str]:
    if request.app.state.is_draining:
        raise _shutting_down()
    await _parts(request).store.check()
    return {"status": "ready"}


async def metrics(request: Request) -> Response:
    parts = _parts(request)
    gauges = {**parts.store.figures, "agents_running": len(parts.conversations)}
    return Response(parts.metrics.text(gauges), media_type=CONTENT_TYPE)
