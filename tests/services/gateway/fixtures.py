"""A gateway for tests, here and of streams that talk to one."""

from __future__ import annotations

from typing import Iterator

import pytest

for _needed in ("fastapi", "fastapi_offline", "uvicorn"):
    pytest.importorskip(_needed)

from .harness import Site, use_scripted  # noqa: E402


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A gateway whose agents do what the test has them do."""
    use_scripted(monkeypatch)
    site = Site()
    yield site
    site.close()


@pytest.fixture
def echo() -> Iterator[Site]:
    """A gateway as it is without any settings."""
    site = Site()
    yield site
    site.close()
