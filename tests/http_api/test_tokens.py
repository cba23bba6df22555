"""What tokens are good for, how they are made, and by whom."""

from __future__ import annotations

import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.commands import MintToken
from freeswitch_audio_stream.http_api.tokens import Grant, Tokens

from .harness import Site

SECRET = "s" * 40


def test_static_tokens_are_good_for_everything() -> None:
    tokens = Tokens("first-token-of-two  second-token-of-two ", "", 60)
    for token in ("first-token-of-two", "second-token-of-two"):
        grant = tokens.check(token)
        assert grant is not None and grant.is_for_everything and grant.covers("call", "x")
    for token in ("", " ", "first-token-of-two ", "first-token-of-two  second-token-of-two", "First-token-of-two"):
        assert tokens.check(token) is None


def test_no_tokens_let_nobody_in() -> None:
    assert Tokens("", "", 60).check("") is None


def test_a_signed_token_is_good_for_what_it_names() -> None:
    tokens = Tokens("", SECRET, 60)
    for kind, name in (("call", "a:b"), ("conference", "room")):
        grant = tokens.check(tokens.mint(MintToken(kind, name)))
        assert grant == Grant(kind, name)
        assert grant.covers(kind, name) and not grant.is_for_everything
        assert not grant.covers(kind, name + "x") and not grant.covers("other", name)


def test_how_long_a_token_lasts() -> None:
    tokens = Tokens("", SECRET, 77)
    now = time.time()
    for seconds, expected in ((None, 77), (5, 5)):
        claims = jwt.decode(tokens.mint(MintToken("call", "u", seconds)), SECRET, ["HS256"], audience="media_stream")
        assert expected - 1 <= claims["exp"] - now <= expected + 60


def test_the_secret_is_that_of_the_settings_or_a_new_one() -> None:
    token = Tokens("", SECRET, 60).mint(MintToken("call", "u"))
    assert Tokens("", SECRET, 60).check(token)
    assert Tokens("", "", 60).check(token) is None
    assert Tokens("", "", 60).check(Tokens("", "", 60).mint(MintToken("call", "u"))) is None


@given(st.text(max_size=200))
def test_anything_else_is_good_for_nothing(text: str) -> None:
    assert Tokens("a-static-token-0123", SECRET, 60).check(text) is None


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_token_that_was_touched_is_good_for_nothing(place: int, change: int) -> None:
    tokens = Tokens("", SECRET, 60)
    token = tokens.mint(MintToken("call", "u")).encode()
    place %= len(token) - 2  # the last character's low bits stand for nothing (base64)
    touched = bytearray(token)
    touched[place] ^= change
    assert tokens.check(touched.decode("latin-1")) is None


def test_the_command(site: Site) -> None:
    call = site.call()
    answer = site.run(f"{call.uuid} token 60")
    assert answer.startswith("+OK ") and site.server.tokens.check(answer[4:]) == Grant("call", call.uuid)
    answer = site.run("conference room token")
    assert site.server.tokens.check(answer[4:]) == Grant("conference", "room")
    assert site.run("nobody token").startswith("-ERR no such call")
    assert site.run(f"{call.uuid} token 0").startswith("-ERR bad seconds")


def test_the_application_makes_none(site: Site) -> None:
    """Its answer would become a channel variable, and with it part of every event of the call."""
    call = site.call()
    assert call.application("uuid_audio_stream", f"{call.uuid} token")
    assert call.variables["uuid_audio_stream_result"].startswith("-ERR")
    assert "eyJ" not in call.variables["uuid_audio_stream_result"]
    site.switch.log_lines.clear()


@pytest.mark.parametrize("value", ["short", "a-token-with-ümlaut-in-it", "x" * 257])
def test_settings_that_are_no_tokens(value: str) -> None:
    site = Site(tokens=value)
    try:
        texts = [line.text for line in site.switch.log_lines if "media-server-tokens" in line.text]
        assert texts and not any(value in text for text in texts)
        assert site.request(f"/v1.0/calls/x/media_stream?token={value[:100].encode().hex()}").status == 401
    finally:
        site.close()
