"""What an aiAgentRef stands for: files, a setting, the default, and what is said about an unknown one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freeswitch_audio_stream.config.profiles import LONGEST_FILE
from freeswitch_audio_stream.errors import AgentError, AgentNotFound, SettingError
from freeswitch_audio_stream.services.gateway.agents import AgentProfile, Choice, Profiles


def _folder(tmp_path: Path, **files: str) -> str:
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    return str(tmp_path)


def test_without_any_everybody_gets_echo() -> None:
    profiles = Profiles.load()
    assert profiles.choose(None) == profiles.choose("") == Choice(AgentProfile("echo", "echo"))
    assert profiles.names == ("echo",)


def test_an_unknown_one_gets_the_default_and_it_is_said() -> None:
    choice = Profiles.load().choose("customer-care-voice")
    assert choice.profile.agent == "echo"
    assert choice.remark == "there is no agent profile 'customer-care-voice': 'echo' is used instead"


def test_strict_refuses_an_unknown_one_and_lists_those_there_are(tmp_path: Path) -> None:
    profiles = Profiles.load(_folder(tmp_path, sales="{}", care="{}"), strict=True)
    with pytest.raises(AgentNotFound, match="no agent profile 'nobody': use one of care, echo, sales"):
        profiles.choose("nobody")
    assert profiles.choose("care").profile.name == "care"
    assert profiles.choose(None).profile.name == "echo"


def test_files_and_the_setting_which_replaces_them(tmp_path: Path) -> None:
    folder = _folder(tmp_path, care='{"agent": "echo"}', sales="{}")
    profiles = Profiles.load(folder, json.dumps({"sales": {"agent": "echo"}, "night": {}}))
    assert profiles.names == ("care", "echo", "night", "sales")
    assert profiles.choose("night") == Choice(AgentProfile("night"))


@pytest.mark.parametrize("names, default, expected", [
    (["care"], "", "care"),                       # the only one that is configured
    (["care", "sales"], "", "echo"),
    (["care", "default"], "", "default"),
    (["care", "sales"], "sales", "sales"),
    (["care"], "echo", "echo"),
])
def test_the_default(names: list[str], default: str, expected: str) -> None:
    profiles = Profiles.load(inline=json.dumps({name: {} for name in names}), default=default)
    assert profiles.default.name == expected
    assert profiles.choose("unknown").profile.name == expected


def test_a_default_that_is_not_there_is_refused() -> None:
    with pytest.raises(AgentNotFound, match="no agent profile 'care', which is to be the default: use one of echo"):
        Profiles.load(default="care")


def test_options_are_all_but_the_agent_and_are_checked_at_once(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="care.json: the agent echo has no options: remove 'voice'"):
        Profiles.load(_folder(tmp_path, care='{"agent": "echo", "voice": "marin"}'))


@pytest.mark.parametrize("text, complaint", [
    ("{", "care.json is not JSON: "),
    ("[]", "care.json is no JSON object: write"),
    ('{"agent": 1}', "care.json has an agent that is no text"),
    ('{"agent": "parrot"}', "care.json: there is no agent 'parrot': use one of .*echo"),
    (" " * (LONGEST_FILE + 1), f"care.json has more than {LONGEST_FILE} bytes"),
])
def test_files_that_cannot_be_used_are_named(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises((SettingError, AgentError), match=complaint):
        Profiles.load(_folder(tmp_path, care=text))


@pytest.mark.parametrize("inline, complaint", [
    ("{", "the setting with the agents' profiles is not JSON"),
    ("[]", "the setting with the agents' profiles is no JSON object"),
    ('{"a b": {}}', "cannot be the name of an agent profile: use 1 to 128 letters"),
    ('{"care": []}', "the profile 'care' is no JSON object"),
])
def test_a_setting_that_cannot_be_used_is_explained(inline: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        Profiles.load(inline=inline)


def test_a_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(SettingError, match="there is no folder /nowhere, where the agents' profiles are to be"):
        Profiles.load("/nowhere")
