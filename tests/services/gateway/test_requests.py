"""The six endpoints: shapes, statuses, isolation and limits, as a client sees them."""

from __future__ import annotations

import re
import socket
import threading
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from freeswitch_audio_stream.errors import SettingError
from tests.engine.harness import PATIENCE, noise, until

from .harness import Scripted, Site, audio_of, use_scripted

FULL = {"tenantId": "00000000-0000-0000-0000-000000000001", "storeId": "50000000-0000-0000-0000-000000000010",
        "did": "5406594427", "callerNumber": "393297626144", "aiAgentRef": "customer-care-voice"}
KEYS = "red=" + "r" * 16 + " blue=" + "b" * 16


def test_a_call_from_beginning_to_end(echo: Site) -> None:
    """With the specification's own values, and its exact shapes."""
    assert echo.create("unique-call-id", **FULL) == (200, {"sessionId": "unique-call-id", "status": "created"})
    assert echo.create("unique-call-id", **FULL) == (200, {"sessionId": "unique-call-id", "status": "existing"})
    speech = noise(16000).astype("<i2").tobytes()
    heard = b""
    for begin in range(0, len(speech), 3200):
        assert echo.post(speech[begin:begin + 3200], "unique-call-id") == (200, {"status": "streamed"})
    while len(heard) < len(speech):
        status, answer = echo.poll("unique-call-id")
        assert set(answer) == {"audio", "transcript", "hasMore"} and answer["transcript"] == ""
        heard += audio_of((status, answer))
    assert heard == speech
    status, info = echo.request("GET", "/api/voice/session/unique-call-id")
    assert status == 200 and set(info) - {"remark"} == {"callId", "status", "createdAt", "lastActivity",
                                                        "transcriptCount", "actionsCount"}
    assert "customer-care-voice" in info["remark"] and info["remark"] in "".join(echo.log)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", info[key])
               for key in ("createdAt", "lastActivity"))
    assert echo.request("GET", "/api/voice/sessions") == (200, {"sessions": [info], "count": 1})
    status, ended = echo.request("POST", "/api/voice/session/unique-call-id/end")
    assert status == 200 and set(ended) == {"status", "summary"} and ended["status"] == "ended"
    assert ended["summary"].pop("duration") >= 0
    assert ended["summary"] == {"callId": "unique-call-id", "transcript": [], "actions": []}
    assert echo.request("POST", "/api/voice/session/unique-call-id/end")[0] == 404


