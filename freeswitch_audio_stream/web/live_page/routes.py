"""The routes of a page, and the answer that keeps it up to date."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Any, AsyncGenerator, AsyncIterator, Callable

from fastapi import FastAPI, Request
from starlette.responses import Response, StreamingResponse

_SHARED = Path(__file__).parent
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                       "media-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                                       "frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


def add_files(app: FastAPI, folder: Path, page: str) -> None:
    """Serve the file `page` of a folder at ``/``, and its other files and those that pages share at their names."""
    for file in (*folder.iterdir(), *_SHARED.iterdir()):
        if file.suffix in _KINDS:
            app.add_route("/" if file.name == page else f"/{file.name}", _file(file), include_in_schema=False)


def _file(file: Path) -> Callable[[Request], Any]:
    content, kind = file.read_bytes(), _KINDS[file.suffix]

    async def answer(request: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)
    return answer


def event_stream(events: AsyncGenerator[bytes, None]) -> StreamingResponse:
    """Return an answer that goes on for as long as there are events, and somebody reads them; each is its JSON."""
    async def messages() -> AsyncIterator[bytes]:
        async with aclosing(events):
            async for event in events:
                yield b"data: " + event + b"\n\n"
    return StreamingResponse(messages(), media_type="text/event-stream",
                             headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
