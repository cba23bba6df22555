"""The contract between the border and a switch, kept by the embedded one."""

from __future__ import annotations

from typing import Iterator

import numpy as np
import pytest

from freeswitch_audio_stream.simulator import EmbeddedSwitch
from freeswitch_audio_stream.switch import Switch

from .contract import CHECKS


class Embedded:
    """The contract's environment on an embedded switch."""

    def __init__(self) -> None:
        self.embedded = EmbeddedSwitch()
        self.switch = Switch(self.embedded.resolve)
        self.speech = (8000 * np.sin(np.arange(60 * 8000) / 7)).astype(np.int16)

    def call(self, app: str) -> str:
        return self.embedded.call(speech=self.speech, app=app).uuid

    def hang_up(self, uuid: str) -> None:
        for call in self.embedded.sessions:
            if call.uuid == uuid:
                call.hangup()

    def press(self, uuid: str, digit: str) -> None:
        assert next(call for call in self.embedded.sessions if call.uuid == uuid).dtmf(digit)

    def command(self, line: str) -> str:
        return self.embedded.execute(line)


@pytest.fixture
def environment() -> Iterator[Embedded]:
    environment = Embedded()
    yield environment
    environment.embedded.shutdown()
    assert environment.embedded.misuses == 0
    assert environment.embedded.event_system.held == 0
    assert environment.embedded.codecs.open == 0


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_contract(name: str, environment: Embedded) -> None:
    CHECKS[name](environment)
