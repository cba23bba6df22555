from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

for _needed in ("fastapi", "fastapi_offline", "uvicorn"):
    pytest.importorskip(_needed)

from ..harness import PATIENCE, Platform, until  # noqa: E402
from .service import RestartedRecorder  # noqa: E402


@pytest.fixture
def recorder(tmp_path: Path, platform: Platform) -> Iterator[RestartedRecorder]:
    """The service, as a process; it runs until all streams have ended, for they would wait for it."""
    service = RestartedRecorder(tmp_path)
    yield service
    platform.switch.hang_up_all(PATIENCE)
    until(lambda: platform.module.registry.execute("list") == "[]")
    service.stop()
