"""Servers that fail, refuse and vanish: what is lost, what is told, and what is tried again."""

from __future__ import annotations

import pytest

from ..harness import CodecSpec, Platform, find, noise, until
from .api_server import ApiServer, Late, Wrong

pytestmark = pytest.mark.slow

WIDE = CodecSpec("L16", 16000)
SPOKEN = noise(32000)


@pytest.mark.parametrize("wrong", [Wrong(500), Wrong(502, b"<html>"), Wrong(503), Wrong(429), Wrong(cuts=True)])
def test_a_post_that_fails_is_sent_again(platform: Platform, wrong: Wrong) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: len(server.posts) > 2)
        server.wrong["post"].append(wrong)
        call.say(SPOKEN)
        until(lambda: find(server.heard, SPOKEN) >= 0)
        platform.tell(call, "stop")
        statistics = platform.event("stream_stopped", call)["statistics"]
        assert statistics["framesDropped"] == 0
        if not wrong.cuts:
            assert statistics["reconnects"] >= 1
            assert len(server.of("create")) >= 2
            assert platform.event("connection_closed", call)["willReconnect"]


def test_what_was_taken_although_the_answer_was_lost_has_its_number_again(platform: Platform) -> None:
    with ApiServer(numbers=True) as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.sequences and server.sequences[-1] > 0)
        server.wrong["post"].append(Wrong(cuts=True, takes=True))
        call.say(SPOKEN)
        until(call.has_spoken)
        said = len(server.posts)
        until(lambda: len(server.posts) > said + 3)
        numbers = [number for number in server.sequences if number]
        twice = {number for number in numbers if numbers.count(number) > 1}
        assert len(twice) == 1
        once = {number: samples for number, samples in zip(server.sequences, server.posts) if number}
        assert sorted(once) == list(range(min(once), max(once) + 1))
        again = [samples for number, samples in zip(server.sequences, server.posts) if number in twice]
        assert all((samples == again[0]).all() for samples in again)


def test_a_session_that_is_gone_is_created_anew(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: len(server.posts) > 2)
        for _ in range(2):
            server.sessions.clear()
            created = len(server.of("create"))
            until(lambda: len(server.of("create")) > created)
            posted = len(server.posts)
            until(lambda: len(server.posts) > posted + 2)
        call.say(SPOKEN)
        until(lambda: find(server.heard, SPOKEN) >= 0)


def test_a_session_that_is_never_there_ends_the_stream(platform: Platform) -> None:
    with ApiServer() as server:
        server.wrong["post"] += [Wrong(404)] * 20
        server.wrong["poll"] += [Wrong(404)] * 20
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        stopped = platform.event("stream_stopped", call)
        assert stopped["reason"] == "error"
        assert "no session of this call, although it has just been created" in stopped["detail"]
        assert len(server.of("create")) == 2


def test_audio_that_the_server_cannot_use_is_told_and_passed_over(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.posts)
        server.wrong["post"].append(Wrong(400, b'{"status":"invalid_audio","detail":"too loud"}'))
        error = platform.event("stream_error", call)
        assert "HTTP 400: too loud" in error["error"]
        call.say(SPOKEN)
        until(lambda: find(server.heard, SPOKEN) >= 0)
        assert len(server.of("create")) == 1


@pytest.mark.parametrize("kind", ["create", "post", "poll"])
@pytest.mark.parametrize("status, words", [(401, "check api-key"), (403, "whose key api-key is")])
def test_a_key_that_is_not_accepted_ends_the_stream(platform: Platform, kind: str, status: int, words: str) -> None:
    with ApiServer() as server:
        server.wrong[kind] += [Wrong(status, b'{"detail":"no key"}')] * 3
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        stopped = platform.event("stream_stopped", call)
        assert stopped["reason"] == "error"
        assert words in stopped["detail"] and f"HTTP {status}: no key" in stopped["detail"]
        assert len(server.of("create")) == 1


def test_a_key_that_is_withdrawn_while_reconnecting(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.posts)
        server.wrong["create"] += [Wrong(401)] * 3
        server.wrong["post"].append(Wrong(500))
        assert "check api-key" in platform.event("stream_stopped", call)["detail"]
        assert len(server.of("create")) == 2


def test_a_request_that_cannot_be_right(platform: Platform) -> None:
    with ApiServer() as server:
        server.wrong["create"].append(Wrong(422, b'{"message":"there is no agent"}'))
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        assert "HTTP 422: there is no agent" in platform.event("connection_failed", call)["error"]
        platform.event("stream_stopped", call)


