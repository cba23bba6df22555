"""What a profile of ``openai-realtime`` has: the protocol's options, and where the service and its key are."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

from .....errors import AgentError
from .....protocols.agents.options import whole
from .....protocols.openai_realtime import OPTIONS, RealtimeOptions, read_options

DEFAULT_URL = "wss://api.openai.com/v1"
DEFAULT_KEY_ENV = "OPENAI_API_KEY"
DEFAULT_RENEW_SECS = 55 * 60
LONGEST_SESSION_SECS = 60 * 60
"""After which the service ends a session."""
OWN_OPTIONS: Mapping[str, str] = {
    "base_url": "Where the service is, without /realtime; ws and http only to this machine, or without a key.",
    "api_key_env": "The environment variable that holds the key; empty: no key.",
    "api_key_file": "A file that holds the key, instead; it is read for each connection.",
    "renew_after_secs": "When a new session takes over; the service ends one after 3600 s.",
}
"""The options that are not the protocol's, and what they mean."""
TOOL_OPTIONS: Mapping[str, str] = {
    "webhook": "The URL that answers calls of the function, by a POST.",
    "webhook_headers": "Headers of that request, such as Authorization.",
    "python": "The function that answers them, as module:function.",
    "timeout_secs": "How long an answer may take; 10 by default.",
}
"""What a tool may have beside name, description and parameters: at most one of webhook and python."""
DEFAULT_TOOL_SECS = 10

_PYTHON = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_KEY = re.compile(r"[\x21-\x7e]{1,512}")


@dataclass(frozen=True)
class Tool:
    """Who answers calls of a function."""

    name: str
    webhook: str = ""
    headers: Mapping[str, str] | None = None
    python: str = ""
    timeout_secs: int = DEFAULT_TOOL_SECS


@dataclass(frozen=True)
class ProfileOptions:
    """The options of a profile, each valid."""

    session: RealtimeOptions
    base_url: str = DEFAULT_URL
    api_key_env: str = DEFAULT_KEY_ENV
    api_key_file: str = ""
    renew_after_secs: int = DEFAULT_RENEW_SECS
    tools: Sequence[Tool] = ()

    @property
    def url(self) -> str:
        """The URL of a session."""
        parts = urlsplit(self.base_url)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        query = "&".join(filter(None, [parts.query, urlencode({"model": self.session.model})]))
        return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/realtime", query, ""))

    def key(self) -> str:
        """Return the key, "" where there is to be none; raise AgentError where it cannot be had. Reads a file."""
        if self.api_key_file:
            try:
                key = Path(self.api_key_file).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise AgentError(f"the file {self.api_key_file} of api_key_file cannot be read: {error}") from error
            origin = f"the file {self.api_key_file} of api_key_file"
        elif self.api_key_env:
            key = os.environ.get(self.api_key_env, "").strip()
            origin = f"the environment variable {self.api_key_env} of api_key_env"
        else:
            return ""
        if not _KEY.fullmatch(key):
            raise AgentError(f"{origin} holds no key: put it there, or set api_key_env to \"\" for a service without")
        return key


def read_profile(given: Mapping[str, Any]) -> ProfileOptions:
    """Return the options of a profile; raise ValueError where one is unknown or cannot be used."""
    if unknown := given.keys() - OPTIONS.keys() - OWN_OPTIONS.keys():
        said = "the key belongs into the environment or a file: use api_key_env or api_key_file" \
            if "api_key" in unknown else f"use {', '.join([*OPTIONS, *OWN_OPTIONS])}"
        raise ValueError(f"there is no option {', '.join(sorted(unknown))}: {said}")
    own = {name: _own(name, value) for name, value in given.items() if name in OWN_OPTIONS}
    of_session = {name: value for name, value in given.items() if name in OPTIONS}
    tools: list[Tool] = []
    if isinstance(given.get("tools"), list):
        tools = [_tool(tool) for tool in given["tools"] if isinstance(tool, dict)]
        of_session["tools"] = [_declared(tool) for tool in given["tools"]]
    options = ProfileOptions(read_options(of_session), tools=tuple(tools), **own)
    _check_privacy(options)
    return options


def _own(name: str, value: Any) -> Any:
    try:
        if name == "renew_after_secs":
            return whole(1, LONGEST_SESSION_SECS - 60)(value)
        if not isinstance(value, str):
            raise ValueError("write a text")
        if name == "base_url":
            return _url(value, "ws", "wss", "http", "https")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return value


def _url(value: Any, *schemes: str) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in schemes or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"write a URL that begins with {', '.join(f'{scheme}://' for scheme in schemes)}, without "
                         "user and fragment")
    return str(value)


def _check_privacy(options: ProfileOptions) -> None:
    parts = urlsplit(options.base_url)
    has_key = bool(options.api_key_file or options.api_key_env)
    if parts.scheme in ("ws", "http") and has_key and not is_loopback(parts.hostname or ""):
        raise ValueError("base_url: the key would travel without encryption: use wss://, or set api_key_env to \"\"")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _declared(tool: Any) -> Any:
    return {name: value for name, value in tool.items() if name not in TOOL_OPTIONS} if isinstance(tool, dict) else tool


def _tool(given: Mapping[str, Any]) -> Tool:
    name = str(given.get("name"))
    try:
        webhook = _url(given["webhook"], "http", "https") if "webhook" in given else ""
        python = given.get("python", "")
        if python and not (isinstance(python, str) and _PYTHON.fullmatch(python)):
            raise ValueError("python is to be a text such as package.module:function")
        if webhook and python:
            raise ValueError("it has both webhook and python: one of them answers")
        headers = given.get("webhook_headers")
        if headers is not None and not (isinstance(headers, dict) and all(
                isinstance(one, str) for pair in headers.items() for one in pair)):
            raise ValueError("webhook_headers are to be an object with texts")
        seconds = whole(1, 300)(given.get("timeout_secs", DEFAULT_TOOL_SECS))
    except ValueError as error:
        raise ValueError(f"tools: {name}: {error}") from error
    return Tool(name, webhook, headers, python, seconds)
