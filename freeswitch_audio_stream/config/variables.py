"""Names of the module's variables, those of the environment and those of channels."""

from __future__ import annotations

from typing import Mapping

VARIABLE_PREFIX = "MOD_AUDIO_STREAM_"

ALIASES: Mapping[str, tuple[str, ...]] = {
    "http_auth_user": ("MOD_AUDIO_BASIC_AUTH_USERNAME",),
    "http_auth_password": ("MOD_AUDIO_BASIC_AUTH_PASSWORD",),
}
"""By the attribute of a setting: channel variables that are looked at when that of its own name is not set."""

NEEDED = frozenset({"extra_headers"})
"""Attributes without which a call's server would refuse the call that sets them: one that cannot be used in a channel
variable is not passed over.
"""
