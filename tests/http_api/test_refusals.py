"""Who is refused, with what, and what they learn by it: each line of the table in the README."""

from __future__ import annotations

import time

import jwt
import pytest

from freeswitch_audio_stream.protocols import ENCAPSULATIONS

from .harness import TOKEN, Site

NOBODY = "/v1.0/calls/nobody/media_stream"
WRONG = "a-wrong-token-of-some-length"


def path(uuid: str, token: str | None = TOKEN, encapsulation: str | None = "sln", kind: str = "calls") -> str:
    query = {"token": token, "encapsulation": encapsulation}
    return f"/v1.0/{kind}/{uuid}/media_stream?" + "&".join(f"{key}={value}" for key, value in query.items() if value)


@pytest.mark.parametrize("token", [None, WRONG, "eyJhbGciOiJub25lIn0.e30.", "%F0%9F%98%80", "x" * 5000])
@pytest.mark.parametrize("kind", ["calls", "conferences"])
def test_401_without_a_token_that_is_good(site: Site, token: str | None, kind: str) -> None:
    answer = site.request(path("nobody", token, kind=kind), source="127.0.0.3")
    assert answer.status == 401 and "token=…" in answer.detail
    assert answer.headers["www-authenticate"] == "Bearer"
    site.forgive("127.0.0.3")


@pytest.mark.parametrize("claims, key", [
    ({"sub": "call:{uuid}", "exp": -1}, None), ({"sub": "call:{uuid}", "exp": None}, None),
    ({"sub": "call:{uuid}", "aud": "other"}, None), ({"sub": None}, None), ({"sub": "call:{uuid}"}, "k" * 48),
])
def test_401_with_a_signed_token_that_is_not_good(site: Site, claims: dict[str, object], key: str | None) -> None:
    call = site.call()
    now = int(time.time())
    values: dict[str, object] = {"aud": "media_stream", "exp": 60, **claims}
    values["exp"] = now + values["exp"] if isinstance(values["exp"], int) else None
    if isinstance(values["sub"], str):
        values["sub"] = values["sub"].format(uuid=call.uuid)
    tokens = site.server.tokens
    token = jwt.encode({name: value for name, value in values.items() if value is not None},
                       key or tokens._secret, algorithm="HS256")
    assert site.request(path(call.uuid, token)).status == 401
    site.forgive("127.0.0.1")


def test_the_unauthenticated_learn_nothing_of_calls(site: Site) -> None:
    call = site.call()
    site.conferences["room"] = 3
    places = [path(call.uuid, WRONG), path("nobody", WRONG), path(call.uuid, WRONG, "wrong"),
              path("room", WRONG, kind="conferences"), path("nobody", WRONG, kind="conferences")]
    answers = [site.request(place) for place in places]
    answers += [site.request(place, upgrade=False) for place in places[:2]]
    assert {(answer.status, answer.body) for answer in answers} == {(401, answers[0].body)}
    assert len({tuple(sorted(set(answer.headers) - {"date"})) for answer in answers[:5]}) == 1
    site.forgive("127.0.0.1")


def test_403_with_a_token_for_another_call(site: Site) -> None:
    one, other = site.call(), site.call()
    token = site.token(one)
    for uuid in (other.uuid, "nobody"):
        answer = site.request(path(uuid, token))
        assert answer.status == 403 and "another call" in answer.detail
    assert site.request(path(one.uuid, token, kind="conferences")).status == 403
    site.conferences["room"] = 1
    of_a_conference = site.run("conference room token").removeprefix("+OK ")
    assert site.request(path("other", of_a_conference, kind="conferences")).status == 403
    assert site.request(path(one.uuid, of_a_conference)).status == 403
    assert site.request("/v1.0/calls?token=" + token, "POST", b"{}", upgrade=False).status == 403


def test_404_without_such_a_call(site: Site) -> None:
    answer = site.request(path("nobody"))
    assert answer.status == 404 and answer.detail.startswith("there is no such call")
    answer = site.request(path("nowhere", kind="conferences"))
    assert answer.status == 404 and answer.detail.startswith("there is no such conference")


def test_404_when_a_call_is_over(site: Site) -> None:
    call = site.call()
    token = site.token(call)
    call.hangup()
    assert call.join(30)
    assert site.request(path(call.uuid, token)).status == 404


def test_409_without_media(site: Site) -> None:
    call = site.call(answered=False)
    answer = site.request(path(call.uuid))
    assert answer.status == 409 and "no media" in answer.detail
    assert not call.session.early_media, "nobody has answered the call for them"
    call.answer()
    site.connect(call).close()


@pytest.mark.parametrize("encapsulation", [None, "mp3", "RTP", "json", "community", "%20"])
def test_422_lists_the_encapsulations_there_are(site: Site, encapsulation: str | None) -> None:
    answer = site.request(path("nobody", encapsulation=encapsulation))
    assert answer.status == 422
    assert all(name in answer.detail for name in ENCAPSULATIONS)


def test_422_for_a_name_that_no_conference_can_have(site: Site) -> None:
    answer = site.request(path("a+flags%7Bmute%7D", kind="conferences"))
    assert answer.status == 422 and "letters, digits" in answer.detail
    assert site.dialled == []


def test_426_for_a_plain_request(site: Site) -> None:
    answer = site.request(path("nobody"), upgrade=False)
    assert answer.status == 426 and answer.headers["upgrade"] == "websocket"


def test_503_when_there_are_too_many(site: Site) -> None:
    call = site.call()
    clients = [site.connect(call) for _ in range(8)]
    answer = site.request(path(call.uuid))
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    assert "media-server-max-clients-per-call" in answer.detail
    clients.pop().close()
    site.event("media_client_detached", call, "media-8")
    site.connect(call)


def test_503_when_there_are_too_many_in_all() -> None:
    site = Site(max_clients=1)
    try:
        one, other = site.call(), site.call()
        site.connect(one)
        answer = site.request(path(other.uuid))
        assert answer.status == 503 and "media-server-max-clients " in answer.detail
    finally:
        site.close()


@pytest.mark.parametrize("headers", [
    {"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "short"}, {"Sec-WebSocket-Key": "é"},
])
def test_400_for_a_handshake_that_is_wrong(site: Site, headers: dict[str, str]) -> None:
    answer = site.request(path("nobody"), **headers)
    assert answer.status == 400 and answer.headers["sec-websocket-version"] == "13"


def test_a_token_may_come_in_a_header(site: Site) -> None:
    call = site.call()
    place = path(call.uuid, token=None)
    assert site.request(place, Authorization=f"Bearer {WRONG}").status == 401
    assert site.request(place, Authorization=f"Basic {TOKEN}").status == 401
    assert site.request(path("nobody", token=None), Authorization=f"Bearer {TOKEN}").status == 404
    assert site.request(path("nobody", token=TOKEN), Authorization=f"Bearer {WRONG}").status == 401
    site.forgive("127.0.0.1")


def test_requests_that_are_none(site: Site) -> None:
    assert site.request("/v1.0/calls", "DELETE", upgrade=False).status == 405
    assert site.request("/nothing", upgrade=False).status == 404
    assert site.request("/nothing").status == 404
    assert site.request(path("nobody"), "POST").status in (400, 405)
