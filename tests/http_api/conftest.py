from __future__ import annotations

from typing import Iterator

import pytest

from .harness import Site

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("jwt")


@pytest.fixture(scope="session")
def running_site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    """A switch with the module and its media server; no call and no client of another test is on it."""
    yield running_site
    running_site.settle()
