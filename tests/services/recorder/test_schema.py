"""Requests that the recorder's own documentation allows, and those that it does not: no 500, no undocumented answer."""

from __future__ import annotations

from typing import Any, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from websockets.sync.client import connect

schemathesis = pytest.importorskip("schemathesis")

from schemathesis import GenerationMode, checks  # noqa: E402

from .service import Recorder  # noqa: E402
from .test_endpoints import answer, close  # noqa: E402

pytestmark = pytest.mark.slow

ONE = "/api/audio/sessions/{session_id}"
OPERATIONS = [("GET", "/api/audio/sessions"), ("GET", ONE), ("POST", f"{ONE}/close"), ("DELETE", ONE),
              ("GET", f"{ONE}/audio"), ("GET", f"{ONE}/waveform"), ("GET", "/health"), ("GET", "/ready"),
              ("GET", "/metrics")]


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"))
    yield recorder
    recorder.stop()


@pytest.fixture(scope="module")
def schema(recorder: Recorder) -> Any:
    return schemathesis.openapi.from_url(f"http://{recorder.address}/openapi.json")


def new_session(recorder: Recorder) -> str:
    with connect(recorder.ws("?sample_rate=8000")) as connection:
        id = str(answer(connection)["session_id"])
        connection.send(bytes(range(200)))
        answer(connection)
        close(connection)
    return id


def test_all_operations_are_tried(schema: Any) -> None:
    assert {(found.ok().method.upper(), found.ok().path) for found in schema.get_all_operations()} == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("method, path", OPERATIONS)
def test_every_answer_is_documented(recorder: Recorder, schema: Any, method: str, path: str,
                                    mode: GenerationMode) -> None:
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and path not in ("/api/audio/sessions", f"{ONE}/audio", f"{ONE}/waveform"):
        assert {parameter.name for parameter in operation.iter_parameters()} <= {"session_id"}
        return  # it takes nothing, or any text, so nothing can be wrong
    there = [new_session(recorder)]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
    def ask(case: Any) -> None:
        if case.path_parameters and len(repr(case.query)) % 4:  # most requests are to a session that is there
            case.path_parameters["session_id"] = there[0]
        case.validate_response(case.call(), checks=[
            checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
            checks.response_schema_conformance, checks.response_headers_conformance])
        if method == "DELETE":
            there[0] = new_session(recorder)
    ask()
