"""The routes, as a FastAPI application; ``/docs`` shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.security import APIKeyQuery, HTTPBearer
from starlette.types import Receive, Scope, Send

from .. import __version__
from ..commands import is_conference_name
from ..engine import ClientAttacher, MediaClient, PendingConnection
from ..protocols import ENCAPSULATIONS
from ..transports.target import place
from ..web.documentation import add_documentation
from ..web.keys import bearer
from ..web.refusals import Refusal, answer_errors, documented
from ..web.request_body import read_body
from ..web.worker_lanes import WorkerLane
from .authorisation import Authorisation
from .calls import MAX_BODY_BYTES, CallRequest, Originator, PlacedCalls, read_request
from .conferences import Conferences
from .refusals import check_encapsulation, refusal_of, upgrade_required
from .upgrade import EXTENSION, Upgrade

_DESCRIPTION = """Attach to a live call or conference over WebSocket, and make calls that play what a server of yours
sends.

**The media streams are WebSockets**: connect to them with a `ws://` or `wss://` URL, which this page cannot do for you.
The server answers `101 Switching Protocols`, or refuses with one of the statuses below before anything is upgraded.
Then binary messages carry audio both ways, 8 kHz mono: `rtp` RTP packets of G.711 mu-law, `sln` bare 16-bit
little-endian samples, `audiosocket` the same in pieces of 320 bytes. The server closes with 1000 when the call is over,
and with 1001 when it is being shut down.

