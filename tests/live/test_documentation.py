"""What the documentation has people do with a real FreeSWITCH: the tutorial's call, and the dialplans of the pages."""

from __future__ import annotations

import itertools
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from freeswitch_audio_stream.testing import EventSocket, FreeSwitch, find_prefix
from freeswitch_audio_stream.services.agent.wav import write_wav
from tests.docs.pages import blocks, pages
from tests.docs.pages import prepared as prepared_example
from tests.docs.test_examples import port_of
from tests.engine.harness import noise
from tests.programs import running

from .conftest import EVENTS

RATE = 8000
_numbers = itertools.count(9100)


@dataclass(frozen=True)
class Place:
    """A FreeSWITCH with the pages' dialplans in it, and the tutorial's agent."""

    freeswitch: FreeSwitch
    agent: list[str]
    """What the agent has said."""

    def call(self, events: EventSocket, extension: str, file: Path) -> str:
        """Have a caller play a file to an extension; the UUID of the called leg."""
        number = next(_numbers)
        events.api(f"originate {{origination_caller_id_number={number}}}sofia/internal/{extension}"
                   f"@127.0.0.1:{self.freeswitch.ports.sip} &playback({file})")
        leg = events.wait_event(lambda event: event.get("Caller-Caller-ID-Number") == str(number)
                                and event.get("Call-Direction") == "inbound")
        return str(leg["Unique-ID"])


def dialplan_of(page: str, server: str) -> str:
    """The extensions of a page, with the address of their server."""
    text = "\n".join(re.sub(r"</?include>", "", block) for block in blocks("xml", pages()[page])
                     if "<extension" in block)
    return re.sub(r"wss?://[^ ]+", server, text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    prefix, folder = find_prefix(), tmp_path_factory.mktemp("tutorial")
    assert prefix is not None
    write_wav(folder / "greeting.wav", noise(RATE // 2, 41), RATE)
    command = [sys.executable, prepared_example("talking_agent.py", folder), "greeting.wav", "0"]
    with running(command, folder) as said:
        server = f"ws://127.0.0.1:{port_of(said)}/"
        dialplan = "".join(dialplan_of(page, server).replace("^9999$", number) for page, number in
                           (("tutorial.md", "^9999$"), ("howto/dialplan.md", "^9994$")))
        refused = dialplan_of("howto/dialplan.md", "ftp://127.0.0.1/").split("<extension ")
        dialplan += next(f"<extension {part}".replace("^9996$", "^9995$") for part in refused if "^9996$" in part)
        with FreeSwitch(prefix, folder, dialplan) as freeswitch:
            freeswitch.use_this_package()
            first = freeswitch.start()
            freeswitch.wait_for_module(first)
            first.close()
            yield Place(freeswitch, said)
            assert not freeswitch.has_crashed(), freeswitch.log[-3000:]


@pytest.fixture
def events(place: Place) -> Iterator[EventSocket]:
    connection = EventSocket(place.freeswitch.ports.event_socket, "ClueCon")
    connection.subscribe(f"CHANNEL_ANSWER CHANNEL_HANGUP {EVENTS}")
    yield connection
    connection.end_calls()
    connection.close()


def body_of(events: EventSocket, name: str, uuid: str, **fields: str) -> dict[str, object]:
    def matches(event: dict[str, object]) -> bool:
        return (event.get("Event-Subclass") == f"mod_audio_stream::{name}" and event.get("Unique-ID") == uuid
                and fields.items() <= json.loads(str(event["_body"])).items())
    body: dict[str, object] = json.loads(events.wait_event(matches)["_body"])
    return body


def speech(folder: Path, quiet_first: float) -> Path:
    """A second of sound between two pauses."""
    file = folder / "speech.wav"
    quiet = [np.zeros(int(RATE * seconds), np.int16) for seconds in (quiet_first, 8)]
    write_wav(file, np.concatenate([quiet[0], noise(RATE, 42), quiet[1]]), RATE)
    return file


def test_the_call_of_the_tutorial(place: Place, events: EventSocket, tmp_path: Path) -> None:
    """The caller is greeted to the end, speaks, and hears the answer, which is what was said and the pause after it."""
    uuid = place.call(events, "9999", speech(tmp_path, quiet_first=2))
    assert body_of(events, "stream_started", uuid)["streamId"] == "agent"
    assert body_of(events, "media_play_complete", uuid, checkpoint="answer-1")["status"] == "played"
    answer = body_of(events, "media_play_start", uuid, checkpoint="answer-2")
    assert 1000 <= float(str(answer["durationMs"])) <= 2500
    assert body_of(events, "media_play_complete", uuid, checkpoint="answer-2")["status"] == "played"


def test_dialplan_that_looks_at_the_answer(place: Place, events: EventSocket, tmp_path: Path) -> None:
    """One whose stream starts goes on, and is parked; one that is refused hears an apology, or as here is hung up."""
    uuid = place.call(events, "9996", speech(tmp_path, quiet_first=0))
    assert body_of(events, "stream_started", uuid)["streamId"] == "agent"
    assert events.api(f"uuid_getvar {uuid} current_application") == "park"
    refused = place.call(events, "9995", speech(tmp_path, quiet_first=0))
    hangup = events.wait_event(lambda event: event.get("Event-Name") == "CHANNEL_HANGUP"
                               and event.get("Unique-ID") == refused)
    assert hangup["variable_uuid_audio_stream_result"].startswith("-ERR bad URL")


def test_settings_in_a_dialplan(place: Place, events: EventSocket, tmp_path: Path) -> None:
    """The stream of the second example has the settings of its prefix."""
    uuid = place.call(events, "9998", speech(tmp_path, quiet_first=0))
    started = body_of(events, "stream_started", uuid)
    assert (started["protocol"], started["track"], started["bidirectional"]) == ("binary", "both", False)
