"""Servers such as people write for the community module, on others' libraries: they hear, answer and hang up."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from tests.engine.community.user import User
from tests.engine.harness import find, noise, until
from tests.programs import has_said, running

from .installs import PROGRAMS, go_program, node_modules, python_with
from .pins import CHANNELS, DAPHNE, DENO, FLASK_SOCK

pytestmark = pytest.mark.slow
SPEECH = noise(8000, 51)
_STARTS_WITHIN = 120


def _flask() -> list[str]:
    return [str(python_with(FLASK_SOCK)), str(PROGRAMS / "flask_server.py")]


def _channels() -> list[str]:
    return [str(python_with(CHANNELS, DAPHNE)), str(PROGRAMS / "channels_server.py")]


def _deno() -> list[str]:
    return [str(node_modules(DENO) / "node_modules/.bin/deno"), "run", "--no-check", "--allow-net", "--allow-write",
            str(PROGRAMS / "deno_server.ts")]


def _gorilla() -> list[str]:
    return [str(go_program("gorilla_server"))]


@pytest.mark.parametrize("command", [_flask, _channels, _deno, _gorilla])
def test_a_server(command: Callable[[], list[str]], user: User, tmp_path: Path) -> None:
    program, port, file = command(), _free_port(), tmp_path / "heard.raw"
    with running([*program, str(port), str(file)], tmp_path) as lines:
        until(lambda: _listens(port), _STARTS_WITHIN)
        call = user.call(app="playback", speed=2, STREAM_PLAYBACK="true")
        user.start(call, f"ws://127.0.0.1:{port}/stream", 'mono 8k {"caller":"Ann"}')
        assert user.event("connect", call) == {"status": "connected"}
        call.say(SPEECH)
        until(lambda: file.exists() and find(np.fromfile(file, "<i2"), SPEECH) >= 0)
        user.tell(call, "send_text play")
        until(lambda: find(call.heard(), SPEECH) >= 0)
        user.tell(call, "send_text bye")
        assert user.event("disconnect", call)["message"]["code"] == 1000
        until(lambda: has_said(lines, "heard "))
        assert has_said(lines, 'metadata {"caller":"Ann"}')
        assert command is not _gorilla or has_said(lines, "extensions permessage-deflate")
        assert user.bodies("error", call) == []
        user.tell(call, "stop")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
