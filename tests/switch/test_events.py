from __future__ import annotations

from typing import Iterator

import pytest

from freeswitch_audio_stream.simulator import EmbeddedSwitch
from freeswitch_audio_stream.switch import LogLevel, Switch


@pytest.fixture
def embedded() -> Iterator[EmbeddedSwitch]:
    embedded = EmbeddedSwitch()
    yield embedded
    embedded.shutdown()
    assert embedded.event_system.held == 0


def test_events_carry_channel_data_and_body(embedded: EmbeddedSwitch) -> None:
    switch = Switch(embedded.resolve)
    embedded.call("abc", variables={"colour": "blue"})
    with switch.locate("abc") as session:  # type: ignore[union-attr]
        switch.fire("ours::one", '{"text": "ä"}', session)
    event = embedded.wait_event("ours::one")
    assert event.body == '{"text": "ä"}'
    assert event.headers["Unique-ID"] == "abc" and event.headers["variable_colour"] == "blue"
    assert event.headers["Event-Subclass"] == "ours::one"


def test_a_snapshot_outlives_its_call(embedded: EmbeddedSwitch) -> None:
    switch = Switch(embedded.resolve)
    call = embedded.call("abc")
    with switch.locate("abc") as session:  # type: ignore[union-attr]
        snapshot = session.snapshot()
    call.hangup()
    assert call.destroyed.wait(20)
    switch.fire("ours::late", "{}", snapshot)
    switch.fire("ours::late", "{}", snapshot)
    snapshot.close()
    switch.fire("ours::bare", None, snapshot)
    assert embedded.wait_event("ours::late").headers["Unique-ID"] == "abc"
    assert embedded.wait_event("ours::late").headers["Event-Subclass"] == "ours::late"
    assert "Unique-ID" not in embedded.wait_event("ours::bare").headers


def test_the_log(embedded: EmbeddedSwitch) -> None:
    switch = Switch(embedded.resolve)
    switch.log(LogLevel.WARNING, "100 % of größe\n", "abc")
    switch.log(LogLevel.INFO, "odd \ud800 text")
    assert [(line.level, line.text, line.uuid) for line in embedded.log_lines] == [
        (LogLevel.WARNING, "100 % of größe", "abc"), (LogLevel.INFO, "odd ? text", None)]


def test_configuration(embedded: EmbeddedSwitch) -> None:
    text = '<configuration name="ours.conf"><settings><param name="a" value="ä"/></settings></configuration>'
    embedded.configuration["ours.conf"] = text
    assert Switch(embedded.resolve).configuration("ours.conf") == text


def test_waiting_tells_what_came_instead(embedded: EmbeddedSwitch) -> None:
    Switch(embedded.resolve).fire("ours::one", None)
    with pytest.raises(TimeoutError, match="ours::one"):
        embedded.wait_event("ours::two", timeout=0.01)
