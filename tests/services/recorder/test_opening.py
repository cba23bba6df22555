"""A service that is still taking up what a crash has left has clients wait, and sends none away."""

from __future__ import annotations

import asyncio

import pytest

from freeswitch_audio_stream.services.recorder.http.answers import Invalid
from freeswitch_audio_stream.services.recorder.http.app import make_app
from freeswitch_audio_stream.services.recorder.http.endpoints import Endpoints
from freeswitch_audio_stream.web.keys import Keys


def test_every_request_about_sessions_waits() -> None:
    async def main() -> None:
        endpoints = Endpoints(Keys({}), str, print)
        app, said = make_app(endpoints), []
        scope = {"type": "http", "method": "GET", "path": "/api/audio/sessions/none", "headers": [],
                 "query_string": b"",
                 "client": ("127.0.0.1", 1), "http_version": "1.1", "scheme": "http", "server": ("x", 1)}

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            said.append(message)

        class NoSessions:
            async def find(self, id: str) -> None:
                return None
        request = asyncio.ensure_future(app(scope, receive, send))  # type: ignore[arg-type]
        while not endpoints._waiting:
            assert not request.done()
            await asyncio.sleep(0)
        endpoints.open(NoSessions())  # type: ignore[arg-type]
        await request
        assert said[0]["status"] == 404
    asyncio.run(main())


def test_whoever_comes_early_waits() -> None:
    async def main() -> None:
        endpoints = Endpoints(Keys({}), str, print)
        with pytest.raises(Invalid, match="starting"):
            endpoints.ready
        early = [asyncio.ensure_future(endpoints.opened()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(one.done() for one in early)
        sessions: object = object()
        endpoints.open(sessions)  # type: ignore[arg-type]
        assert await asyncio.gather(*early) == [sessions] * 3 and await endpoints.opened() is sessions
    asyncio.run(main())
