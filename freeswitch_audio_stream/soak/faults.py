"""What is done to the lines on purpose, at random, the same for the same seed."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Callable

from ..errors import SwitchError
from .kinds import caller_of
from .line import Line
from .server import SoakServer
from .switch import SoakSwitch


@dataclass(frozen=True)
class Fault:
    """One that was."""

    seconds: float
    """Since the soak began."""
    name: str
    line: int | None
    """None: all of them."""


class Faults:
    """One thread."""

    def __init__(self, seed: int, every: float, lines: dict[int, Line], server: SoakServer,
                 switch: SoakSwitch) -> None:
        """`every`: seconds between two, on average."""
        self._random = random.Random(seed)
        self._every = every
        self._lines = lines
        self._server = server
        self._switch = switch
        self._begun = time.monotonic()
        self._next = self._begun + every
        self.done: list[Fault] = []
        self.ended: list[str] = []
        """Streams that were to be stopped, and had ended by themselves."""
        self._kinds: dict[str, Callable[[Line], None]] = {
            "the connection breaks": self._cut, "the server does not read for 6 s": self._stall,
            "the stream is stopped and started": self._start_again,
            "the call ends, and another begins": self._call_again,
            "the server is away for 3 s": self._restart}
        self._weights = [4, 4, 4, 4, 1]

    def maybe(self) -> None:
        """Do one, if it is time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._random.expovariate(1 / self._every)
        (name,) = self._random.choices(list(self._kinds), self._weights)
        line = self._lines[self._random.choice(list(self._lines))]
        self._kinds[name](line)
        whole = self._kinds[name] == self._restart
        self.done.append(Fault(time.monotonic() - self._begun, name, None if whole else line.number))

    def _cut(self, line: Line) -> None:
        line.excuse()
        self._server.cut(line.number)

    def _stall(self, line: Line) -> None:
        # What the caller says waits with us, so nothing may be lost; only lateness is excused.
        self._server.stall(line.number, 6.0)

    def _start_again(self, line: Line) -> None:
        line.excuse(5.0)
        try:
            self._switch.stop(line.number)
        except SwitchError as error:
            self.ended.append(f"{line.kind.name}: {error}")
        line.restart(is_new_call=False)
        self._start(line)

    def _call_again(self, line: Line) -> None:
        line.excuse(5.0)
        self._switch.hang_up(line.number)
        line.restart(is_new_call=True)
        self.connect(line)

    def _restart(self, line: Line) -> None:
        for every in self._lines.values():
            every.excuse(3.0)
        self._server.go_away()
        time.sleep(3.0)
        self._server.come_back()
        for every in self._lines.values():
            every.excuse()

    def _start(self, line: Line) -> None:
        generation = line.heard_by_server.generation
        self._server.expect(self._switch.called(line.number), line.number, generation)
        self._switch.start(line.number, line.kind, self._server.url(line.kind, line.number, generation, "stream"))

    def connect(self, line: Line) -> None:
        """Make a line's call, and start its streams."""
        self._switch.call(line.number, line.kind.rate)
        kind = caller_of(line.kind)
        url = self._server.url(kind, line.number, line.heard_by_caller.generation, "caller")
        self._switch.give_voice(line.number, kind, url)
        self._start(line)
        line.excuse()
