"""Tables of states: where a stream or its connection is, and what leads from one state to the next."""

from __future__ import annotations

import threading
from collections import Counter
from enum import Enum
from typing import Callable, Generic, Mapping, TypeVar

from ..errors import ImpossibleStep

AnyState = TypeVar("AnyState", bound=Enum)
AnyStep = TypeVar("AnyStep", bound=Enum)
OnDefect = Callable[[BaseException], None]


class StateMachine(Generic[AnyState, AnyStep]):
    """A place in a table. Steps are taken on one thread at a time; any thread may read `state`."""

    def __init__(self, name: str, transitions: Mapping[AnyState, Mapping[AnyStep, AnyState]], begin: AnyState,
                 on_defect: OnDefect) -> None:
        """`name` says what it is that has these states; `on_defect` is told of every step that the table does not
        have.
        """
        self._name = name
        self._transitions = transitions
        self._on_defect = on_defect
        self.state = begin

    def take(self, step: AnyStep) -> bool:
        """Take a step, and return whether the state is another now.

        A step that the table does not have for this state changes nothing and raises nothing: it is reported as an
        ImpossibleStep, and what runs goes on.
        """
        before = self.state
        after = self._transitions[before].get(step)
        if after is None:
            self._on_defect(ImpossibleStep(self._name, before.name, step.name))
            return False
        self.state = after
        return after is not before


class Defects:
    """Reports defects of this module: an impossible step once, however often it is taken. Any thread."""

    def __init__(self, on_fault: OnDefect) -> None:
        """`on_fault` writes to the log."""
        self._on_fault = on_fault
        self._steps: Counter[str] = Counter()
        self._lock = threading.Lock()

    def report(self, error: BaseException) -> None:
        """Report a defect, unless it is an impossible step that has been reported before: that is only counted."""
        if isinstance(error, ImpossibleStep):
            with self._lock:
                self._steps[str(error)] += 1
                if self._steps[str(error)] > 1:
                    return
        self._on_fault(error)

    def repeated(self) -> list[str]:
        """Return a sentence for every impossible step that was taken more than once: which, and how often."""
        with self._lock:
            return [f"{text}: {count} times in all" for text, count in self._steps.items() if count > 1]
