"""What a stream to a speech agent is given beside its command: a profile, and what settings say."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping

import orjson

from ...commands import Start, check_url
from ...config import StreamSettings, read_profile
from ...errors import SettingError
from ...protocols import PROTOCOLS, AgentProtocol, WireProtocol
from ...protocols.agent_functions import FUNCTIONS

_OWN = ("protocol", "url", "api_key_env", "api_key_file")
"""What a profile has that is none of the agent's options."""
_KEY = re.compile(r"[\x21-\x7e]{1,512}")


def with_profile(command: Start, settings: StreamSettings) -> tuple[Start, StreamSettings]:
    """Return a command and its settings as the profile that `agent` names completes them: what the command says itself
    counts. Raise SettingError or RefusedError where the profile cannot be used. Blocks: files are read.
    """
    if not settings.agent:
        return command, settings
    profile = read_profile(settings.agents_dir, settings.agent)
    where = f"the agent profile {settings.agent}"
    texts = {name: _text(profile, name, where) for name in _OWN if name in profile}
    if "protocol" in texts and "protocol" not in command.prefix:
        settings = replace(settings, protocol=texts["protocol"])
    if not isinstance(PROTOCOLS.get(settings.protocol), AgentProtocol):
        known = ", ".join(name for name, protocol in PROTOCOLS.items() if isinstance(protocol, AgentProtocol))
        raise SettingError(f"{where} has the protocol {settings.protocol[:80]}, which is none of a speech agent's: use "
                           f"one of {known}")
    url = command.url or texts.get("url", "")
    if not url:
        raise SettingError(f"{where} has no url, and start names none: name it in one of them")
    check_url(url)
    key = _key(texts, where)
    settings = replace(settings, api_key=key) if key else settings
    options = {name: value for name, value in profile.items() if name not in _OWN}
    metadata = orjson.dumps({**options, **_metadata(command.metadata)}).decode()
    return replace(command, url=url, metadata=metadata), settings


def with_settings(command: Start, settings: StreamSettings, protocol: WireProtocol) -> Start:
    """Return a command whose options have what the settings say of agents: the functions that `call-control` allows,
    and how long speech must last to interrupt, unless they say it themselves. Raise SettingError.
    """
    if not isinstance(protocol, AgentProtocol):
        return command
    added: dict[str, Any] = {}
    options = _metadata(command.metadata)
    if settings.confirm_speech_ms and "confirm_speech_ms" in protocol.options:
        added["confirm_speech_ms"] = settings.confirm_speech_ms
    if "tools" in protocol.options and isinstance(options.get("tools", []), list):
        tools = _with_ours(options.get("tools", []), settings)
        options = {**options, "tools": tools} if tools else options
    merged = {**added, **options}
    return replace(command, metadata=orjson.dumps(merged).decode()) if merged else command


def _with_ours(tools: list[Any], settings: StreamSettings) -> list[Any]:
    """Return tools of the application's, and behind them those of ours that are allowed and have other names."""
    places = sorted(name for name in settings.transfer_places if "@" not in name)
    allowed = [function.declared(places) for function in FUNCTIONS.values() if function.word in settings.call_actions]
    names = {tool.get("name") for tool in tools if isinstance(tool, dict)}
    return [*tools, *(tool for tool in allowed if tool["name"] not in names)]


def _text(profile: Mapping[str, Any], name: str, where: str) -> str:
    value = profile[name]
    if not isinstance(value, str) or not value:
        raise SettingError(f"{name} of {where} is no text: write one")
    return value


def _key(texts: Mapping[str, str], where: str) -> str:
    """Return the key, "" where the profile does not say where it is. What is read is in no error."""
    if name := texts.get("api_key_env"):
        key, origin = os.environ.get(name, ""), f"the environment variable {name} of api_key_env"
    elif path := texts.get("api_key_file"):
        origin = f"the file {path} of api_key_file"
        try:
            key = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{where}: {origin} cannot be read") from error
    else:
        return ""
    if not _KEY.fullmatch(key.strip()):
        raise SettingError(f"{where}: {origin} holds no key")
    return key.strip()


def _metadata(text: str | None) -> dict[str, Any]:
    """Return options; none where they are no JSON object, of which the protocol complains."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise SettingError(f"the metadata are no JSON: {error}") from error
    if not isinstance(value, dict):
        raise SettingError("the metadata are no JSON object")
    return value
