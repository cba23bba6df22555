"""The table of states: every state can be reached, none is a trap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from freeswitch_audio_stream.engine.states import TRANSITIONS, State, Step


def reachable(begin: State) -> set[State]:
    found = {begin}
    while True:
        more = found.union(*(TRANSITIONS[state].values() for state in found))
        if more == found:
            return found
        found = more


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert TRANSITIONS.keys() == set(State) == reachable(State.WAITING)


def test_every_state_leads_to_the_end_and_the_end_to_nothing() -> None:
    assert all(State.ENDED in reachable(state) for state in State)
    assert reachable(State.ENDED) == {State.ENDED}


def test_every_step_is_of_use() -> None:
    assert {step for steps in TRANSITIONS.values() for step in steps} == set(Step)


def test_whoever_can_be_asked_to_end_does_so_without_the_server() -> None:
    for state, steps in TRANSITIONS.items():
        if Step.FINISH in steps:
            after = steps[Step.FINISH]
            assert after is State.ENDED or TRANSITIONS[after][Step.DRAINED] is State.CLOSING
    assert TRANSITIONS[State.CLOSING] == {Step.LOST: State.ENDED}


@given(some.lists(some.sampled_from(Step)))
def test_a_stream_that_is_stopping_never_streams_again(steps: list[Step]) -> None:
    state, stopping = State.WAITING, False
    for step in steps:
        before, state = state, TRANSITIONS[state].get(step, state)
        stopping = stopping or (step is Step.FINISH and before is not state)
        if stopping:
            assert state in (State.DRAINING, State.CLOSING, State.ENDED)
