"""One core for all of its tests, on a fake FreeSWITCH; streams that are closed when their test is over."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import pytest

from freeswitch_audio_stream.realtime.core import Core

from .fake_leg import FakeFreeSwitch
from .open_stream import OpenStream


@pytest.fixture(scope="session")
def switch() -> Iterator[FakeFreeSwitch]:
    fake = FakeFreeSwitch()
    yield fake
    assert fake.faults == []


@pytest.fixture(scope="session")
def core(switch: FakeFreeSwitch) -> Iterator[Core]:
    core = Core(switch.addresses, workers=1)
    yield core
    assert core.stop(10)


@pytest.fixture
def open_stream(core: Core, switch: FakeFreeSwitch) -> Iterator[Callable[..., OpenStream]]:
    """Make streams: ``open_stream(tracks="both", rate=16000, …)``, see `open_stream.OpenStream`."""
    opened: list[OpenStream] = []

    def make(**form: Any) -> OpenStream:
        opened.append(OpenStream(core, switch, **form))
        return opened[-1]
    yield make
    for stream in opened:
        stream.close()
