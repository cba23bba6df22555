"""Others' event socket clients at a real FreeSWITCH: they start a stream, follow it, and end the call."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from tests.others.installs import PROGRAMS, node_modules, python_with
from tests.others.pins import GREENSWITCH, MODESL
from tests.programs import has_said, running

from .conftest import closed, wait_until


def _modesl() -> tuple[list[str], Path]:
    return ["node", str(PROGRAMS / "modesl_client.cjs")], node_modules(MODESL)


def _greenswitch() -> tuple[list[str], Path]:
    return [str(python_with(GREENSWITCH)), str(PROGRAMS / "greenswitch_client.py")], PROGRAMS


@pytest.mark.parametrize("client", [_modesl, _greenswitch])
def test_a_client(client: Callable[[], tuple[list[str], Path]], freeswitch: FreeSwitch, events: EventSocket,
                  agent: Agent) -> None:
    command, folder = client()
    uuid = events.api("originate loopback/park/default &park()").split()[1]
    with running([*command, str(freeswitch.ports.event_socket), uuid, agent.url], folder) as lines:
        wait_until(lambda: has_said(lines, f"stream_stopped {uuid} s"))
        assert has_said(lines, "answer +OK Success") and has_said(lines, f"connection_established {uuid} s")
    assert events.api(f"uuid_exists {uuid}") == "false"
    closed(agent.wait_for_session(1))
