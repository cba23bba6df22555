"""A server made with npm ``@jambonz/sdk``, unchanged: an independent reading of jambonz' audio streams."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.node import install
from tests.programs import has_said, running

from .harness import Platform, find, noise, until

SERVER = Path(__file__).parents[1] / "data" / "jambonz_server.mjs"


@pytest.mark.slow
def test_it_hears_answers_marks_interrupts_and_ends(platform: Platform, tmp_path: Path) -> None:
    install(tmp_path, "@jambonz/sdk")
    with running(["node", str(SERVER)], tmp_path) as lines:
        until(lambda: has_said(lines, "port "))
        port = next(match[1] for line in lines if (match := re.match(r"port (\d+)", line)))
        call = platform.call(app="playback", variables={"caller_id_number": "+4930123456"})
        platform.start(call, f"{{protocol=jambonz}}ws://127.0.0.1:{port}/audio", metadata='{"customer":"Ann"}')
        until(lambda: has_said(lines, "call "))
        told = json.loads(next(line for line in lines if line.startswith("call ")).removeprefix("call "))
        assert (told["from"], told["customer"], told["sampleRate"], told["mixType"]) == (
            "+4930123456", "Ann", 8000, "mono")
        spoken = noise(8000)
        call.say(spoken)
        until(lambda: has_said(lines, 'mark {"name":"one second","event":"playout"}'))
        until(lambda: find(call.heard(), spoken) >= 0)
        call.dtmf("5")
        until(lambda: has_said(lines, 'digit {"digit":"5"'))
        until(lambda: has_said(lines, 'mark {"name":"never","event":"cleared"}'))
        until(lambda: has_said(lines, 'played {"id":"prompt"}'))
        assert np.count_nonzero(np.abs(call.heard() - 0x1001) < 300) > 1000, "the prompt was heard"
        body = platform.event("stream_stopped", call)
        assert body["reason"] == "server_closed"
        assert not platform.events("stream_error", call)
