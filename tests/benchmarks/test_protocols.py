"""The benchmark of the wire protocols: what it measures, and the whole with a few streams for a moment."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.audio import Encoding
from freeswitch_audio_stream.benchmarks.measures.protocols.protocol_cost import Kind, kinds
from freeswitch_audio_stream.benchmarks.options import PROTOCOL_COST, parse
from freeswitch_audio_stream.benchmarks.program import run
from freeswitch_audio_stream.protocols.platforms import PLATFORMS


def test_options() -> None:
    options = parse([PROTOCOL_COST, "--protocols", "twilio,vonage"])
    assert (options.streams, options.rounds, options.protocols) == ((100,), 3, ("twilio", "vonage"))


def test_every_platform_has_a_row_and_the_same_audio_to_be_compared_with() -> None:
    found = kinds()
    assert {platform.name for platform in PLATFORMS} <= {kind.name for kind in found}
    assert Kind("twilio", Encoding.MULAW) in found and Kind("plivo", Encoding.L16) in found
    assert kinds(["audiohook"]) == [Kind("audiohook", Encoding.MULAW)]


@pytest.mark.slow
def test_the_whole_with_a_few_streams(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([PROTOCOL_COST, "--embedded", "--streams", "2", "--seconds", "0.3", "--rounds", "1",
                "--protocols", "vonage,audiohook"]) == 0
    said = capsys.readouterr().out
    assert "vonage, L16" in said and "audiohook, mu-law" in said and "/ json" in said
