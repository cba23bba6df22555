"""Servers written for telephony platforms on calls of a real FreeSWITCH: all platforms, and bots made of pipecat."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from freeswitch_audio_stream.audio import encode
from freeswitch_audio_stream.services.agent.wav import read_wav
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from tests.engine.test_pipecat import BOT, CODECS
from tests.pipecat import pipecat_python
from tests.platform_servers import KINDS, Server, heard, marks
from tests.programs import has_said, running

from .conftest import Pair, call, likeness, wait_until
from .test_encapsulations import record, speech, status_of, write_wav

SAID, ANSWER = speech(30, 1), speech(4, 2)


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "said.wav", SAID)


def start(events: EventSocket, pair: Pair, url: str, rate: str = "8000") -> None:
    answer = events.api(f"uuid_audio_stream {pair.leg} s start {url} inbound {rate} 0 1")
    assert answer == "+OK Success"


def recorded(file: Path) -> NDArray[np.int16]:
    return read_wav(file)[0]


class Talk:
    """A call and the server that it talks to."""

    def __init__(self, freeswitch: FreeSwitch, events: EventSocket, name: str, said: Path, folder: Path) -> None:
        self.name, self.kind, self.server, self._events = name, KINDS[name], Server(), events
        self.pair = call(freeswitch, events, "park", "PCMU", said)
        start(events, self.pair, f"{{protocol={name}}}{self.server.url}")
        wait_until(lambda: self.server.texts)
        self.recording = record(events, self.pair.caller, folder / f"{name}.wav")

    def play(self, samples: NDArray[np.int16], mark: str) -> None:
        self.server.send(self.kind.play(encode(samples, self.kind.encoding)))
        self.server.send(self.kind.mark(mark))

    @property
    def marks(self) -> list[str]:
        return marks(self.server, self.kind)

    def interrupt(self) -> None:
        """Clear what would last for 20 s: a mark behind it comes at once."""
        self._events.api(f"uuid_record {self.pair.caller} stop {self.recording}")
        self._events.api(f"uuid_send_dtmf {self.pair.caller} 5@200")
        wait_until(lambda: "5" in map(self.kind.digit, self.server.texts))
        self.server.send(self.kind.play(encode(np.tile(ANSWER, 5), self.kind.encoding)))
        self.server.send(self.kind.clear)
        self.server.send(self.kind.mark("cleared"))
        wait_until(lambda: "cleared" in self.marks, 10)
        status = status_of(self._events, self.pair, "s")
        assert (status["errors"], status["framesDropped"], status["playbackQueueMs"]) == (0, 0, 0), self.name

    def check(self) -> None:
        self.server.wait_for_close()
        inbound = heard(self.server, self.kind)
        alike = likeness(inbound, SAID[:len(inbound)], 8000)
        to_caller = likeness(recorded(self.recording), np.tile(ANSWER, 2), 8000)
        print(f"{self.name}: server hears {alike:.5f}, caller hears {to_caller:.5f}")
        assert min(alike, to_caller) > 0.99, self.name
        if self.kind.ends:
            assert self.server.texts[-1]["event"] == "stop"


def test_every_platform(freeswitch: FreeSwitch, events: EventSocket, said: Path, tmp_path: Path) -> None:
    talks = [Talk(freeswitch, events, name, said, tmp_path) for name in KINDS]
    try:
        for talk in talks:
            talk.play(ANSWER, "first")
            talk.play(ANSWER, "second")
        for talk in talks:
            wait_until(lambda: talk.marks == ["first", "second"], 60)
        for talk in talks:
            talk.interrupt()
        for talk in talks:
            events.api(f"uuid_kill {talk.pair.leg}")
        wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
        for talk in talks:
            talk.check()
    finally:
        for talk in talks:
            talk.server.close()


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with running([str(pipecat_python()), str(BOT)], tmp_path_factory.mktemp("bot")) as lines:
        wait_until(lambda: has_said(lines, "port "), 120)
        yield lines


@pytest.mark.parametrize("name", ["twilio", "telnyx", "vonage"])
def test_a_pipecat_bot_answers(freeswitch: FreeSwitch, events: EventSocket, said: Path, tmp_path: Path,
                               bot: list[str], name: str) -> None:
    port = next(match[1] for line in bot if (match := re.match(r"port (\d+)", line)))
    before = len(bot)
    pair = call(freeswitch, events, "park", "PCMU", said)
    recording = record(events, pair.caller, tmp_path / "heard.wav")
    url = f"ws://127.0.0.1:{port}/{'vonage' if name == 'vonage' else ''}"
    start(events, pair, f"{{protocol={name}}}{url}", CODECS[name] + "8000")
    wait_until(lambda: has_said(bot[before:], f"call {name}"))
    wait_until(lambda: status_of(events, pair, "s")["msPlayed"] > 8000, 60)
    events.api(f"uuid_record {pair.caller} stop {recording}")
    events.api(f"uuid_send_dtmf {pair.caller} 7@200")
    wait_until(lambda: has_said(bot[before:], "digit 7"))
    events.api(f"uuid_kill {pair.leg}")
    wait_until(lambda: has_said(bot[before:], "over"))
    heard_back = recorded(recording)
    assert likeness(heard_back[-56_000:], SAID[:96_000], 8000) > 0.98
