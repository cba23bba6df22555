from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.errors import ConnectError
from freeswitch_audio_stream.transports.target import Target


@pytest.mark.parametrize("url, expected", [
    ("ws://host", Target("ws", "host", 80, "/", None)),
    ("wss://host/", Target("wss", "host", 443, "/", None)),
    ("ws://my_host.example:8080/a/b?c=d&e=f", Target("ws", "my_host.example", 8080, "/a/b?c=d&e=f", None)),
    ("wss://[2001:db8::1]:9/x", Target("wss", "2001:db8::1", 9, "/x", None)),
    ("audiosocket://host:9092", Target("audiosocket", "host", 9092, "/", None)),
    ("AudioSocket://[::1]:9092/", Target("audiosocket", "::1", 9092, "/", None)),
    ("ws://user:p%40ss@host/", Target("ws", "host", 80, "/", ("user", "p@ss"))),
    ("ws://user@host?q", Target("ws", "host", 80, "/?q", ("user", ""))),
    ("ws://host/a b;c/é%20?d;e#f", Target("ws", "host", 80, "/a%20b%3Bc/%C3%A9%20?d;e", None)),
])
def test_parts(url: str, expected: Target) -> None:
    assert Target.of(url) == expected


@pytest.mark.parametrize("url, where, again", [
    ("ws://user:secret@host/x", "host:80", "ws://host:80/x"),
    ("wss://[::1]/", "[::1]:443", "wss://[::1]:443/"),
])
def test_texts_hold_no_password(url: str, where: str, again: str) -> None:
    target = Target.of(url)
    assert (target.where, target.url) == (where, again)


@pytest.mark.parametrize("url",
                         ["", "host", "ftp://host", "ws://", "ws://:80/", "ws://host:99999", "ws://host:x",
                          "ws://[::1", "ws://user:secret@/", "audiosocket://host", "audiosocket://host/"])
def test_bad_urls(url: str) -> None:
    with pytest.raises(ConnectError) as refusal:
        Target.of(url)
    assert "secret" not in str(refusal.value)


@given(st.text() | st.text().map("ws://{}".format))
def test_no_other_exception(url: str) -> None:
    try:
        target = Target.of(url)
    except ConnectError:
        return
    assert target.resource.isascii() and target.resource.isprintable() and " " not in target.resource
