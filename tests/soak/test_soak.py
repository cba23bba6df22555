"""A short soak, from end to end."""

from __future__ import annotations

import os
import signal
from itertools import count
from pathlib import Path

import pytest

from freeswitch_audio_stream.soak.__main__ import main
from freeswitch_audio_stream.soak.resources import resources_of
from freeswitch_audio_stream.testing import find_prefix

pytestmark = pytest.mark.slow


@pytest.mark.live
@pytest.mark.skipif(find_prefix() is None, reason="there is no FreeSWITCH with mod_python3")
def test_a_soak_that_is_ended_early(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine loses is not the matter here: all runs, is counted, and told."""
    samples = count(1)

    def sample(pid: int) -> tuple[int, int, int]:
        if next(samples) == 15:
            os.kill(os.getpid(), signal.SIGINT)
        return resources_of(pid)
    monkeypatch.setattr("freeswitch_audio_stream.soak.__main__.resources_of", sample)
    report = tmp_path / "soak.html"
    status = main(["--hours", "10", "--streams", "5", "--protocols", "json,rtp,audiosocket,http,wss",
                   "--faults-every", "4", "--sample-every", "1", "--report", str(report)])
    told = capsys.readouterr().out
    assert status in (0, 1) and "kept      FreeSWITCH runs to the end" in told
    assert "kept      all streams are up at the end: 10 of 10" in told
    assert "not told  the memory stays level" in told
    text = report.read_text()
    assert "<svg" in text and all(kind in text for kind in ("json", "rtp", "audiosocket", "http", "wss"))


def test_wrong_words_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--protocols", "carrier-pigeon", "--freeswitch", "/nowhere"]) == 2
    assert "there is no protocol 'carrier-pigeon' here: use json" in capsys.readouterr().err
    assert main(["--protocols", "json", "--freeswitch", "/nowhere"]) == 2
    assert "/nowhere has no folder of FreeSWITCH modules" in capsys.readouterr().err
