"""Keys: what each is good for, however it is written, and that none can be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.web.keys import LONGEST_KEY, Keys, bearer


def test_what_each_is_good_for() -> None:
    keys = Keys({"one-key": "a", "another-key": "b", "kéy": "c"})
    assert [keys.find(key) for key in ("one-key", "another-key", "kéy")] == ["a", "b", "c"]
    for wrong in ("", " one-key", "one-key ", "One-key", "one-ke", "\ud800", "x" * (LONGEST_KEY + 1)):
        assert keys.find(wrong) is None
    assert len(keys) == 3 and Keys({"": "nothing"}).find("") is None


def test_every_key_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them is right, or whether any is, cannot be told from the time that it takes."""
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: compared.append(other) or one == other)
    keys = Keys({f"key-{number}": number for number in range(5)})
    for key in ("key-0", "key-4", "none"):
        compared.clear()
        keys.find(key)
        assert len(set(compared)) == len(compared) == 5


def test_nothing_shows_a_key() -> None:
    assert "a-secret-key" not in str(vars(Keys({"a-secret-key": None})))


@given(st.text(min_size=1, max_size=50), st.text(max_size=50))
def test_only_what_is_equal_is_found(key: str, other: str) -> None:
    assert (Keys({key: True}).find(other) is True) == (key == other)


@pytest.mark.parametrize("header, token", [
    ("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("BEARER ", ""), ("Basic abc", None), ("", None), ("abc", None),
])
def test_bearer(header: str, token: str | None) -> None:
    assert bearer(header) == token