**Every request needs a token**: as `token=…` in the query, or as the header `Authorization: Bearer …`. Tokens from the
configuration are good for everything; those of `uuid_audio_stream <uuid> token [seconds]` for one call, those of
`uuid_audio_stream conference <name> token [seconds]` for one conference.
"""


_REFUSALS: Mapping[int, str] = {
    401: "no token, a wrong one, or one that has expired",
    403: "the token is for something else",
    404: "there is no such call or conference",
    409: "the call has no media: it is not answered, or its audio does not pass through FreeSWITCH",
    422: f"the encapsulation is none of {', '.join(ENCAPSULATIONS)}, or the name cannot be that of a conference",
    426: "a plain request: this is a WebSocket",
    429: "too many wrong tokens from this address; Retry-After says when to come back",
    503: "too many clients, or the server is being shut down; Retry-After says when to come back",
}
_CALL_REFUSALS: Mapping[int, str] = {
    401: _REFUSALS[401], 403: "the token is for one call or conference only",
    413: f"the body is longer than {MAX_BODY_BYTES} bytes",
    422: "the body is wrong, a number is no telephone number, or an action is unknown",
    429: _REFUSALS[429], 501: "no dial string is configured", 502: "FreeSWITCH could not make the call; it says why",
    503: "too many calls are ringing",
}


def _responses(refusals: Mapping[int, str], *without: int) -> dict[int | str, dict[str, Any]]:
    return {400: {"description": "no HTTP, or, where a WebSocket was asked for, its handshake is wrong",
                  "content": {"text/plain": {"schema": {"type": "string"}}}},
            **documented({status: text for status, text in refusals.items() if status not in without})}


class Lanes:
    """What may block, by kind: how slow one kind is does not matter to another."""

    def __init__(self, on_fault: Callable[[BaseException], None]) -> None:
        """`on_fault` is told of defects."""
        self.attaching = WorkerLane("attach", 2, on_fault)
        self.joining = WorkerLane("join", 4, on_fault)  # FreeSWITCH makes a leg for it, within 5 s
        self.leaving = WorkerLane("leave", 1, on_fault)
        self.dialling = WorkerLane("begin", 1, on_fault)
        self.ringing = WorkerLane("ring", 8, on_fault)  # waits for up to 3 s

    def stop(self, deadline: float) -> bool:
        """As `WorkerLane.stop`."""
        lanes = (self.attaching, self.joining, self.leaving, self.dialling, self.ringing)
        return all([lane.stop(deadline) for lane in lanes])


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    clients: ClientAttacher
    authorisation: Authorisation
    lanes: Lanes
    conferences: Conferences
    originator: Originator
    on_fault: Callable[[BaseException], None]


class _Upgraded(Response):
    """The answer that is no answer: the connection is given to the engine."""

    def __init__(self, pending: PendingConnection) -> None:
        super().__init__(status_code=101)
        self._pending = pending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upgrade: Upgrade = scope["extensions"][EXTENSION]
        upgrade.accept(self._pending)


def make_app(parts: Parts) -> FastAPI:
    """The application; its documentation is made here too, not when it is asked for.

    The routes are functions of this module, and find the parts in the application: FastAPI remembers functions for the
    life of the process, and with them all that they enclose, which would be every module that has been unloaded.
    """
    app = FastAPI(title="freeswitch_audio_stream media server", version=__version__, description=_DESCRIPTION,
                  docs_url=None, redoc_url=None)
    app.state.parts = parts
    answer_errors(app, parts.on_fault, refusal_of)
    add_documentation(app)
    _add_streams(app)
    _add_calls(app)
    _describe_bodies(app)
    return app


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _describe_bodies(app: FastAPI) -> None:
    """Add what FastAPI does not know of, since it does not read the body, to the document that it keeps."""
    schema = CallRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    app.openapi()["components"]["schemas"].update({**schema.pop("$defs"), CallRequest.__name__: schema})


_TOKEN = (Depends(APIKeyQuery(name="token", auto_error=False, scheme_name="token in the query")),
          Depends(HTTPBearer(auto_error=False, scheme_name="Authorization header")))
"""For the documentation alone; `_token` reads them."""


_ENCAPSULATION = Query(None, description="how audio travels", json_schema_extra={"enum": list(ENCAPSULATIONS)})


def _add_streams(app: FastAPI) -> None:
    options: dict[str, Any] = {"status_code": 101, "response_class": Response, "response_description":
                               "Switching Protocols: a WebSocket from here on", "tags": ["media streams (WebSocket)"],
                               "dependencies": list(_TOKEN)}
    app.get("/v1.0/calls/{call_id}/media_stream", summary="Hear the other party of a call, and speak to it",
            responses=_responses(_REFUSALS), **options)(attach_to_call)
    app.get("/v1.0/conferences/{name}/media_stream", summary="Hear a conference, and speak into it",
            responses=_responses(_REFUSALS, 409), **options)(attach_to_conference)


async def attach_to_call(request: Request, call_id: str = Path(description="the call's UUID"),
                         encapsulation: str | None = _ENCAPSULATION) -> Response:
    parts = _parts(request)
    parts.authorisation.admit_to("call", call_id, _token(request), _address(request))
    _check_upgrade(request)
    protocol = check_encapsulation(encapsulation)
    client = MediaClient(call_id, f"call {call_id}", protocol, _peer(request), _shown(request))
    return _Upgraded(await parts.lanes.attaching.run(parts.clients.attach, client))


async def attach_to_conference(request: Request, name: str = Path(description="the conference's name"),
                               encapsulation: str | None = _ENCAPSULATION) -> Response:
    parts = _parts(request)
    parts.authorisation.admit_to("conference", name, _token(request), _address(request))
    _check_upgrade(request)
    protocol = check_encapsulation(encapsulation)
    if not is_conference_name(name):
        raise Refusal(422, "a conference's name has at most 128 letters, digits and any of _.~-")
    room = f"conference {name}"
    counted = parts.clients.admit(room)  # whoever is one too many costs the switch no leg
    try:
        leg = await parts.lanes.joining.run(parts.conferences.join, name)
    except BaseException:
        counted.leave()
        raise
    client = MediaClient(leg, room, protocol, _peer(request), _shown(request), name,
                         on_left=lambda: parts.lanes.leaving.submit(lambda: parts.conferences.leave(leg)))
    try:
        return _Upgraded(await parts.lanes.attaching.run(parts.clients.attach, client, counted))
    except BaseException:
        parts.lanes.leaving.submit(lambda: parts.conferences.leave(leg))
        raise


_CALL_BODY = {"requestBody": {"required": True, "content": {
    "application/json": {"schema": {"$ref": f"#/components/schemas/{CallRequest.__name__}"}}}}}


def _add_calls(app: FastAPI) -> None:
    # The body is not a parameter: nobody's is read before the token is.
    app.post("/v1.0/calls", summary="Make calls that play what a server of yours sends", status_code=201,
             response_model=PlacedCalls, responses=_responses(_CALL_REFUSALS), tags=["calls"],
             dependencies=list(_TOKEN), openapi_extra=_CALL_BODY)(make_calls)


async def make_calls(request: Request) -> Any:
    parts = _parts(request)
    parts.authorisation.admit_to_all(_token(request), _address(request))
    wanted = read_request(await read_body(request, MAX_BODY_BYTES))
    ringing = await parts.lanes.dialling.run(parts.originator.begin, wanted)
    return await parts.lanes.ringing.run(parts.originator.outcome, ringing)


def _token(request: Request) -> str | None:
    token = bearer(request.headers.get("authorization", ""))
    return request.query_params.get("token") if token is None else token


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _peer(request: Request) -> str:
    return place(request.client.host, request.client.port) if request.client else ""


def _shown(request: Request) -> str:
    """The path alone: the query has the token."""
    return request.url.path


def _check_upgrade(request: Request) -> None:
    if EXTENSION not in request.scope.get("extensions", {}):
        raise upgrade_required()
