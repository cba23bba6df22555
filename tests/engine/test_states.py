"""The tables of states: every state can be reached, none is a trap, and a step that none has is reported."""

from __future__ import annotations

from enum import Enum
from typing import Any, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as some

from freeswitch_audio_stream.engine.connection.link_states import LINK_TRANSITIONS, LinkState, LinkStep
from freeswitch_audio_stream.engine.state_machine import Defects, StateMachine
from freeswitch_audio_stream.engine.states import TRANSITIONS, State, Step
from freeswitch_audio_stream.errors import ImpossibleStep
from freeswitch_audio_stream.services.agent.server import Agent

from .harness import PATIENCE, Platform, until

Table = Mapping[Any, Mapping[Any, Any]]
WALK = [pytest.param(table, state, step, id=f"{state.name}-{step.name}")
        for table, states, steps in ((TRANSITIONS, State, Step), (LINK_TRANSITIONS, LinkState, LinkStep))
        for state in states for step in steps]


def reachable(begin: Enum, table: Table = TRANSITIONS) -> set[Enum]:
    found = {begin}
    while True:
        more = found.union(*(table[state].values() for state in found))
        if more == found:
            return found
        found = more


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert TRANSITIONS.keys() == set(State) == reachable(State.WAITING)
    assert LINK_TRANSITIONS.keys() == set(LinkState) == reachable(LinkState.DOWN, LINK_TRANSITIONS)


@pytest.mark.parametrize("table, state, step", WALK)
def test_every_step_in_every_state(table: Table, state: Enum, step: Enum) -> None:
    """It leads where the table says, or is a defect that names state and step, and changes nothing."""
    reported: list[BaseException] = []
    machine = StateMachine("thing", table, state, reported.append)
    moved = machine.take(step)
    assert machine.state is table[state].get(step, state) and moved is (machine.state is not state)
    if step in table[state]:
        assert reported == []
    else:
        defect, = reported
        assert isinstance(defect, ImpossibleStep) and (defect.state, defect.step) == (state.name, step.name)
        assert state.name in str(defect) and step.name in str(defect) and "thing" in str(defect)


def test_a_connection_can_always_be_made_again() -> None:
    assert all(LinkState.DOWN in reachable(state, LINK_TRANSITIONS) for state in LinkState)


def test_a_defect_is_reported_once_and_counted() -> None:
    reported: list[BaseException] = []
    defects = Defects(reported.append)
    machine = StateMachine("stream", TRANSITIONS, State.WAITING, defects.report)
    for step in (Step.DRAINED, Step.DRAINED, Step.CONNECTED, Step.DRAINED):
        machine.take(step)
    assert [str(error) for error in reported] == [str(ImpossibleStep("stream", "WAITING", "DRAINED")),
                                                  str(ImpossibleStep("stream", "WAITING", "CONNECTED"))]
    assert defects.repeated() == [f"{reported[0]}: 3 times in all"]
    for error in (OSError("one"), OSError("one")):
        defects.report(error)
    assert len(reported) == 4


def test_an_impossible_step_of_a_stream_is_in_the_log_and_stops_nothing(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    stream = platform.module.registry._table.find(call.uuid, "s")
    for _ in range(2):
        stream.post(lambda: stream._states.take(Step.DRAINED) and None)
        stream.post(lambda: stream.link._states.take(LinkStep.CONNECTED) and None)
    stream.post(lambda: stream.sender.text('{"after": "it"}'))
    session.wait_for(lambda session: {"after": "it"} in session.messages, PATIENCE)
    lines = platform.switch.log_lines
    defects = [line.text for line in lines if "a defect of this module, please report it" in line.text]
    assert len(defects) == 2 and "STREAMING" in defects[0] and "DRAINED" in defects[0]
    assert "OPEN" in defects[1] and "CONNECTED" in defects[1]
    lines.clear()
    platform.tell(call, "stop")
    until(lambda: platform.names(call)[-1] == "stream_stopped")


def test_every_state_leads_to_the_end_and_the_end_to_nothing() -> None:
    assert all(State.ENDED in reachable(state) for state in State)
    assert reachable(State.ENDED) == {State.ENDED}


def test_every_step_is_of_use() -> None:
    for table, every in ((TRANSITIONS, Step), (LINK_TRANSITIONS, LinkStep)):
        moving = {step for state, steps in table.items() for step, after in steps.items() if after is not state}
        assert moving == set(every)


def test_whoever_can_be_asked_to_end_does_so_without_the_server() -> None:
    for state, steps in TRANSITIONS.items():
        if Step.FINISH in steps:
            after = steps[Step.FINISH]
            by_itself = after in (State.ENDED, State.CLOSING, State.DELIVERING)
            assert by_itself or TRANSITIONS[after][Step.DRAINED] is State.CLOSING
    assert set(TRANSITIONS[State.CLOSING].values()) == {State.CLOSING, State.DELIVERING, State.ENDED}
    assert set(TRANSITIONS[State.DELIVERING].values()) == {State.DELIVERING, State.DRAINING, State.ENDED}


@given(some.lists(some.sampled_from(Step)))
def test_a_stream_that_is_stopping_never_streams_again(steps: list[Step]) -> None:
    state, stopping = State.WAITING, False
    for step in steps:
        before, state = state, TRANSITIONS[state].get(step, state)
        stopping = stopping or (step is Step.FINISH and before is not state)
        if stopping:
            assert state in (State.DRAINING, State.CLOSING, State.ENDED)
