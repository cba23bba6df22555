"""A service that is still taking up what a crash has left has clients wait, and sends none away."""

from __future__ import annotations

import asyncio

import pytest

from freeswitch_audio_stream.services.recorder.http.answers import Invalid
from freeswitch_audio_stream.services.recorder.http.app import Endpoints
from freeswitch_audio_stream.web.keys import Keys


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
