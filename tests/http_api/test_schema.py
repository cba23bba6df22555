"""Requests that the media server's own documentation allows, and others: no 500, nothing undocumented."""

from __future__ import annotations

from typing import Any, Iterator

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis")

from schemathesis import GenerationMode, checks  # noqa: E402

from .harness import TOKEN, Site  # noqa: E402

pytestmark = pytest.mark.slow

OPERATIONS = [("GET", "/v1.0/calls/{call_id}/media_stream"), ("GET", "/v1.0/conferences/{name}/media_stream"),
              ("POST", "/v1.0/calls")]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site(dial_string="sofia/gateway/trunk/{destination}")
    yield site
    site.settle()
    site.close()


@pytest.fixture(scope="module")
def schema(site: Site) -> Any:
    return schemathesis.openapi.from_url(f"http://{site.server.address}/openapi.json")


def test_all_operations_are_tried(schema: Any) -> None:
    assert {(found.ok().method.upper(), found.ok().path) for found in schema.get_all_operations()} == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("method, path", OPERATIONS)
def test_every_answer_is_documented(site: Site, schema: Any, method: str, path: str, mode: GenerationMode) -> None:
    """Streams are asked for without the handshake of a WebSocket; with it, `test_refusals` asks."""
    asked = set()

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
    def ask(case: Any) -> None:
        if len(repr(case.path_parameters) + repr(case.body)) % 4:  # most requests have the token
            case.query = {**(case.query or {}), "token": TOKEN}
            case.headers = {name: value for name, value in (case.headers or {}).items() if name != "Authorization"}
        _go_nowhere(case.body)
        response = case.call()
        site.forgive("127.0.0.1")
        asked.add(response.status_code)
        case.validate_response(response, checks=[
            checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
            checks.response_schema_conformance, checks.response_headers_conformance])
        site.switch.hang_up_all(60)
    ask()
    assert 401 in asked and len(asked) > 1


def _go_nowhere(body: Any) -> None:
    """A call that is made streams to nobody outside of this machine."""
    for action in body.get("actions", []) if isinstance(body, dict) and isinstance(body.get("actions"), list) else []:
        if isinstance(action, dict) and isinstance(action.get("option"), dict) and "url" in action["option"]:
            action["option"]["url"] = "ws://127.0.0.1:9/audio-stream"
