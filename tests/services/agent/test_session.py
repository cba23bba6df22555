from __future__ import annotations

import base64
import json
import threading
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Encoding, Samples, encode
from freeswitch_audio_stream.services.agent.session import AgentSession, Arrival, ReceivedMedia

SPEECH = np.arange(-320, 320, dtype=np.int16)


def start(**fields: Any) -> dict[str, Any]:
    return {"event": "start", "sequence": 1, "uuid": "u", "streamId": "s", "track": "inbound", "codec": "L16",
            "rate": 8000, "metadata": {}, **fields}


def media(sequence: int, samples: Samples, encoding: Encoding = Encoding.L16, **fields: Any) -> dict[str,
                                                                                                     Any]:
    return {"event": "media", "sequence": sequence, "streamId": "s",
            "audio": base64.b64encode(encode(samples, encoding)).decode(), **fields}


def session_of(*messages: dict[str, Any] | bytes) -> AgentSession:
    session = AgentSession()
    for number, message in enumerate(messages):
        session.receive(message if isinstance(message, bytes) else orjson.dumps(message).decode(),
                        float(number))
    return session


def test_json_audio_is_put_together() -> None:
    session = session_of(start(), media(2, SPEECH[:160]), media(3, SPEECH[160:]),
                         {"event": "stop", "sequence": 4, "reason": "requested"})
    assert np.array_equal(session.samples(), SPEECH)
    assert session.arrivals() == [Arrival(1.0, 160), Arrival(2.0, 640)]
    assert (session.stream_id, session.rate, session.tracks, session.faults) == ("s", 8000, ["inbound"], [])
    assert [message["event"] for message in session.messages] == ["start", "stop"]
    assert session.events("stop")[0]["reason"] == "requested"


def test_mulaw_and_both_tracks() -> None:
    louder = SPEECH * 4
    session = session_of(start(track="both", codec="MULAW"),
                         media(2, SPEECH, Encoding.MULAW, track="outbound"),
                         media(3, louder, Encoding.MULAW, track="inbound"))
    assert session.tracks == ["inbound", "outbound"]
    assert np.allclose(session.samples("inbound"), louder, atol=64)
    assert np.allclose(session.samples("outbound"), SPEECH, atol=32)


def test_binary_frames() -> None:
    session = session_of(start(channels=1, track="outbound"), encode(SPEECH, Encoding.L16))
    assert np.array_equal(session.samples("outbound"), SPEECH)
    both = np.stack([SPEECH, -SPEECH], axis=1)
    session = session_of(start(channels=2, track="both"), encode(both, Encoding.L16))
    assert np.array_equal(session.samples("inbound"), SPEECH)
    assert np.array_equal(session.samples("outbound"), -SPEECH)


@pytest.mark.parametrize("messages, fault", [
    ([start(sequence=2)], "sequence 2 where 1 was due"),
    ([start(), media(2, SPEECH), media(4, SPEECH)], "sequence 4 where 3 was due"),
    ([start(), media(1, SPEECH)], "sequence 1 where 2 was due"),
    ([media(1, SPEECH)], "'track'"),
    ([b"\0\0"], "'channels'"),
    ([start(), start(sequence=2)], "a second start"),
    ([start(codec="G729")], "G729"),
    ([start(rate=0)], "rate"),
    ([start(), {"event": "media", "sequence": 2, "audio": "?"}], "media"),
    ([start(channels=1), b"\0"], r"b'\x00'"),
])
def test_faults(messages: list[Any], fault: str) -> None:
    faults = session_of(*messages).faults
    assert len(faults) == 1 and fault in faults[0]


def test_after_a_gap_counting_goes_on_from_there() -> None:
    assert len(session_of(start(), media(5, SPEECH), media(6, SPEECH)).faults) == 1


@given(st.lists(st.text() | st.binary() | st.dictionaries(
    st.sampled_from(["event", "sequence", "codec", "rate", "track", "channels", "audio"]),
    st.sampled_from(["start", "media", "L16", "both"]) | st.integers() | st.none()).map(json.dumps)))
def test_nothing_a_stream_sends_raises(messages: list[str | bytes]) -> None:
    session = AgentSession()
    for message in messages:
        session.receive(message, 0.0)
    assert isinstance(session.samples(), np.ndarray)


def test_what_is_returned() -> None:
    session = AgentSession()
    assert session.receive(orjson.dumps(start()).decode(), 0.0) == start()
    taken = session.receive(orjson.dumps(media(2, SPEECH)).decode(), 0.0)
    assert isinstance(taken, list) and isinstance(taken[0], ReceivedMedia) and taken[0].track == "inbound"
    assert session.receive("{", 0.0) == {}


def test_waiting() -> None:
    session = session_of(start())
    thread = threading.Thread(target=lambda: session.receive(orjson.dumps(media(2, SPEECH)).decode(), 0.0))
    thread.start()
    session.wait_for(lambda waiting: waiting.sample_count() == 640)
    thread.join()
    with pytest.raises(TimeoutError, match="'s'"):
        session.wait_for(lambda waiting: False, timeout=0.01)
