from __future__ import annotations

from typing import Iterator

import pytest

from freeswitch_audio_stream.testing.peers.recording_server import Server

from ..harness import Platform
from .user import User


@pytest.fixture
def server() -> Iterator[Server]:
    """Offers compression, as the library does unless told otherwise."""
    with Server() as server:
        yield server


@pytest.fixture
def user(platform: Platform) -> User:
    return User(platform)
