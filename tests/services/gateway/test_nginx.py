"""Two gateways with one Redis behind the proxy of conf/docker: what a caller posts is heard once, whoever ends."""

from __future__ import annotations

import http.client
import signal
from pathlib import Path
from typing import Iterator

import orjson
import pytest

pytest.importorskip("redis")
from tests.engine.harness import PATIENCE, until  # noqa: E402
from tests.services.nginx import Nginx  # noqa: E402

from .replicas import Crowd, Replica  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def nginx(replicas: list[Replica], tmp_path: Path) -> Iterator[Nginx]:
    ports = {f"gateway-{number}:3105": replica.port for number, replica in enumerate(replicas, 1)}
    nginx = Nginx("nginx.conf", ports, tmp_path)
    yield nginx
    nginx.close()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, orjson.loads(answer.read())
    finally:
        connection.close()


def test_nothing_is_lost_or_said_twice(nginx: Nginx, replicas: list[Replica]) -> None:
    crowd = Crowd(4, nginx.port)
    crowd.wait_heard()
    until(lambda: all(replica.metric("chunks_total") for replica in replicas))  # each has its turn
    for replica, way in zip(replicas, (signal.SIGKILL, signal.SIGTERM)):
        replica.end(way)
        crowd.wait_heard()
        replica.start()
        replica.wait_ready()
        crowd.wait_heard()
    crowd.check()


def test_refusals_are_the_gateways(nginx: Nginx) -> None:
    status, body = ask(nginx.port, "POST", "/api/voice/session/create", b'{"callId":"call"}')
    assert (status, body["status"]) == (200, "created")
    status, body = ask(nginx.port, "POST", "/api/voice/stream/call", b'{"audio":"' + b"A" * (10 << 20) + b'"}')
    assert status == 413 and "10485760" in str(body["detail"])
    assert ask(nginx.port, "GET", "/api/voice/stream/nobody/response?timeout=10")[0] == 404
