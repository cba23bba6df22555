"""Profiles of speech agents: files that complete a start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.simulator import EmbeddedCall  # noqa: E402
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script  # noqa: E402

from ..harness import Platform, audible, until  # noqa: E402
from .speech import told_nowhere, voice  # noqa: E402

KEY = "sk-test-0123456789"


@pytest.fixture
def service() -> Iterator[RealtimeServer]:
    with RealtimeServer(Script(lambda turn: Reply("yes", np.repeat(voice(1, 0.5), 3))), KEY) as server:
        yield server
        assert [fault for session in server.sessions for fault in session.invalid] == []


def _write(folder: Path, service: RealtimeServer, **more: Any) -> None:
    body = {"protocol": "openai-realtime", "url": service.url + "/realtime?model=m", "voice": "cedar",
            "instructions": "You answer for a bakery.", "greeting": "Good morning!", **more}
    (folder / "desk.json").write_text(json.dumps(body))


def _call(platform: Platform, folder: Path) -> EmbeddedCall:
    return platform.call(app="playback", speed=2, variables={"MOD_AUDIO_STREAM_AGENTS_DIR": str(folder)})


def test_a_profile_says_everything_and_start_may_say_otherwise(
        platform: Platform, service: RealtimeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_KEY", KEY + "\n")
    _write(tmp_path, service, api_key_env="DESK_KEY", tools=[{"name": "opening_hours"}])
    call = _call(platform, tmp_path)
    platform.start(call, "{agent=desk}", rate="mulaw 8000", metadata='{"voice":"marin"}')
    until(lambda: len(audible(call.heard())) == 4000)
    settings = service.sessions[0].settings
    assert settings["audio"]["output"]["voice"] == "marin"
    assert settings["instructions"] == "You answer for a bakery." and settings["tools"][0]["name"] == "opening_hours"
    assert told_nowhere(platform, call, KEY)


def test_a_key_in_a_file_and_another_url(platform: Platform, service: RealtimeServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    _write(tmp_path, service, url="wss://nowhere.invalid/", api_key_file=str(tmp_path / "key"))
    call = _call(platform, tmp_path)
    platform.start(call, "{agent=desk}" + service.url + "/realtime?model=other", rate="mulaw 8000")
    until(lambda: len(audible(call.heard())) == 4000)
    assert service.models == ["other"]


@pytest.mark.parametrize("more, fault", [
    ({"voise": "x"}, "there is no option voise"), ({"protocol": "json"}, "none of a speech agent's"),
    ({"url": "http://x/"}, "bad URL"), ({"url": 5}, "url of the agent profile desk is no text"),
    ({"api_key_env": "NO_SUCH_VARIABLE_1"}, "NO_SUCH_VARIABLE_1 of api_key_env holds no key"),
    ({"api_key_file": "/no/such/file"}, "/no/such/file of api_key_file cannot be read"),
    ({"tools": [{"name": "a b"}]}, "tools: each tool")])
def test_profiles_that_cannot_be_used(more: dict[str, Any], fault: str, platform: Platform, service: RealtimeServer,
                                      tmp_path: Path) -> None:
    _write(tmp_path, service, **more)
    call = _call(platform, tmp_path)
    answer = platform.run(f"{call.uuid} s start {{agent=desk}} inbound mulaw 8000 0 1")
    assert answer.startswith("-ERR ") and fault in answer


@pytest.mark.parametrize("text, name, fault", [
    ("{", "desk", "is not JSON"), ("[]", "desk", "is no JSON object"), ("{}", "nobody", "use one of desk"),
    ("{}", "../desk", "agent"), ('{"protocol":"openai-realtime"}', "desk", "has no url")])
def test_files_that_are_no_profile(text: str, name: str, fault: str, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "desk.json").write_text(text)
    call = _call(platform, tmp_path)
    answer = platform.run(f"{call.uuid} s start {{agent={name}}} inbound mulaw 8000 0 1")
    assert answer.startswith("-ERR ") and fault in answer


def test_without_a_folder_there_are_no_profiles(platform: Platform) -> None:
    call = platform.call()
    answer = platform.run(f"{call.uuid} s start {{agent=desk}} inbound mulaw 8000 0 1")
    assert answer.startswith("-ERR ") and "name it in agents-dir" in answer


def test_without_a_profile_a_url_is_needed(platform: Platform) -> None:
    call = platform.call()
    answer = platform.run(f"{call.uuid} s start {{protocol=openai-realtime}} inbound mulaw 8000 0 1")
    assert answer.startswith("-") and not platform.events("stream_started", call)
