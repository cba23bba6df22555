"""Genesys' reference implementation of an AudioHook server, unchanged.

It is in no registry: ``AUDIOHOOK_REFERENCE`` names the folder ``app`` of a copy of
github.com/purecloudlabs/audiohook-reference-implementation in which ``npm install`` was run.
"""

from __future__ import annotations

import base64
import os
import re
import socket
from pathlib import Path
from typing import Iterator

import orjson
import pytest

from tests.programs import has_said, running

from .harness import Platform, noise, until

_FOLDER = os.environ.get("AUDIOHOOK_REFERENCE", "")
SECRET = base64.b64encode(b"what only both know").decode()
ORGANIZATION = "d7934305-0972-4844-938e-9060eef73d05"
_WARNING = re.compile(r'"level":[456]0')

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not _FOLDER, reason="AUDIOHOOK_REFERENCE names no copy of Genesys' reference implementation")]


class Reference:
    """The running server."""

    def __init__(self, lines: list[str], port: int) -> None:
        self.lines, self.url = lines, f"ws://127.0.0.1:{port}/api/v1/audiohook/ws"


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"SERVERPORT": str(port), "STATIC_API_KEY_MAP": orjson.dumps({"KEY": SECRET}).decode(),
                "NODE_ENV": "production", "LOG_ROOT_DIR": "/tmp"}
    command = ["env", *(f"{name}={value}" for name, value in settings.items()), "node", "-r",
               "ts-node/register/transpile-only", "src/index.ts"]
    with running(command, Path(_FOLDER)) as lines:
        until(lambda: has_said(lines, "audiohook/ws"), 120)
        yield Reference(lines, port)


@pytest.mark.parametrize("track, secret", [("inbound", SECRET), ("both", SECRET), ("both", "bm90IHRoaXM=")])
def test_its_server_takes_our_signature_and_our_audio(platform: Platform, reference: Reference, track: str,
                                                      secret: str) -> None:
    before = len(reference.lines)
    call = platform.call(app="playback")
    platform.start(call, f"{{protocol=audiohook,api-key=KEY,api-secret={secret},platform-account-id={ORGANIZATION}}}"
                   + reference.url, track=track)
    if secret != SECRET:
        error = platform.event("stream_error", call, kind="disconnect")
        assert "unauthorized" in error["error"]
        assert platform.event("stream_stopped", call)["reason"] == "server_closed"
        return
    call.say(noise(16_000))
    until(lambda: platform.status(call)["messagesSent"] > 150)
    platform.tell(call, "stop")
    statistics = platform.event("stream_stopped", call)["statistics"]
    until(lambda: has_said(reference.lines[before:], "Session statistics"))
    said = [line for line in reference.lines[before:] if not _WARNING.search(line)]
    assert said == reference.lines[before:], "it has nothing to complain about"
    assert has_said(said, "VERIFIED") and has_said(said, "Close handlers completed, session closed")
    told = next(line for line in said if "Session statistics" in line)
    seconds = float(re.search(r"end: PT([\d.]+)S", told)[1])  # type: ignore[index]
    assert 0 <= statistics["msCaptured"] - 1000 * seconds < 20
    assert not platform.events("stream_error", call)
