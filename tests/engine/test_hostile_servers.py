"""Whatever a server sends: the stream and the call stay up, and somebody is told."""

from __future__ import annotations

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.servers.agent import Agent

from .harness import Platform, closed, heard_all

_JSON = st.recursive(st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.text(max_size=20),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                     max_leaves=8)
_NAMED = st.fixed_dictionaries(
    {"event": st.sampled_from(["media.play", "media.clear", "media.checkpoint", "transcription.send", "nonsense"])},
    optional={"payload": _JSON, "streamId": _JSON, "media": _JSON, "name": _JSON})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200) | st.text(max_size=100) | _JSON.map(lambda value: orjson.dumps(value).decode())
                | _NAMED.map(lambda value: orjson.dumps(value).decode()), min_size=1, max_size=20))
def test_any_message(platform: Platform, messages: list[str | bytes]) -> None:
    with Agent() as agent:
        call = platform.call()
        session = platform.connect(agent, call)
        for message in messages:
            session.send(message)
        heard_all(session)  # the stream still listens, and the caller still hears
        before = session.sample_count()
        session.wait_for(lambda session: session.sample_count() > before)
        platform.tell(call, "stop")
        closed(session)
        assert session.close_code == 1000
        call.hangup()


def test_errors_of_a_kind_are_told_once_a_second(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    for _ in range(200):
        session.send("no JSON")
    heard_all(session)
    status = orjson.loads(platform.run(f"{call.uuid} s status"))
    assert status["errors"] == 200
    told = [event for event in platform.switch.events
            if event.subclass == "mod_audio_stream::stream_error" and event.headers["Unique-ID"] == call.uuid]
    assert 1 <= len(told) < 20
    call.hangup()
