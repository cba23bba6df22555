"""An embedded switch with the module for the programs, and ports for them."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.engine.community.user import User
from tests.engine.harness import Platform


@pytest.fixture(scope="module")
def running_platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def platform(running_platform: Platform) -> Iterator[Platform]:
    """No call and no stream of another test is on it, and none may be left."""
    yield running_platform
    running_platform.settle()


@pytest.fixture
def user(platform: Platform) -> User:
    return User(platform)