def test_transcript_actions_and_order(site: Site) -> None:
    """One line of the transcript in each answer, in order with the audio, until there is no more."""
    site.create()
    site.do(("transcript", "User", "Hello"), ("transcript", "AI", "Hi there!"), ("play", b"\1\0" * 20000),
            ("action", {"name": "transfer", "to": 7}))
    answers = []
    while not answers or answers[-1]["hasMore"]:
        answers.append(site.poll()[1])
    assert [answer["transcript"] for answer in answers if answer["transcript"]] == ["[User]: Hello", "[AI]: Hi there!"]
    assert sum(len(answer["audio"]) * 3 // 4 for answer in answers) >= 40000
    assert site.request("GET", "/api/voice/session/call")[1]["transcriptCount"] == 2
    summary = site.request("POST", "/api/voice/session/call/end")[1]["summary"]
    assert summary["transcript"] == ["[User]: Hello", "[AI]: Hi there!"]
    assert summary["actions"] == [{"name": "transfer", "to": 7}]


def test_a_poll_waits_for_what_comes_and_no_longer_than_it_was_told(site: Site) -> None:
    site.create()
    assert site.poll(timeout=0) == site.poll(timeout=20) == (200, {"audio": "", "transcript": "", "hasMore": False})
    answers: list[Any] = []
    poller = threading.Thread(target=lambda: answers.append(site.poll(timeout=60_000)))
    poller.start()
    until(lambda: site.gateway._store.figures["polls_waiting"] == 1)
    site.do(("play", b"\5\0"))
    poller.join(PATIENCE)
    assert audio_of(answers[0]) == b"\5\0"


def test_several_pollers_get_each_piece_once(site: Site) -> None:
    site.create()
    got: list[bytes] = []

    def poll() -> None:
        while (status := site.poll(timeout=60_000))[0] == 200:
            got.append(audio_of(status))
    pollers = [threading.Thread(target=poll) for _ in range(4)]
    for poller in pollers:
        poller.start()
    pieces = [bytes([number, 0]) * 16000 for number in range(1, 60)]
    for piece in pieces:
        site.do(("play", piece))
    until(lambda: len(got) >= len(pieces))
    site.request("POST", "/api/voice/session/call/end")
    for poller in pollers:
        poller.join(PATIENCE)
    assert sorted(got) == sorted(pieces)


def test_a_client_that_has_gone_takes_nothing_with_it(site: Site) -> None:
    site.create()
    host, _, port = site.gateway.url.partition("//")[2].rpartition(":")
    with socket.create_connection((host, int(port))) as gone:
        gone.sendall(b"GET /api/voice/stream/call/response?timeout=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: site.gateway._store.figures["polls_waiting"] == 1)
    until(lambda: len(site.gateway._web.connections) == 0)
    site.do(("play", b"\7\0"))
    assert audio_of(site.poll()) == b"\7\0"


def test_what_was_lost_on_the_way_comes_again(site: Site) -> None:
    """For clients that tell what has arrived, and number what they send."""
    site.create()
    site.do(("play", b"\1\0"))
    first = site.poll(received=0)
    assert audio_of(first) == b"\1\0" == audio_of(site.poll(received=0))
    site.do(("play", b"\2\0"))
    until(lambda: len(audio_of(site.poll(received=first[1]["position"], timeout=0))) == 2)
    second = site.poll(received=first[1]["position"])
    assert audio_of(second) == b"\2\0" and second[1]["position"] > first[1]["position"]
    assert audio_of(site.poll(received=second[1]["position"], timeout=0)) == b""
    for sequence in (1, 1, 2, 1, 2):
        assert site.post(bytes([sequence, 0]), sequence=sequence) == (200, {"status": "streamed"})
    until(lambda: site.agent().audio == b"\1\0\2\0")


@pytest.mark.parametrize("body, status, word", [
    (b"{", 400, None), (b"", 400, None), (b"[]", 422, None), (b"{}", 422, None), (b'{"audio":5}', 422, None),
    (b'{"audio":""}', 400, "invalid_audio"), (b'{"audio":"!!!!"}', 400, "invalid_audio"),
    (b'{"audio":"AAAA"}', 400, "invalid_audio"), (b'{"audio":"A"}', 400, "invalid_audio"),
    (b'{"audio":"AAA=","heard":-1}', 422, None), (b'{"audio":"AAA=","sequence":"1"}', 422, None),
    (b'{"audio":"' + b"A" * (10 << 20) + b'"}', 413, None),
])
def test_audio_that_cannot_be_used(site: Site, body: bytes, status: int, word: str | None) -> None:
    site.create()
    answer, _, content = site.raw("POST", "/api/voice/stream/call", body)
    read = orjson.loads(content)
    assert answer == status and len(read["detail"]) > 10 and read.get("status") == word
    assert site.agent().audio == b""


@pytest.mark.parametrize("text", ["_v8=", "/v8=", "_v8", "/v8"])
@pytest.mark.parametrize("more", [{}, {"heard": 5}, {"other": None}], ids=str)
def test_audio_in_either_alphabet_padded_or_not(site: Site, text: str, more: dict[str, Any]) -> None:
    site.create()
    assert site.request("POST", "/api/voice/stream/call", {"audio": text, **more}) == (200, {"status": "streamed"})
    until(lambda: site.agent().audio == b"\xfe\xff")


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/api/voice/stream/{}", {"audio": "AAA="}), ("GET", "/api/voice/stream/{}/response?timeout=0", None),
    ("POST", "/api/voice/session/{}/end", None), ("GET", "/api/voice/session/{}", None)])
def test_a_session_of_another_tenant_is_not_there(monkeypatch: pytest.MonkeyPatch, method: str, path: str,
                                                  body: Any) -> None:
    use_scripted(monkeypatch)
    site = Site(api_keys=KEYS, key="r" * 16)
    try:
        assert site.create("mine")[0] == 200
        site.key = "b" * 16
        theirs, nobodys = (site.raw(method, path.format(call), None if body is None else orjson.dumps(body))
                           for call in ("mine", "nobodys"))
        assert theirs[0] == 404 and theirs[::2] == nobodys[::2]
        if "stream" in path and method == "POST":
            assert orjson.loads(theirs[2])["status"] == "session_not_found"
        assert site.request("GET", "/api/voice/sessions")[1]["count"] == 0
        assert site.create("mine") == (200, {"sessionId": "mine", "status": "created"}), "one of its own"
        assert site.create("other", tenantId="red")[0] == 403
    finally:
        site.close()


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_scripted(monkeypatch)
    site = Site(api_keys=KEYS)
    try:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "r" * 15}, {"Authorization": "r" * 16}):
            status, body = site.request("GET", "/api/voice/sessions", **headers)
            assert status == 401 and "API key" in body["detail"]
        assert site.request("GET", "/api/voice/sessions", **{"X-API-Key": "r" * 16})[0] == 200
        for _ in range(10):
            site.request("GET", "/api/voice/sessions")
        status, answer, _ = site.raw("GET", "/api/voice/sessions", Authorization="Bearer " + "r" * 16)
        assert status == 429 and int(answer["retry-after"]) > 0
        assert site.request("GET", "/health")[0] == 200
        assert not [line for line in site.log if "r" * 15 in line or "wrong" in line]
    finally:
        site.close()


