"""Calls to the gateway over plain HTTP, by the dialplans of the page about it, in a real FreeSWITCH."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

for _needed in ("fastapi", "fastapi_offline", "uvicorn"):
    pytest.importorskip(_needed)

from freeswitch_audio_stream.services.agent.wav import read_wav  # noqa: E402
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch, find_prefix  # noqa: E402
from tests.docs.pages import blocks, pages  # noqa: E402
from tests.services.gateway.harness import Site  # noqa: E402

from .conftest import DATA, EVENTS, call, likeness, wait_until  # noqa: E402

_AGENT, _BY_CURL = "5406594427", "9996"
_SECONDS = 5


@dataclass(frozen=True)
class Place:
    """A FreeSWITCH with the dialplans of the page, and the gateway that they name."""

    freeswitch: FreeSwitch
    site: Site

    def sessions(self) -> list[str]:
        """The calls that have a session."""
        return [session["callId"] for session in self.site.request("GET", "/api/voice/sessions")[1]["sessions"]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    prefix = find_prefix()
    assert prefix is not None
    site = Site()
    extensions = [block for block in blocks("xml", pages()["howto/http-streaming.md"]) if "<extension" in block]
    dialplan = "".join(extensions).replace("http://127.0.0.1:3105", site.gateway.url)
    with FreeSwitch(prefix, tmp_path_factory.mktemp("http"), dialplan) as freeswitch:
        freeswitch.use_this_package()
        first = freeswitch.start()
        freeswitch.wait_for_module(first)
        first.close()
        yield Place(freeswitch, site)
        assert not freeswitch.has_crashed(), freeswitch.log[-3000:]
    site.close()


@pytest.fixture
def events(place: Place) -> Iterator[EventSocket]:
    connection = EventSocket(place.freeswitch.ports.event_socket, "ClueCon")
    connection.subscribe(EVENTS)
    yield connection
    connection.end_calls()
    connection.close()


def test_a_call_hears_itself(place: Place, events: EventSocket, tmp_path: Path,
                             caller_speech: NDArray[np.int16]) -> None:
    pair = call(place.freeswitch, events, _AGENT, "L16", DATA / "caller_8k.wav")
    file = tmp_path / "heard.wav"
    events.api(f"uuid_record {pair.caller} start {file}")
    wait_until(lambda: json.loads(events.api(f"uuid_audio_stream {pair.leg} agent status"))["msPlayed"]
               > 1000 * _SECONDS)
    assert place.sessions() == [pair.leg]
    events.api(f"uuid_record {pair.caller} stop {file}")
    events.api(f"uuid_kill {pair.caller}")
    stopped = events.wait_event(lambda event: event.get("Event-Subclass") == "mod_audio_stream::stream_stopped"
                                and event["Unique-ID"] == pair.leg)
    body = json.loads(stopped["_body"])
    assert (body["reason"], body["summary"]["callId"], body["statistics"]["errors"]) == ("hangup", pair.leg, 0)
    assert place.sessions() == []
    assert likeness(read_wav(file)[0], caller_speech[:8000 * _SECONDS], 8000) > 0.95


def test_a_session_by_mod_curl(place: Place, events: EventSocket) -> None:
    if "+OK" not in events.api("load mod_curl"):
        pytest.skip("this FreeSWITCH has no mod_curl")
    pair = call(place.freeswitch, events, _BY_CURL, "L16", DATA / "caller_8k.wav")
    wait_until(lambda: place.sessions() == [pair.leg])
    wait_until(lambda: f'session: 200 {{"callId":"{pair.leg}","status":"active"' in place.freeswitch.log)
    assert f'session: 200 {{"sessionId":"{pair.leg}","status":"created"}}' in place.freeswitch.log
    events.api(f"uuid_kill {pair.caller}")
    wait_until(lambda: place.sessions() == [])


def test_the_line_of_the_specification_is_no_post(place: Place, events: EventSocket) -> None:
    """As the page says of it."""
    if "-ERR" in events.api("module_exists mod_curl") or "true" not in events.api("module_exists mod_curl"):
        pytest.skip("this FreeSWITCH has no mod_curl")
    answer = json.loads(events.api(
        f"curl {place.site.gateway.url}/api/voice/session/create json {{'callId':'1'}}"))
    assert str(answer["status_code"]) in ("404", "405")
    assert place.sessions() == []
