"""The servers of the documentation that are made of others' parts: a bot made with pipecat, and a transcription."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Iterator
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from websockets.sync.server import Server, ServerConnection, serve

from freeswitch_audio_stream.threads import start_thread
from tests.engine.harness import Platform, align, audible, noise, until
from tests.pipecat import pipecat_python
from tests.programs import has_said, running

from .pages import prepared

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def port_of(lines: list[str]) -> int:
    until(lambda: has_said(lines, "listening on port"), 120)
    return int(next(line for line in lines if "listening on port" in line).split()[-1])


@pytest.mark.parametrize("codec", ["", "mulaw "])
def test_a_bot_made_with_pipecat(platform: Platform, tmp_path: Path, codec: str) -> None:
    name = prepared("pipecat_bot.py", tmp_path, **{"PORT = 8080": "PORT = 0"})
    command = ["env", f"PYTHONPATH={ROOT}", str(pipecat_python()), name]
    with running(command, tmp_path) as lines:
        call = platform.call(app="playback", speed=1)
        platform.start(call, f"ws://127.0.0.1:{port_of(lines)}/", rate=codec + "8000", metadata='{"customer":"Ann"}')
        spoken = noise(16_000, 5, 3000)
        spoken = np.convolve(spoken, np.ones(4) / 4, "same").astype(np.int16)  # what goes through 16 kHz unharmed
        call.say(spoken)
        until(lambda: len(audible(call.heard())) > 14_000 and align(call.heard(), spoken[4000:12_000])[1] > 0.95)
        call.dtmf("5")
        until(lambda: has_said(lines, "digit 5"))
        platform.tell(call, "stop")
        until(lambda: has_said(lines, f"over {call.uuid} {{'customer': 'Ann'}}"))
        assert not platform.events("stream_error", call)


@pytest.fixture
def deepgram() -> Iterator[Server]:
    """A service that has understood one word for each second that it has heard."""
    def talk(connection: ServerConnection) -> None:
        assert connection.request is not None and connection.request.headers["Authorization"] == "Token secret"
        assert parse_qs(urlsplit(connection.request.path).query)["encoding"] == ["linear16"]
        heard = 0
        for message in connection:
            if isinstance(message, str):
                return  # CloseStream
            before, heard = heard, heard + len(message)
            if before // 16_000 < heard // 16_000:
                connection.send(json.dumps({
                    "type": "Results", "start": float(heard // 16_000 - 1), "is_final": True,
                    "channel": {"alternatives": [{"transcript": f"second {heard // 16_000}"}]}}))
    with serve(talk, "127.0.0.1", 0) as server:
        thread = start_thread("deepgram", server.serve_forever)
        yield server
        server.shutdown()
        thread.join(30)


def test_a_transcription(platform: Platform, tmp_path: Path, deepgram: Server,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "DEEPGRAM_API_KEY", "secret")
    name = prepared("transcribe.py", tmp_path, **{
        "PORT = 8080": "PORT = 0", "wss://api.deepgram.com": "ws://127.0.0.1:%d" % deepgram.socket.getsockname()[1]})
    with running([sys.executable, name], tmp_path) as lines:
        call = platform.call()
        platform.start(call, f"{{protocol=binary}}ws://127.0.0.1:{port_of(lines)}/")
        call.say(noise(24_000))
        payload = platform.event("transcription_received", call)["payload"]
        assert (payload["text"], payload["isFinal"], payload["start"]) == ("second 1", True, 0.0)
        platform.tell(call, "stop")
        platform.event("stream_stopped", call)
        assert not platform.events("stream_error", call)
