"""Whatever a body, a path or a query has in it, the answer is one that the documentation knows."""

from __future__ import annotations

import json
from typing import Any, Iterator, Sequence
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.http_api.calls import PlacedCalls, read_request
from freeswitch_audio_stream.web.refusals import Refusal, Refused

from .harness import HANDSHAKE, TOKEN, Answer, Site
from .test_calls import EXTERNAL, TEL

pytestmark = pytest.mark.slow

FULL: dict[str, Any] = {"source": {"type": "tel", "target": "+15551234567"},
                        "destinations": [{"type": "tel", "target": TEL}], "actions": [{"type": "answer"}, EXTERNAL]}
DEEP = json.loads("[" * 500 + "]" * 500)
WIDE = {str(number): number for number in range(3000)}
EXTREMES: Sequence[object] = (
    None, True, 0, -1, 2 ** 31, 2 ** 63, 2 ** 64, -2 ** 64, 10 ** 4000, 10 ** 5000, 1e308, -0.0, float("inf"),
    float("nan"), "", " ", "\0", "\n", "\x7f", "\u2028", "\ud800", "\udfff\ud800", "\U0010ffff", "+", "a" * 20000,
    "٣" * 5, "../" * 50,
    [], {}, [None], DEEP, WIDE, {"": ""}, {"\ud800": 1}, {"url": 2 ** 64}, {"__proto__": {}})


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of everything in a body."""
    yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """A copy of a body with something else at one place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def write(value: object) -> bytes:
    """As JSON, or what passes for it with some; the standard library's writes numbers of any size."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10 ** 4300:
        return b"1" + b"0" * 5000
    return json.dumps(value).encode()


def body_with(path: tuple[Any, ...], new: object) -> bytes:
    mark = "the-place-of-it"
    return write(changed(FULL, path, mark)).replace(json.dumps(mark).encode(), write(new))


@pytest.fixture(scope="module")
def extreme_site() -> Iterator[Site]:
    site = Site(dial_string="sofia/gateway/trunk/{destination}")
    yield site
    site.settle()
    site.close()


def check(site: Site, answer: Answer, path: str, method: str) -> None:
    """It is documented, and has the body that is documented for it."""
    document = orjson.loads(site.request("/openapi.json", upgrade=False).body)
    operation = document["paths"][path][method]
    assert str(answer.status) in operation["responses"]
    if answer.status == 400:
        assert answer.headers["content-type"].startswith("text/plain")
    elif answer.status != 101:
        (PlacedCalls if answer.status == 201 else Refused).model_validate_json(answer.body)
    assert len(answer.body) < 10_000
    assert [line.text for line in site.switch.log_lines if "defect" in line.text] == []


@pytest.mark.parametrize("path", list(places(FULL)), ids=lambda path: ".".join(map(str, path)) or "body")
def test_every_field_of_the_body(extreme_site: Site, path: tuple[Any, ...]) -> None:
    for new in EXTREMES:
        answer = extreme_site.request(f"/v1.0/calls?token={TOKEN}", "POST", body_with(path, new), upgrade=False)
        check(extreme_site, answer, "/v1.0/calls", "post")
        assert answer.status in (201, 422), new
    extreme_site.switch.hang_up_all(30)


def test_a_number_that_json_has_and_we_have_not(extreme_site: Site) -> None:
    for option in ({"more": 2 ** 64}, {"more": [{"x": -2 ** 63 - 1}]}):
        data = body_with(("actions", 1, "option"), {**EXTERNAL["option"], **option})  # type: ignore[dict-item]
        answer = extreme_site.request(f"/v1.0/calls?token={TOKEN}", "POST", data, upgrade=False)
        assert answer.status == 422 and "external_media_start: Integer exceeds 64-bit range" in answer.detail


_LEAF = (st.none() | st.booleans() | st.integers() | st.integers(2 ** 63, 2 ** 70) | st.floats()
         | st.text(st.characters(), max_size=30) | st.sampled_from(["tel", "answer", "external_media_start", TEL]))
_VALUE = st.recursive(_LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
    st.sampled_from(["type", "target", "option", "url", "encapsulation"]) | st.text(st.characters(), max_size=5), inner,
    max_size=4), max_leaves=8)


@given(st.sampled_from(list(places(FULL))), _VALUE)
@settings(max_examples=300)
def test_any_value_at_any_place_is_read_or_refused(path: tuple[Any, ...], new: object) -> None:
    try:
        read_request(body_with(path, new))
    except Refusal as refusal:
        assert refusal.status == 422
        str(refusal).encode()


@given(name=st.text(max_size=40), query=st.dictionaries(
    st.sampled_from(["encapsulation", "more", "token"]), st.text(max_size=40), max_size=3),
       kind=st.sampled_from(["calls/{call_id}", "conferences/{name}"]), upgrade=st.booleans(),
       headers=st.dictionaries(st.sampled_from(["Authorization", *HANDSHAKE]), st.text(
           st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20), max_size=2))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_paths_queries_and_headers(extreme_site: Site, name: str, query: dict[str, str], kind: str, upgrade: bool,
                                   headers: dict[str, str]) -> None:
    path = f"/v1.0/{kind}/media_stream"
    words = "&".join(f"{key}={quote(value)}" for key, value in {"token": TOKEN, **query}.items())
    target = path.replace(path[path.index("{"):path.index("}") + 1], quote(name, safe="") or "x")
    answer = extreme_site.request(f"{target}?{words}", upgrade=upgrade, **headers)
    extreme_site.forgive("127.0.0.1")
    if answer.status != 404 or answer.detail != "Not Found":  # a name with a slash in it is another route
        check(extreme_site, answer, path, "get")
