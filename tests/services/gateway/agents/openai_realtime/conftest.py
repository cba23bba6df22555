from __future__ import annotations

import json
from contextlib import contextmanager
from typing import Any, Callable, ContextManager, Iterator

import pytest

for _needed in ("fastapi", "fastapi_offline", "uvicorn", "websockets", "openai"):
    pytest.importorskip(_needed)

from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Script  # noqa: E402
from tests.services.gateway.harness import Site  # noqa: E402

KEY = "sk-test-0123456789"
MakeSite = Callable[..., ContextManager[Site]]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def service(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealtimeServer]:
    """The local service. Whatever a test does, all that was said in both directions was right."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with RealtimeServer(script, KEY) as server:
        yield server
        assert [fault for session in server.sessions for fault in session.invalid] == []


@pytest.fixture
def make_site(service: RealtimeServer) -> MakeSite:
    """Makes a gateway with one profile of this agent, which has these options."""
    @contextmanager
    def make(**options: Any) -> Iterator[Site]:
        profile = {"agent": "openai-realtime", "base_url": service.url, **options}
        site = Site(agents=json.dumps({"care": profile}))
        try:
            yield site
        finally:
            site.close()
    return make
