from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from .fixtures import echo, site  # noqa: F401
from .redis_server import RedisServer
from .replicas import Replica, install_clerk


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def replicas(redis: RedisServer, tmp_path: Path) -> Iterator[list[Replica]]:
    """Two gateways with one Redis."""
    install_clerk(tmp_path)
    pair = [Replica(redis.url, tmp_path) for _ in range(2)]
    for replica in pair:
        replica.wait_ready()
    yield pair
    for replica in pair:
        if replica.process.poll() is None:
            replica.end()
        print(replica.log.read_text())
