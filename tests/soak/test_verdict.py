"""What is promised, and when it is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from freeswitch_audio_stream.soak.faults import Fault
from freeswitch_audio_stream.soak.kinds import KINDS
from freeswitch_audio_stream.soak.line import Line
from freeswitch_audio_stream.soak.numbered_noise import Noise
from freeswitch_audio_stream.soak.report import write
from freeswitch_audio_stream.soak.resources import Sample
from freeswitch_audio_stream.soak.verdict import judge

SAID, ANSWERED = Noise(1), Noise(2)
MIB = 1 << 20


def heard_line() -> Line:
    line = Line(0, KINDS["json"], SAID, ANSWERED)
    line.feed(SAID.samples(0, 8000), 0, by_caller=False)
    line.feed(ANSWERED.samples(0, 8000), 0, by_caller=True)
    return line


def samples(seconds: float, memory: float = 0.0, descriptors: float = 0.0) -> list[Sample]:
    """With so much growth from the begin to the end, in shares of 100 MiB and in descriptors."""
    times = np.arange(0.0, seconds, 10.0)
    return [Sample(float(time), int(100 * MIB * (1 + memory * time / seconds)), int(50 + descriptors * time / seconds),
                   20, (1.0, 2.0)) for time in times]


def broken(line: Line, taken: list[Sample], crashed: bool = False, streaming: int = 2) -> list[str]:
    return [promise.text for promise in judge([line], taken, crashed, streaming) if promise.kept is False]


def test_all_is_well() -> None:
    assert broken(heard_line(), samples(1200)) == []
    assert all(promise.kept for promise in judge([heard_line()], samples(1200), False, 2))


def test_a_short_soak_does_not_tell_of_memory() -> None:
    kept = {promise.text: promise.kept for promise in judge([heard_line()], samples(300, memory=1.0), False, 2)}
    assert kept["the memory stays level"] is None


@pytest.mark.parametrize("growth, what", [
    ({"memory": 0.2}, "the memory"), ({"descriptors": 40}, "the number of descriptors")])
def test_what_grows_is_told(growth: dict[str, float], what: str) -> None:
    assert broken(heard_line(), samples(1200, **growth)) == [f"{what} stays level"]


def test_a_crash_and_a_stream_that_is_missing() -> None:
    assert broken(heard_line(), samples(1200), crashed=True, streaming=1) == [
        "FreeSWITCH runs to the end", "all streams are up at the end"]


def test_a_stream_that_is_never_heard_is_a_broken_promise() -> None:
    deaf = Line(1, KINDS["http"], SAID, ANSWERED)
    kept = {promise.text: promise for promise in judge([heard_line(), deaf], samples(1200), False, 4)}
    assert not kept["what callers say reaches the server whole"].kept
    assert "1 streams without any; 1.0 s to the bit" in kept["what callers say reaches the server whole"].figures


def test_a_stream_that_ended_by_itself_is_told() -> None:
    told = {promise.text: promise for promise in judge([heard_line()], samples(1200), False, 2, (), ["rtp: no stream"])}
    assert not told["no stream ends by itself"].kept
    assert told["no stream ends by itself"].figures == "1 did, the first: rtp: no stream"


def test_what_servers_cannot_read_is_told() -> None:
    told = {promise.text: promise for promise in judge(
        [heard_line()], samples(1200), False, 2, ["RemoteProtocolError"])}
    assert not told["servers can read all that comes"].kept
    assert told["servers can read all that comes"].figures == "1 errors, the first: RemoteProtocolError"


def test_loss_is_a_broken_promise_unless_a_fault_explains_it() -> None:
    line = heard_line()
    line.feed(SAID.samples(9000, 8000), 0, by_caller=False)
    assert broken(line, samples(1200)) == ["what callers say reaches the server whole"]
    line = heard_line()
    line.excuse()
    line.feed(SAID.samples(9000, 8000), 0, by_caller=False)
    assert broken(line, samples(1200)) == []
    assert line.heard_by_server.follower.tally.lost == 1000


def test_what_an_earlier_stream_still_says_is_not_listened_to() -> None:
    line = heard_line()
    line.restart(is_new_call=True)
    line.feed(SAID.samples(8000, 800), 0, by_caller=False)
    line.feed(SAID.samples(100, 800), 1, by_caller=False)
    line.feed(SAID.samples(900, 800), 1, by_caller=False)
    assert line.heard_by_server.follower.tally.exact == 9600
    assert line.heard_by_server.follower.tally.lost == 0


def test_the_report_has_it_all(tmp_path: Path) -> None:
    line = heard_line()
    file = tmp_path / "soak.html"
    write(file, "a <soak>", judge([line], samples(1200), False, 2), samples(1200),
          [Fault(5.0, "the connection breaks", 0), Fault(9.0, "the server is away for 3 s", None)], [line])
    text = file.read_text()
    assert "a &lt;soak&gt;" in text and "<svg" in text and "the server is away" in text and "kept" in text
