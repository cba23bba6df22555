"""What the tests of examples stand on."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.engine.harness import Platform
from tests.node import install_ws


@pytest.fixture(scope="module")
def running_platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def platform(running_platform: Platform) -> Iterator[Platform]:
    """A switch with the module; no call and no stream of another test is on it, and none may be left."""
    yield running_platform
    running_platform.settle()


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package ``ws`` in it; without one, tests are skipped and say why."""
    folder = tmp_path_factory.mktemp("node")
    install_ws(folder)
    found = subprocess.run(["node", "-p", "require.resolve('ws/package.json')"], cwd=folder, capture_output=True,
                           text=True, check=True)
    return Path(found.stdout.strip()).parent.parent
