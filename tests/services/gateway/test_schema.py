"""Requests that the gateway's own documentation allows, and those that it does not: no 500, no undocumented answer."""

from __future__ import annotations

import base64
from typing import Any, Iterator

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis")

from schemathesis import GenerationMode, checks  # noqa: E402

from .harness import Site  # noqa: E402

pytestmark = pytest.mark.slow

OPERATIONS = [("POST", "/api/voice/session/create"), ("POST", "/api/voice/stream/{call_id}"),
              ("GET", "/api/voice/stream/{call_id}/response"), ("POST", "/api/voice/session/{call_id}/end"),
              ("GET", "/api/voice/session/{call_id}"), ("GET", "/api/voice/sessions"), ("GET", "/health"),
              ("GET", "/ready"), ("GET", "/metrics")]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site(max_sessions=50, max_connections=200)
    yield site
    site.close()


@pytest.fixture(scope="module")
def schema(site: Site) -> Any:
    return schemathesis.openapi.from_url(f"{site.gateway.url}/openapi.json")


def test_all_operations_are_tried(schema: Any) -> None:
    assert {(found.ok().method.upper(), found.ok().path) for found in schema.get_all_operations()} == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("method, path", OPERATIONS)
def test_every_answer_is_documented(site: Site, schema: Any, method: str, path: str, mode: GenerationMode) -> None:
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and not (list(operation.iter_parameters()) or operation.body):
        assert path in ("/health", "/ready", "/metrics", "/api/voice/sessions")
        return  # it takes nothing, so nothing can be wrong

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        site.create("there")
        _find_the_session(case)
        case.validate_response(case.call(), checks=[
            checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
            checks.response_schema_conformance, checks.response_headers_conformance])
    ask()


def _find_the_session(case: Any) -> None:
    """Every other request is one to a session that is there, and every other text of audio is base64."""
    if case.path_parameters and "call_id" in case.path_parameters and len(repr(case.body) + repr(case.query)) % 2:
        case.path_parameters["call_id"] = "there"
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("audio"), str) and len(body["audio"]) % 2:
        body["audio"] = base64.b64encode(body["audio"].encode("utf-16-le", "surrogatepass")).decode()
    if case.path.endswith("/response"):  # nobody speaks: a poll would wait for all of its time, 5 s where it says none
        query = case.query if isinstance(case.query, dict) else {}
        waits = str(query.get("timeout", 5000))
        if waits.isdigit() and int(waits) <= 60_000:
            case.query = {**query, "timeout": 20}
