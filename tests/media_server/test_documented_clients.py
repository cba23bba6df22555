"""The clients of the media server that the documentation shows, as they stand there; only its address is put in."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.docs.test_examples import node_modules as node_modules  # a fixture
from tests.docs.test_examples import prepared, prepared_for_node
from tests.engine.harness import find, noise, until
from tests.programs import has_said, running

from .harness import Site


def test_python_client(site: Site, tmp_path: Path) -> None:
    said = noise(8000, 31)
    call = site.call(speech=said, speed=1)
    name = prepared("media_client.py", tmp_path, **{"127.0.0.1:8088": site.server.address})
    with running([sys.executable, name, call.uuid, site.token(call)], tmp_path):
        until(lambda: find(call.heard(), said[-2000:]) >= 0, 120)
        call.hangup()
        site.event("stream_stopped", call, "media-1")
    heard = np.frombuffer((tmp_path / "heard.raw").read_bytes(), "<i2").astype(np.int16)
    assert find(heard, said[-2000:]) >= 0
    site.clients += 1


def test_node_client(site: Site, tmp_path: Path, node_modules: Path) -> None:  # noqa: F811
    said = noise(8000, 32)
    call = site.call(speech=said, speed=1)
    name = prepared_for_node("media_client.mjs", tmp_path, node_modules, **{"127.0.0.1:8088": site.server.address})
    with running(["node", name, call.uuid, "wrong-token"], tmp_path) as lines:
        until(lambda: has_said(lines, "401"), 120)
    with running(["node", name, call.uuid, site.token(call)], tmp_path) as lines:
        until(lambda: find(call.heard(), said[-2000:]) >= 0, 120)
        call.hangup()
        until(lambda: has_said(lines, "closed: 1000"))
    site.clients += 1
