"""The clients of the media server that the documentation shows, as they stand there; only its address is put in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from tests.engine.harness import find, noise, until
from tests.programs import has_said, running

from .pages import prepared, prepared_for_node

pytest.importorskip("fastapi", reason="what the media server needs is not installed: pip install '.[media-server]'")

from tests.http_api.harness import Site  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running_site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    yield running_site
    running_site.settle()


def test_python_client(site: Site, tmp_path: Path) -> None:
    said, call = noise(8000, 31), site.call()
    name = prepared("media_client.py", tmp_path, **{"127.0.0.1:8088": site.server.address})
    with running([sys.executable, name, call.uuid, site.token(call)], tmp_path):
        until(lambda: site.told()["media_client_attached"], 120)
        call.say(said)
        until(lambda: find(call.heard(), said) >= 0)
        call.hangup()
        site.event("stream_stopped", call, "media-1")
    heard = np.frombuffer((tmp_path / "heard.raw").read_bytes(), "<i2").astype(np.int16)
    assert find(heard, said) >= 0
    site.clients += 1


def test_node_client(site: Site, tmp_path: Path, node_modules: Path) -> None:
    said, call = noise(8000, 32), site.call()
    name = prepared_for_node("media_client.mjs", tmp_path, node_modules, **{"127.0.0.1:8088": site.server.address})
    with running(["node", name, call.uuid, "wrong-token"], tmp_path) as lines:
        until(lambda: has_said(lines, "401"), 120)
    with running(["node", name, call.uuid, site.token(call)], tmp_path) as lines:
        until(lambda: site.told()["media_client_attached"], 120)
        call.say(said)
        until(lambda: find(call.heard(), said) >= 0)
        call.hangup()
        until(lambda: has_said(lines, "closed: 1000"))
    site.clients += 1
