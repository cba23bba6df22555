"""The benchmark of clearing, as a whole, for a moment."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.benchmarks.options import CLEAR
from freeswitch_audio_stream.benchmarks.program import run


@pytest.mark.slow
def test_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([CLEAR, "--embedded", "--rounds", "2"]) == 0
    said = capsys.readouterr().out
    assert "round 2 of 2" in said and "longest" in said
