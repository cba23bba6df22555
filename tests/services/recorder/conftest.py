from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

pytest.importorskip("fastapi")

from .postgres_server import PostgresServer  # noqa: E402
from .s3_server import S3Server  # noqa: E402
from .service import Recorder  # noqa: E402


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path)
    yield recorder
    recorder.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process; each takes a database of its own."""
    for module in ("sqlalchemy", "asyncpg", "alembic"):
        pytest.importorskip(module)
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """One server for all tests of a process; each takes a bucket of its own."""
    pytest.importorskip("obstore")
    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in S3Server.VARIABLES.items():
            patch.setenv(name, value)
        yield server
    server.close()
