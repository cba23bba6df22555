"""What a profile may have, and what is said of one that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from freeswitch_audio_stream.errors import AgentError
from freeswitch_audio_stream.services.gateway.agents import Profiles
from freeswitch_audio_stream.services.gateway.agents.openai_realtime import OpenAIRealtime
from freeswitch_audio_stream.services.gateway.agents.openai_realtime.options import read_profile

from .conftest import KEY


@pytest.mark.parametrize("given, url", [
    ({}, "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
    ({"base_url": "https://example.com/v1/", "model": "a b"}, "wss://example.com/v1/realtime?model=a+b"),
    ({"base_url": "ws://127.0.0.1:8000/x?api-version=1"}, "ws://127.0.0.1:8000/x/realtime?api-version=1&model="
     "gpt-realtime-2.1"),
    ({"base_url": "ws://models.lan", "api_key_env": ""}, "ws://models.lan/realtime?model=gpt-realtime-2.1"),
])
def test_urls(given: dict[str, Any], url: str) -> None:
    assert read_profile(given).url == url


@pytest.mark.parametrize("given, fault", [
    ({"api_key": KEY}, "no option api_key: the key belongs into the environment or a file"),
    ({"modell": "x"}, "no option modell: use model, voice"),
    ({"base_url": "ws://models.lan"}, "the key would travel without encryption"),
    ({"base_url": "models.lan"}, "base_url: write a URL that begins with ws://"),
    ({"base_url": "wss://user:x@models.lan"}, "base_url: write a URL"),
    ({"renew_after_secs": 3600}, "renew_after_secs: write a whole number from 1 to 3540"),
    ({"api_key_env": 5}, "api_key_env: write a text"),
    ({"tools": [{"name": "a", "webhook": "ftp://x"}]}, "tools: a: write a URL that begins with http://"),
    ({"tools": [{"name": "a", "python": "x"}]}, "tools: a: python is to be a text such as"),
    ({"tools": [{"name": "a", "python": "x:y", "webhook": "http://x"}]}, "has both webhook and python"),
    ({"tools": [{"name": "a", "webhook_headers": {"x": 1}}]}, "webhook_headers are to be an object with texts"),
    ({"tools": [{"name": "a", "timeout_secs": 0}]}, "whole number from 1 to 300"),
    ({"tools": [{"name": "a", "colour": 1}]}, "the tool a has colour, which is not known"),
    ({"tools": ["a"]}, "each tool is an object"),
])
def test_what_cannot_be(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_profile(given)


def test_the_key_is_in_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert read_profile({"api_key_file": str(file)}).key() == KEY
    monkeypatch.setenv("MY_KEY", KEY)
    assert read_profile({"api_key_env": "MY_KEY"}).key() == KEY
    assert read_profile({"api_key_env": ""}).key() == ""
    with pytest.raises(AgentError, match="cannot be read"):
        read_profile({"api_key_file": str(tmp_path / "none")}).key()


def test_a_missing_key_is_noticed_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(AgentError, match="the profile 'care': the environment variable OPENAI_API_KEY of api_key_env"):
        Profiles.load(inline='{"care": {"agent": "openai-realtime"}}')
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    profiles = Profiles.load(inline='{"care": {"agent": "openai-realtime"}}')
    assert profiles.choose("care").profile.agent == "openai-realtime"
    OpenAIRealtime.check({"voice": "cedar"})
