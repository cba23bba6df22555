"""Every command has a handler."""

from __future__ import annotations

from typing import get_args

from freeswitch_audio_stream.commands import Command

from .harness import Platform


def test_every_command_has_a_handler(platform: Platform) -> None:
    assert set(platform.module.registry._handlers) == set(get_args(Command))
