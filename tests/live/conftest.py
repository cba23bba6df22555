"""A real FreeSWITCH with this package in it, for all live tests; without one they are skipped, visibly."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.services.agent.session import AgentSession, Message
from freeswitch_audio_stream.services.agent.wav import read_wav
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch, find_prefix

DATA = Path(__file__).parent.parent / "data"
EVENTS = "DTMF CUSTOM " + " ".join(
    f"mod_audio_stream::{name}" for name in
    ("connection_established", "connection_failed", "connection_timeout", "connection_closed", "stream_started",
     "stream_stopped", "stream_error", "media_play_start", "media_play_complete", "transcription_received",
     "agent_tool_call", "agent_turn", "heartbeat", "buffer_overrun"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="no FreeSWITCH with mod_python3 found: set FREESWITCH_PREFIX")
    for item in items:
        if "live" in Path(item.fspath).parts:
            item.add_marker(pytest.mark.live)
            if find_prefix() is None:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    prefix = find_prefix()
    assert prefix is not None
    with FreeSwitch(prefix, tmp_path_factory.mktemp("freeswitch")) as instance:
        instance.use_this_package()
        events = instance.start()
        instance.wait_for_module(events)
        events.close()
        yield instance
        assert not instance.has_crashed(), instance.log[-3000:]


@pytest.fixture
def events(freeswitch: FreeSwitch) -> Iterator[EventSocket]:
    connection = EventSocket(freeswitch.ports.event_socket, "ClueCon")
    connection.subscribe(EVENTS)
    yield connection
    connection.end_calls()
    connection.close()


@pytest.fixture
def caller_speech() -> NDArray[np.int16]:
    """8 kHz."""
    return read_wav(DATA / "caller_8k.wav")[0]


@pytest.fixture
def agent_speech() -> NDArray[np.int16]:
    """16 kHz."""
    return read_wav(DATA / "agent_16k.wav")[0]


@pytest.fixture
def agent(agent_speech: NDArray[np.int16]) -> Iterator[Agent]:
    with Agent(speech=(agent_speech, 16000)) as server:
        yield server


@dataclass(frozen=True)
class Pair:
    """A SIP call from the caller to the leg under test, both in the same FreeSWITCH."""

    caller: str
    leg: str


_numbers = itertools.count(7000)


def call(freeswitch: FreeSwitch, events: EventSocket, extension: str, codec: str, speech: Path) -> Pair:
    """Have a caller say `speech` to `extension`; what the caller hears can be recorded on its leg."""
    number = str(next(_numbers))
    variables = f"absolute_codec_string={codec},origination_caller_id_number={number},RECORD_READ_ONLY=true"
    answer = events.api(f"originate {{{variables}}}sofia/internal/{extension}@127.0.0.1:{freeswitch.ports.sip} "
                        f"&playback({speech})")
    assert answer.startswith("+OK"), answer
    leg = wait_until(lambda: find_leg(events, extension, number))
    return Pair(answer.split()[1], leg)


def message(session: AgentSession, event: str) -> Message:
    """The first message of a kind, when it has come."""
    session.wait_for(lambda s: s.events(event))
    return session.events(event)[0]


def closed(session: AgentSession) -> None:
    """Wait for the end of a connection."""
    session.wait_for(lambda s: s.close_code is not None, 60)


def find_leg(events: EventSocket, extension: str, number: str) -> str | None:
    """The UUID of the called leg."""
    rows = json.loads(events.api("show channels as json")).get("rows", [])
    return next((row["uuid"] for row in rows if row["cid_num"] == number and row["dest"] == extension
                 and row["direction"] == "inbound"), None)


def wait_until(condition: Callable[[], object], timeout: float = 30.0) -> str:
    """Poll FreeSWITCH until `condition` holds, and answer its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)
    return str(value)


def best_match(heard: NDArray[np.int16], reference: NDArray[np.int16]) -> tuple[float, int]:
    """The correlation of `reference` with the part of `heard` that resembles it most, and where that begins."""
    count = len(heard) + len(reference)
    spectrum = np.fft.rfft(heard.astype(float), count) * np.conj(np.fft.rfft(reference.astype(float), count))
    shift = int(np.fft.irfft(spectrum, count).argmax())
    shift = shift - count if shift > len(heard) else shift
    left = heard[max(shift, 0):][:len(reference) + min(shift, 0)]
    right = reference[max(-shift, 0):][:len(left)]
    return float(np.corrcoef(left, right)[0, 1]), shift


def likeness(heard: NDArray[np.int16], reference: NDArray[np.int16], rate: int) -> float:
    """The median correlation of the loud half-seconds of `reference` with `heard`, each within 0.3 s of its place.

    A busy machine makes FreeSWITCH's own clocks lose or repeat a packet now and then; that moves what follows, and
    says nothing about what we carry.
    """
    _, shift = best_match(heard, reference)
    block, reach = rate // 2, rate * 3 // 10
    found = []
    for begin in range(0, len(reference) - block, block):
        part = reference[begin:begin + block].astype(float)
        window = heard[max(0, begin + shift - reach):max(0, begin + shift + block + reach)].astype(float)
        if np.abs(part).mean() > 100 and len(window) > block:
            found.append(_best_correlation(window, part))
    assert len(found) >= 3, "too little of the reference was heard"
    return float(np.median(found))


def _best_correlation(window: NDArray[np.float64], part: NDArray[np.float64]) -> float:
    products = np.correlate(window, part, "valid")
    energies = np.convolve(window ** 2, np.ones(len(part)), "valid")
    return float((products / np.sqrt(np.maximum(energies, 1) * (part ** 2).sum())).max())
