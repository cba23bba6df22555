from __future__ import annotations

from typing import Iterator

import pytest

for _needed in ("fastapi", "fastapi_offline", "uvicorn"):
    pytest.importorskip(_needed)

from tests.engine.harness import PATIENCE  # noqa: E402

from .program import Program  # noqa: E402


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    program.server.start()
    yield program
    assert program.server.stop(PATIENCE) and program.faults == []
