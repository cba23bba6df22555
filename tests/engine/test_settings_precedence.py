"""Whose word counts for a stream: default < file < environment < channel variable < prefix of the URL."""

from __future__ import annotations

from typing import Mapping

import pytest

from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.services.agent.session import AgentSession
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.switch.constants import LogLevel

from .harness import PATIENCE, Platform, noise

SPEECH = noise(80000)
VARIABLE = "MOD_AUDIO_STREAM_CHUNK_MS"


def xml(**values: object) -> str:
    rows = [f'<param name="{name.replace("_", "-")}" value="{value}"/>' for name, value in values.items()]
    return f'<configuration name="audio_stream.conf"><settings>{"".join(rows)}</settings></configuration>'


def chunk_ms(session: AgentSession) -> int:
    """How much audio a message has."""
    session.wait_for(lambda session: session.arrivals(), PATIENCE)
    return session.arrivals()[0].samples // 8


def speaking(platform: Platform, variables: Mapping[str, str] | None = None) -> EmbeddedCall:
    return platform.call(speech=SPEECH, variables=variables)


@pytest.mark.parametrize("file, environment, variable, prefix, expected", [
    (None, None, None, None, 20), ("30", None, None, None, 30), ("30", "40", None, None, 40),
    ("30", "40", "50", None, 50), ("30", "40", "50", "60", 60), (None, None, "50", None, 50),
    ("30", None, None, "60", 60), ("long", "40", None, None, 40), ("30", "long", "long", None, 30),
    ("30", "", "", None, 30), ("5000", None, None, None, 1000), ("30", "0", None, None, 10),
    ("30", None, "45", None, 40)])
def test_the_nearest_counts(agent: Agent, file: str | None, environment: str | None, variable: str | None,
                            prefix: str | None, expected: int) -> None:
    platform = Platform({} if environment is None else {VARIABLE: environment},
                        None if file is None else xml(chunk_ms=file))
    call = speaking(platform, {} if variable is None else {VARIABLE: variable})
    session = platform.connect(agent, call, "" if prefix is None else f"{{chunk-ms={prefix}}}")
    assert chunk_ms(session) == expected
    unusable = {"long", "5000", "0", "45"} & {file, environment, variable}
    warnings = [line.text for line in platform.switch.log_lines if line.level == LogLevel.WARNING]
    assert bool(unusable) == bool(warnings)
    for value in unusable:
        assert any(repr(value) in warning and "chunk-ms" in warning for warning in warnings)
    platform.close()


def test_a_warning_is_given_once(agent: Agent) -> None:
    platform = Platform({VARIABLE: "long"}, xml(no_such_thing=1))
    for _ in range(3):
        platform.connect(agent, speaking(platform))
    warnings = [line.text for line in platform.switch.log_lines if line.level == LogLevel.WARNING]
    assert len(warnings) == 2 and any("no-such-thing" in warning for warning in warnings)
    platform.close()


def test_what_is_wrong_is_told_at_load_whosever_setting_it_is(agent: Agent) -> None:
    wrong = {"buffer_secs": "many", "max_streams": "99999", "media_server_port": "high", "no_such_thing": "1"}
    platform = Platform({}, xml(**wrong))
    at_load = [line.text for line in platform.switch.log_lines if line.level == LogLevel.WARNING]
    assert len(at_load) == len(wrong)
    for name in wrong:
        assert sum(name.replace("_", "-") in warning for warning in at_load) == 1
    platform.connect(agent, speaking(platform))
    assert [line.text for line in platform.switch.log_lines if line.level == LogLevel.WARNING] == at_load
    platform.close()


def test_a_file_that_is_broken_is_told_and_ignored(agent: Agent) -> None:
    platform = Platform(xml="<configuration")
    errors = [line.text for line in platform.switch.log_lines if line.level == LogLevel.ERROR]
    assert len(errors) == 1 and "not well-formed" in errors[0]
    assert chunk_ms(platform.connect(agent, speaking(platform))) == 20
    platform.close()


def test_each_call_has_its_own(platform: Platform, agent: Agent) -> None:
    calls = [speaking(platform, {VARIABLE: str(chunk)}) for chunk in (10, 40, 100)]
    assert [chunk_ms(platform.connect(agent, call)) for call in calls] == [10, 40, 100]


def test_credentials_of_a_call_are_its_own_and_are_never_shown(platform: Platform) -> None:
    variables = {"MOD_AUDIO_BASIC_AUTH_USERNAME": "me", "MOD_AUDIO_BASIC_AUTH_PASSWORD": "se:cret"}
    with Agent(credentials=("me", "se:cret")) as agent:
        call = speaking(platform, variables)
        platform.connect(agent, call)
        stranger = speaking(platform)
        platform.start(stranger, agent.url)
        assert "http_auth_user" in platform.event("connection_failed", stranger)["error"]
        shown = platform.run("list") + str([line.text for line in platform.switch.log_lines])
        shown += str([event.body for event in platform.switch.events])
        assert "se:cret" not in shown and "c2U6Y3JldA" not in shown


@pytest.mark.parametrize("microseconds", [0, 300])
def test_naps(agent: Agent, microseconds: int) -> None:
    platform = Platform(xml=xml(io_nap_us=microseconds))
    assert [int(worker._io_loop["longest_nap"][0]) for worker in platform.module.core.workers] == [microseconds] * 2
    calls = [speaking(platform) for _ in range(12)]
    for call in calls:
        platform.connect(agent, call)
    for session in agent.sessions:
        session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
    platform.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_service_threads(agent: Agent, threads: int) -> None:
    platform = Platform(xml=xml(service_threads=threads))
    assert len(platform.module.core.workers) == threads
    calls = [speaking(platform) for _ in range(2 * threads)]
    for call in calls:
        platform.connect(agent, call)
    for session in agent.sessions:
        session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
    platform.close()