@pytest.mark.parametrize("kind", ["create", "post"])
def test_retry_after_is_obeyed(platform: Platform, kind: str) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.posts)
        server.wrong[kind].append(Wrong(503, headers={"Retry-After": "1"}))
        if kind == "create":
            server.wrong["post"].append(Wrong(500))
        call.say(SPOKEN)
        until(lambda: find(server.heard, SPOKEN) >= 0)
        if kind == "create":
            refused, again = server.of("create")[1:3]
            assert again.at - refused.at >= 1
        else:
            posts = server.of("post")
            assert any(later.at - earlier.at >= 1 for earlier, later in zip(posts, posts[1:]))


def test_redirects_within_the_host_are_followed(platform: Platform) -> None:
    with ApiServer(base="/v2/voice") as server:
        server.base = "/api/voice"
        server.wrong["create"].append(Wrong(308, headers={"Location": "/v2/voice/session/create?q=1"}))
        call = platform.call(codec=WIDE)
        platform.start(call, server.url.replace("/v2", "/api"), rate=16000)
        until(lambda: server.of("create"))
        server.base = "/v2/voice"
        until(lambda: server.posts)
        assert server.of("post")[0].query == {"q": ["1"]}


@pytest.mark.parametrize("location", [
    "http://127.0.0.2:{port}/api/voice/session/create", "//example.org/session/create",
    "http://127.0.0.1:1/api/voice/session/create", "/elsewhere"])
def test_redirects_elsewhere_are_refused(platform: Platform, location: str) -> None:
    with ApiServer() as server:
        place = location.replace("{port}", server.place.rpartition(":")[2])
        server.wrong["create"].append(Wrong(307, headers={"Location": place}))
        call = platform.call(codec=WIDE)
        platform.start(call, "{api-key=s3cret}" + server.url, rate=16000)
        assert f"sends us to {place}" in platform.event("connection_failed", call)["error"]
        platform.event("stream_stopped", call)
        assert len(server.asked) == 1


def test_a_poll_that_fails_is_made_again(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.of("poll"))
        server.wrong["poll"] += [Wrong(500, b'{"detail":"sorry"}'), Wrong(cuts=True), Wrong(200, b"no JSON"),
                                 Wrong(200, b'{"audio":"AA=="}')]
        heard = noise(3000, 2)
        server.say(noise(10, 3))
        until(lambda: not server.wrong["poll"])
        server.say(heard)
        until(lambda: find(call.heard(), heard) >= 0)
        errors = " ".join(event["error"] for event in platform.events("stream_error", call))
        assert "HTTP 500: sorry" in errors and "not JSON" in errors
        assert platform.status(call)["errors"] == 3
        assert len(server.of("create")) == 1


def test_what_is_no_http(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url.replace("http:", "https:"), rate=16000)
        platform.event("connection_failed", call)
        platform.event("stream_stopped", call)


def test_a_server_that_is_away_for_a_while(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.posts)
        server.wrong["post"] += [Wrong(503)] * 2
        server.wrong["create"] += [Wrong(503)] * 3
        call.say(SPOKEN)
        until(lambda: find(server.heard, SPOKEN) >= 0)
        assert platform.status(call)["reconnects"] >= 4


def test_a_hangup_while_connecting_and_reconnecting(platform: Platform) -> None:
    with ApiServer() as server:
        for wrongs in ([], [Wrong(503)] * 50):
            call = platform.call(codec=WIDE)
            server.wrong["post"].clear()
            server.wrong["post"] += wrongs
            platform.start(call, server.url, rate=16000)
            if wrongs:
                until(lambda: platform.status(call)["state"] == "reconnecting")
            call.hangup()
            assert platform.event("stream_stopped", call)["reason"] == "hangup"


@pytest.mark.parametrize("keeps_open", [True, False])
def test_a_session_that_is_created_for_nobody_is_ended(platform: Platform, keeps_open: bool) -> None:
    with ApiServer(keeps_open=keeps_open) as server:
        late = Late()
        server.wrong["create"].append(late)
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.of("create"))
        call.hangup()
        assert platform.event("stream_stopped", call)["reason"] == "hangup"
        late.ready.set()
        until(lambda: server.of("end"))
        assert not server.sessions
