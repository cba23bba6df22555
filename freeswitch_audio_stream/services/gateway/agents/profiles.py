"""Profiles: what an ``aiAgentRef`` stands for. One JSON file each in a folder, or all of them in a setting.

    agents.d/customer-care-voice.json
    {"agent": "openai-realtime", "model": "gpt-realtime-2.1", "voice": "marin", "instructions": "…"}

``agent`` is the name of an installed agent; everything else is the agent's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import orjson

from ....config.profiles import NAME_RULE, is_name, read_file
from ....errors import AgentError, AgentNotFound, SettingError
from .interface import AgentProfile
from .registry import agent_class

ECHO = AgentProfile("echo")
"""The profile that is there without being configured."""


@dataclass(frozen=True)
class Choice:
    """The profile for a call."""

    profile: AgentProfile
    remark: str = ""
    """A sentence for the log and for who asks about the session, where it is not the profile that was asked for."""


class Profiles:
    """All profiles, each checked; immutable."""

    def __init__(self, profiles: Mapping[str, AgentProfile], default: str = ECHO.name, strict: bool = False) -> None:
        """`default` is the profile of calls that name none; without `strict` also of those that name an unknown one.
        Raise AgentNotFound where there is no such profile.
        """
        self._profiles = {ECHO.name: ECHO, **profiles}
        self._strict = strict
        self.default = self._default(default)

    @classmethod
    def load(cls, folder: str = "", inline: str = "", default: str = "", strict: bool = False) -> Profiles:
        """Return the profiles of the files ``*.json`` in `folder`, and of the JSON object `inline`, whose members
        replace files of the same name; "" means none. Without a `default` it is the only profile that is configured,
        or "default" where there are several and one is called so, else ``echo``.

        Blocks: files are read and agents imported. Raise SettingError where a file or the object cannot be used, and
        AgentError where an agent is not installed or does not accept its options.
        """
        profiles = {**_from_folder(folder), **_from_text(inline)}
        for profile, origin in profiles.values():
            _check(profile, origin)
        names = list(profiles)
        chosen = default or (names[0] if len(names) == 1 else "default" if "default" in names else ECHO.name)
        return cls({name: profile for name, (profile, _) in profiles.items()}, chosen, strict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all profiles, sorted."""
        return tuple(sorted(self._profiles))

    def choose(self, reference: str | None) -> Choice:
        """Return the profile that an ``aiAgentRef`` names; the default one where it names none, or an unknown one.
        Raise AgentNotFound, with a list of the profiles, where they are strict and it names an unknown one.
        """
        if not reference:
            return Choice(self.default)
        if reference in self._profiles:
            return Choice(self._profiles[reference])
        sentence = f"there is no agent profile {reference[:128]!r}"
        if self._strict:
            raise AgentNotFound(f"{sentence}: use one of {', '.join(self.names)}")
        return Choice(self.default, f"{sentence}: {self.default.name!r} is used instead")

    def _default(self, name: str) -> AgentProfile:
        if name not in self._profiles:
            raise AgentNotFound(f"there is no agent profile {name!r}, which is to be the default: use one of "
                                f"{', '.join(self.names)}")
        return self._profiles[name]


_Origins = dict[str, tuple[AgentProfile, str]]


def _from_folder(folder: str) -> _Origins:
    if not folder:
        return {}
    if not Path(folder).is_dir():
        raise SettingError(f"there is no folder {folder}, where the agents' profiles are to be: make it, or name "
                           "another")
    return {file.stem: (_profile(file.stem, read_file(file), str(file)), str(file))
            for file in sorted(Path(folder).glob("*.json"))}


def _from_text(inline: str) -> _Origins:
    if not inline.strip():
        return {}
    try:
        body = orjson.loads(inline)
    except orjson.JSONDecodeError as error:
        raise SettingError(f"the setting with the agents' profiles is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise SettingError('the setting with the agents\' profiles is no JSON object: write {"name": {"agent": …}}')
    return {name: (_profile(name, value, f"the profile {name!r}"), f"the profile {name!r}")
            for name, value in body.items()}


def _profile(name: str, body: Any, origin: str) -> AgentProfile:
    if not is_name(name):
        raise SettingError(f"{origin} cannot be the name of an agent profile: {NAME_RULE}")
    if not isinstance(body, dict):
        raise SettingError(f'{origin} is no JSON object: write {{"agent": "echo"}} and what the agent needs further')
    agent = body.get("agent", ECHO.agent)
    if not isinstance(agent, str):
        raise SettingError(f"{origin} has an agent that is no text: write the name of an installed agent")
    return AgentProfile(name, agent, {key: value for key, value in body.items() if key != "agent"})


def _check(profile: AgentProfile, origin: str) -> None:
    try:
        agent_class(profile.agent).check(profile.options)
    except AgentNotFound as error:
        raise AgentNotFound(f"{origin}: {error}") from error
    except (AgentError, ValueError) as error:
        raise AgentError(f"{origin}: {error}") from error
