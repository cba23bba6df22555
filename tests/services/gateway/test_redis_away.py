"""The gateway while its Redis is away: 503 with Retry-After, and recovery by itself."""

from __future__ import annotations

import threading
from typing import Iterator

import orjson
import pytest

for _needed in ("fastapi", "fastapi_offline", "uvicorn", "redis"):
    pytest.importorskip(_needed)

from tests.engine.harness import until  # noqa: E402

from .harness import Site, audio_of  # noqa: E402
from .redis_server import RedisServer  # noqa: E402

REQUESTS = [("POST", "/api/voice/session/create", {"callId": "call"}),
            ("POST", "/api/voice/stream/call", {"audio": "AAA="}),
            ("GET", "/api/voice/stream/call/response?timeout=60000", None), ("GET", "/api/voice/session/call", None),
            ("GET", "/api/voice/sessions", None), ("POST", "/api/voice/session/call/end", None),
            ("GET", "/ready", None)]


@pytest.fixture
def site(redis: RedisServer) -> Iterator[Site]:
    site = Site(redis_url=redis.url)
    yield site
    site.close()


def check_refused(site: Site) -> None:
    for method, path, body in REQUESTS:
        status, headers, content = site.raw(method, path, None if body is None else orjson.dumps(body))
        assert (status, headers["retry-after"]) == (503, "1"), (method, path)
        assert orjson.loads(content) == {"detail": "sessions cannot be reached at present"}
    assert site.request("GET", "/health")[0] == 200


def check_works(site: Site, call: str) -> None:
    until(lambda: site.request("GET", "/ready")[0] == 200)
    assert site.create(call)[1]["status"] == "created"
    assert site.post(b"abcd", call)[0] == 200
    assert audio_of(site.poll(call)) == b"abcd"


def test_requests_are_refused_until_redis_is_back(site: Site, redis: RedisServer) -> None:
    check_works(site, "one")
    polled: list[int] = []
    poll = threading.Thread(target=lambda: polled.append(site.poll("one", timeout=60_000)[0]))
    poll.start()
    until(lambda: "polls_waiting 1\n" in site.raw("GET", "/metrics")[2].decode())
    redis.kill()
    poll.join()
    assert polled == [503]
    check_refused(site)
    redis.start()
    check_works(site, "two")
    assert site.poll("one")[0] == 404, "this Redis has kept nothing"
    told = [line for line in site.log if "a request is refused with 503" in line]
    assert len(told) == 1 and redis.url not in told[0]


def test_a_gateway_that_starts_before_its_redis(redis: RedisServer) -> None:
    redis.kill()
    site = Site(redis_url=redis.url)
    try:
        check_refused(site)
        redis.start()
        check_works(site, "one")
    finally:
        site.close()
