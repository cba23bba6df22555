"""POST /v1.0/calls: what is asked for, what is dialled, and what is answered."""

from __future__ import annotations

import threading
from typing import Any, Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.http_api.calls import MAX_BODY_BYTES, read_request
from freeswitch_audio_stream.web.refusals import Refusal
from tests.engine.harness import until

from .harness import TOKEN, Answer, Site

Body = dict[str, Any]
TEL = "+15559876543"
EXTERNAL = {"type": "external_media_start",
            "option": {"url": "ws://127.0.0.1:9/audio-stream", "encapsulation": "audiosocket"}}


def body(**changes: Any) -> Body:
    """As the specification has it."""
    return {"source": {"type": "tel", "target": "+15551234567"}, "destinations": [{"type": "tel", "target": TEL}],
            "actions": [{"type": "answer"}], **changes}


def post(site: Site, given: object, token: str = TOKEN) -> Answer:
    data = given if isinstance(given, bytes) else orjson.dumps(given)
    return site.request(f"/v1.0/calls?token={token}", "POST", data, upgrade=False)


@pytest.fixture(scope="module")
def dialling_site() -> Iterator[Site]:
    site = Site(dial_string="sofia/gateway/trunk/{destination}")
    yield site
    site.close()


@pytest.fixture
def trunk(dialling_site: Site) -> Iterator[Site]:
    dialling_site.phone = lambda call: "+OK"
    yield dialling_site
    dialling_site.settle()


def test_a_call_is_made(trunk: Site) -> None:
    answer = post(trunk, body())
    assert answer.status == 201
    made = orjson.loads(answer.body)
    assert made == {"id": made["id"], "calls": [{"id": made["id"], "destination": TEL, "error": None}]}
    (variables, target), = trunk.dialled
    assert target == f"sofia/gateway/trunk/{TEL}"
    assert variables["origination_uuid"] == made["id"] and variables["origination_caller_id_number"] == "+15551234567"
    assert variables["ignore_early_media"] == "true"
    assert trunk.switch.sessions.find(made["id"]) is not None


def test_it_is_answered_as_soon_as_it_rings(trunk: Site) -> None:
    picked_up = threading.Event()

    def ring(call: object) -> str:
        assert picked_up.wait(60)
        return "+OK"
    trunk.phone = ring  # type: ignore[assignment]
    answer = post(trunk, body())
    assert answer.status == 201 and not picked_up.is_set()
    picked_up.set()


def test_several_destinations(trunk: Site) -> None:
    trunk.phone = lambda call: "+OK"
    answer = post(trunk, body(destinations=[{"type": "tel", "target": number} for number in ("100", "200")]))
    calls = orjson.loads(answer.body)["calls"]
    assert [call["destination"] for call in calls] == ["100", "200"] and len({call["id"] for call in calls}) == 2


def test_actions_follow_early_media_where_no_answer_is_waited_for(trunk: Site) -> None:
    assert post(trunk, body(actions=[])).status == 201
    assert trunk.dialled[0][0]["ignore_early_media"] == "false"


def test_a_call_that_the_switch_cannot_make() -> None:
    site = Site(dial_string="sofia/gateway/nowhere/{destination}")
    try:
        answer = post(site, body())
        assert answer.status == 502 and "INVALID_GATEWAY" in answer.detail and TEL in answer.detail
    finally:
        site.close()


def test_the_dial_string_has_to_be_set(site: Site) -> None:
    answer = post(site, body())
    assert answer.status == 501 and "media-server-dial-string" in answer.detail


@pytest.mark.parametrize("changes, words", [
    ({"actions": [{"type": "talk"}, {"type": "answer"}, {"type": "hangup"}]}, "unknown actions: hangup, talk"),
    ({"source": None}, "source"), ({"destinations": []}, "destinations"), ({"more": 1}, "more"),
    ({"source": {"type": "sip", "target": "a@b"}}, "source.type"),
    ({"destinations": [{"type": "tel", "target": "+1555,sofia/x"}]}, "destinations.0.target"),
    ({"destinations": [{"type": "tel", "target": str(n)} for n in range(11)]}, "destinations"),
    ({"actions": "answer"}, "actions"), ({"actions": [{"option": {}}]}, "actions.0.type"),
    ({"actions": [{"type": "external_media_start", "option": {}}]}, "external_media_start"),
    ({"actions": [{"type": "external_media_start",
                   "option": {"url": "http://h", "encapsulation": "sln"}}]}, "external_media_start"),
    ({"actions": [{"type": "external_media_start",
                   "option": {"url": "ws://h", "encapsulation": "mp3"}}]}, "external_media_start"),
])
def test_what_cannot_be_done_is_named(trunk: Site, changes: Body, words: str) -> None:
    answer = post(trunk, body(**changes))
    assert answer.status == 422 and words in answer.detail
    assert trunk.dialled == []


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"null", b'{"source":' * 1000])
def test_bodies_that_are_none(trunk: Site, data: bytes) -> None:
    assert post(trunk, data).status == 422


def test_a_body_that_is_too_long(trunk: Site) -> None:
    answer = post(trunk, b" " * (MAX_BODY_BYTES + 1))
    assert answer.status == 413


def test_the_token_comes_first(trunk: Site) -> None:
    for data in (orjson.dumps(body()), b"", b" " * (MAX_BODY_BYTES + 1)):
        assert post(trunk, data, "a-wrong-token-0123").status == 401
    call = trunk.call()
    assert post(trunk, b"", trunk.token(call)).status == 403
    trunk.forgive("127.0.0.1")


@given(st.one_of(st.text(max_size=20), st.from_regex(r"\+?[0-9]{1,15}.*", fullmatch=True)))
def test_nothing_but_a_number_is_dialled(target: str) -> None:
    given_body = body(destinations=[{"type": "tel", "target": target}], source={"type": "tel", "target": target})
    try:
        request = read_request(orjson.dumps(given_body))
    except Refusal as refusal:
        assert refusal.status == 422
        return
    number = request.destinations[0]
    assert number == request.source == target
    assert number.removeprefix("+").isascii() and number.removeprefix("+").isdigit() and len(number) <= 16


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                        ("source", "destinations", "actions", "type", "target", "option", "url")), inner, max_size=4)))
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        read_request(orjson.dumps(value))
    except Refusal as refusal:
        assert refusal.status == 422


def test_a_call_whose_media_cannot_be_started_is_hung_up(trunk: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callee has not the patience that a server has."""
    trunk.phone = lambda call: (call.hangup(), "+OK")[1]  # type: ignore[func-returns-value]
    answer = post(trunk, body(actions=[{"type": "answer"}, EXTERNAL]))
    assert answer.status == 201
    uuid = orjson.loads(answer.body)["id"]
    until(lambda: any(uuid in line.text and "hung up" in line.text for line in trunk.switch.log_lines))


def test_unload_gives_up_what_is_ringing() -> None:
    site = Site(dial_string="user/{destination}")
    gone = threading.Event()

    def ring(call: Any) -> str:
        gone.set()
        assert call.destroyed.wait(60)
        return "-ERR ORIGINATOR_CANCEL"
    site.phone = ring
    assert post(site, body()).status == 201 and gone.wait(30)
    assert site.switch.unload("mod_audio_stream") == "+OK\n"
    site.close()
