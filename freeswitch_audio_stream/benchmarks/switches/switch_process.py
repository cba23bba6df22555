"""The switch that is measured, as the rest of the benchmark sees it."""

from __future__ import annotations

from typing import Any, Protocol, Sequence

import orjson

from ...errors import SwitchError

_BATCH = 50  # calls in one order: a command of the event socket has a limited length


class SwitchProcess(Protocol):
    """A switch in a process of its own, with one module to measure."""

    @property
    def name(self) -> str:
        """Which switch this is, for people."""

    @property
    def pid(self) -> int:
        """Its process."""

    def make_calls(self, count: int, rate: int) -> list[str]:
        """Set up calls of one leg at `rate` Hz, whose caller makes noise; return their ids."""

    def end_calls(self) -> None:
        """End every call and wait until they are gone."""

    def command(self, line: str) -> str:
        """What an API command answers."""

    def order(self, name: str, **arguments: Any) -> Any:
        """Have `inside.Inside` do something; raise SwitchError where it failed."""

    def check(self) -> None:
        """Raise AudioStreamError if the process has ended by itself."""

    def close(self) -> None:
        """End the process."""


def answer_of(reply: str, name: str) -> Any:
    """What `inside.execute` answered; raise SwitchError where it did not."""
    try:
        message = orjson.loads(reply)
        return message["answer"]
    except (ValueError, KeyError):
        raise SwitchError(f"the order {name} failed in the switch: {reply}") from None


def order_for(switch: SwitchProcess, name: str, calls: Sequence[str]) -> None:
    """Give an order that takes calls, a batch at a time."""
    for begin in range(0, len(calls), _BATCH):
        switch.order(name, calls=calls[begin:begin + _BATCH])