def test_keys_are_required_where_others_can_connect() -> None:
    with pytest.raises(SettingError, match="api-keys"):
        Site(address="0.0.0.0")
    for address in ("127.0.0.2", "::1"):
        Site(address=address).close()


def test_limits_of_sessions_and_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    use_scripted(monkeypatch)
    site = Site(api_keys=KEYS, key="r" * 16, max_sessions=3, max_sessions_per_tenant=2, max_polls_per_session=1,
                max_waiting_secs=1)
    try:
        assert [site.create(call)[0] for call in ("a", "b", "c")] == [200, 200, 429]
        site.key = "b" * 16
        assert [site.create(call)[0] for call in ("a", "b")] == [200, 429]
        poller = threading.Thread(target=lambda: site.poll("a"))
        poller.start()
        until(lambda: site.gateway._store.figures["polls_waiting"] == 1)
        status, headers, _ = site.raw("GET", "/api/voice/stream/a/response")
        assert status == 429 and headers["retry-after"] == "1"
        site.request("POST", "/api/voice/session/a/end")
        poller.join(PATIENCE)
        assert site.create("b")[0] == 200
    finally:
        site.close()


@pytest.mark.parametrize("body, status", [
    (b"{'callId':'x'}", 400), (b"[]", 422), (b"{}", 422), (b'{"callId":""}', 422), (b'{"callId":"a/b"}', 422),
    (b'{"callId":"a","did":5}', 422), (b'{"callId":"' + b"a" * 129 + b'"}', 422), (b"\xff", 400)])
def test_sessions_that_cannot_be(site: Site, body: bytes, status: int) -> None:
    answer, _, content = site.raw("POST", "/api/voice/session/create", body)
    assert answer == status and len(orjson.loads(content)["detail"]) > 10 and Scripted.made == []


def test_without_keys_no_tenant_gets_the_session_of_another(site: Site) -> None:
    assert site.create("x", tenantId="a")[0] == 200
    assert site.create("x", tenantId="b")[0] == 409


@pytest.mark.parametrize("timeout", ["60001", "-1", "soon", ""])
def test_timeouts_that_cannot_be(site: Site, timeout: str) -> None:
    site.create()
    status, body = site.request("GET", f"/api/voice/stream/call/response?timeout={timeout}")
    assert status == 422 and "timeout" in body["detail"]


def test_strict_agents_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(strict_agents=True)
    try:
        status, body = site.create("x", aiAgentRef="nobody")
        assert status == 422 and "echo" in body["detail"]
    finally:
        site.close()


def test_operation(site: Site) -> None:
    assert site.request("GET", "/health")[1]["status"] == "ok"
    assert site.request("GET", "/ready") == (200, {"status": "ready"})
    site.create()
    site.post(b"\1\0" * 160)
    status, headers, text = site.raw("GET", "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    rows = dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#"))
    assert rows["audio_stream_gateway_sessions"] == rows["audio_stream_gateway_chunks_total"] == "1"
    assert rows["audio_stream_gateway_received_audio_bytes_total"] == "320"
    for page in ("/docs", "/redoc"):
        assert site.raw("GET", page)[0] == 200


@pytest.mark.parametrize("query", ["timeout=60001", "timeout=-1", "timeout=", "timeout=1e3", "timeout=٣", "heard=x",
                                   "received=9007199254740993", "timeout=" + "9" * 5000])
def test_a_wrong_number_in_the_query_is_named(site: Site, query: str) -> None:
    site.create()
    status, told = site.request("GET", f"/api/voice/stream/call/response?{quote(query, safe='=')}")
    assert status == 422 and told["detail"].startswith(f"{query.partition('=')[0]} in the query is a number from 0 to ")


def test_a_defect_on_the_short_cut_is_told_and_answered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio and polls do without the application's middleware, which does this for all others."""
    async def fail(*_: Any) -> str:
        raise ZeroDivisionError("for the test")
    site.create()
    with monkeypatch.context() as patch:
        patch.setattr(site.gateway._store, "post", fail)
        status, told = site.post(bytes(320))
    assert status == 500 and told == {"detail": "a defect of this server, which its log tells of"}
    assert any("defect: " in line and "ZeroDivisionError: for the test" in line for line in site.log)
    site.log.clear()
    assert site.post(bytes(320))[0] == 200


def test_other_methods_on_the_short_cut_s_paths_are_the_application_s(site: Site) -> None:
    for method, path in (("GET", "/api/voice/stream/call"), ("DELETE", "/api/voice/stream/call/response")):
        assert site.raw(method, path)[0] == 405
