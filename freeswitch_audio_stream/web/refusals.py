"""What a client is refused with: an HTTP status, headers, and a sentence in JSON, ``{"detail": "…"}``."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from ..errors import AudioStreamError, CapacityRefused

RETRY_SECONDS = 5
"""When to come back after there was no room."""


class Refused(BaseModel):
    """Every refusal has this body."""

    detail: str


class Refusal(AudioStreamError):
    """Raised to answer a request with `status` and this text."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = dict(headers or {})


def refusal_of(error: AudioStreamError) -> Refusal:
    """Return the refusal that says what `error` says, where an application knows nothing better."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, CapacityRefused):
        return Refusal(503, str(error), {"Retry-After": str(RETRY_SECONDS)})
    return Refusal(500, str(error))


def too_many_failures(seconds: int, what: str) -> Refusal:
    """Return the refusal of an address that has sent too many wrong ones of `what`, such as "tokens"."""
    return Refusal(429, f"too many wrong {what} have come from this address: try again in {seconds} s",
                   {"Retry-After": str(seconds)})


def answer_errors(app: FastAPI, on_fault: Callable[[BaseException], None],
                  refusal_of: Callable[[AudioStreamError], Refusal] = refusal_of) -> None:
    """Answer with a refusal whatever a route raises: an AudioStreamError by `refusal_of`, anything else with 500.

    `on_fault` is told of the latter, which are defects.
    """
    app.state.refusal_of = refusal_of
    app.state.on_fault = on_fault
    app.add_exception_handler(AudioStreamError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)
    app.add_exception_handler(Exception, _fail)


async def answer_error(request: Request, error: Exception) -> Response:
    """Return what `answer_errors` has an application answer, for who does without its middleware."""
    return await (_refuse if isinstance(error, AudioStreamError) else _fail)(request, error)


async def _refuse(request: Request, error: Exception) -> Response:
    refusal: Refusal = request.app.state.refusal_of(error)
    return JSONResponse({"detail": str(refusal)}, refusal.status, refusal.headers)


async def _refuse_parameters(request: Request, error: Exception) -> Response:
    """What FastAPI finds wrong in a path or a query, as a sentence like any other refusal."""
    assert isinstance(error, RequestValidationError)
    faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()[:5])
    return await _refuse(request, Refusal(422, f"a parameter cannot be used: {faults}"))


async def _fail(request: Request, error: Exception) -> Response:
    request.app.state.on_fault(error)
    return JSONResponse({"detail": "a defect of this server, which its log tells of"}, 500)


def documented(refusals: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route's refusals: what each status means there."""
    return {status: {"description": text, "model": Refused} for status, text in refusals.items()}
